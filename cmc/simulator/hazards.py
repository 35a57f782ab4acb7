"""Find reads of what is not there, from the times of all iterations."""

from __future__ import annotations

import numpy as np

from cmc.flow import NEVER, Starts
from cmc.poly.evaluate import Ints
from cmc.simulator.faults import Fault, MissingElement, OverwrittenElement
from cmc.simulator.load import Chip, Program, Read, Ring


def check(chip: Chip, starts: Starts, images: int) -> None:
    """Raise the fault of the earliest cycle, if any read finds an element that is not there.

    An element is there from the cycle after its write's last until what is written `slots` places
    later arrives in its slot.
    """
    faults: list[tuple[int, Fault]] = []
    for ring in chip.rings:
        reader = chip.programs[ring.channel.reader]
        for read in reader.reads:
            if read.object == ring.channel.object:
                faults += _missing(chip, ring, reader, read, starts, images)
                faults += _overwritten(chip, ring, reader, read, starts, images)
    if faults:
        raise min(faults, key=lambda fault: fault[0])[1]


def _arrivals(chip: Chip, ring: Ring, starts: Starts) -> Ints:
    writer = chip.writer(ring.channel.object)
    return starts[writer.name] + writer.latency


def _missing(
    chip: Chip, ring: Ring, reader: Program, read: Read, starts: Starts, images: int
) -> list[tuple[int, Fault]]:
    arrivals = _arrivals(chip, ring, starts)
    wanted = _across(read.newest, images, chip.objects[read.object].elements)
    arrived = np.where(wanted >= 0, arrivals[np.maximum(wanted, 0)], 0)
    late = np.flatnonzero(arrived > starts[reader.name])
    return [
        _fault(MissingElement, "was not written yet", chip, reader, read, starts, int(at), wanted)
        for at in late[:1]
    ]


def _overwritten(
    chip: Chip, ring: Ring, reader: Program, read: Read, starts: Starts, images: int
) -> list[tuple[int, Fault]]:
    arrivals = _arrivals(chip, ring, starts)
    wanted = _across(read.oldest, images, chip.objects[read.object].elements)
    replacing = np.where(wanted == NEVER, NEVER, wanted + ring.slots)
    replacing = np.where(wanted == NEVER, NEVER, replacing)
    exists = replacing < len(arrivals)
    gone = np.where(exists, arrivals[np.where(exists, replacing, 0)], NEVER)
    late = np.flatnonzero(gone <= starts[reader.name])
    what = f"was overwritten, in a ring of {ring.slots} slots"
    return [
        _fault(OverwrittenElement, what, chip, reader, read, starts, int(at), wanted)
        for at in late[:1]
    ]


def _across(table: Ints, images: int, elements: int) -> Ints:
    """Places in one image as places in the stream; what is no place stays so."""
    places = table[None, :] + np.arange(images)[:, None] * elements
    none = (table < 0) | (table == NEVER)
    return np.where(none, np.where(table < 0, -1, NEVER), places).reshape(-1)


def _fault(
    kind: type[Fault],
    what: str,
    chip: Chip,
    reader: Program,
    read: Read,
    starts: Starts,
    at: int,
    wanted: Ints,
) -> tuple[int, Fault]:
    cycle = int(starts[reader.name][at])
    image, iteration = divmod(at, reader.iterations)
    object = chip.objects[read.object]
    element = object.element(int(wanted[at]) % object.elements)
    return cycle, kind(
        f"cycle {cycle}: {reader.iteration(iteration)} of image {image} reads {element}, "
        f"which {what}",
        f"core @{reader.core}",
    )
