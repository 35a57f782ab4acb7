"""Find reads of what is not there, from the times of all iterations."""

from __future__ import annotations

import numpy as np

from cmc.flow import NEVER
from cmc.poly.evaluate import Ints
from cmc.simulator.faults import Fault, MissingElement, OverwrittenElement
from cmc.simulator.load import Chip, LoadedProgram, Read, Ring
from cmc.solver import Times


def check(chip: Chip, times: Times) -> None:
    """Raise the fault of the earliest cycle, if any read finds an element that is not there.

    An element is there from the cycle after its write's last until what is written `slots` places
    later arrives in its slot.
    """
    faults: list[tuple[int, Fault]] = []
    for ring in chip.rings:
        reader, writer = chip.programs[ring.channel.reader], chip.programs[ring.channel.writer]
        starts = times.starts[reader.name].expanded()
        written = times.starts[writer.name].expanded() + writer.latency
        arrivals = np.full(times.solved * writer.iterations, NEVER)
        arrivals[: len(written)] = written
        for read in reader.reads:
            if read.object == ring.channel.object:
                elements = chip.objects[read.object].elements
                wanted = _across(read.newest, times.solved, elements)[: len(starts)]
                arrived = np.where(wanted >= 0, arrivals[np.maximum(wanted, 0)], 0)
                for at in np.flatnonzero(arrived > starts)[:1]:
                    cycle = int(starts[at])
                    faults.append((cycle, missing(chip, reader, read, int(at), cycle)))
                wanted = _across(read.oldest, times.solved, elements)[: len(starts)]
                reused = np.append(arrivals, NEVER)[
                    np.minimum(np.where(wanted == NEVER, 0, wanted) + ring.slots, len(arrivals))
                ]
                gone = np.where(wanted == NEVER, NEVER, reused)
                for at in np.flatnonzero(gone <= starts)[:1]:
                    cycle = int(starts[at])
                    faults.append((cycle, overwritten(chip, reader, read, int(at), cycle, ring)))
    if faults:
        raise min(faults, key=lambda fault: fault[0])[1]


def _across(table: Ints, images: int, elements: int) -> Ints:
    """Places in one image as places in the stream; what is no place stays so."""
    places = table[None, :] + np.arange(images)[:, None] * elements
    return np.where((table < 0) | (table == NEVER), table, places).reshape(-1)


def missing(chip: Chip, reader: LoadedProgram, read: Read, at: int, cycle: int) -> Fault:
    """The fault of a read, by iteration `at` of the stream, of what was not written yet."""
    return _fault(MissingElement, chip, reader, read, at, cycle, read.newest, "was not written yet")


def overwritten(
    chip: Chip, reader: LoadedProgram, read: Read, at: int, cycle: int, ring: Ring
) -> Fault:
    """The fault of a read, by iteration `at` of the stream, of what is no longer in its slot."""
    what = f"was overwritten in its ring of {ring.slots} slots"
    return _fault(OverwrittenElement, chip, reader, read, at, cycle, read.oldest, what)


def _fault(
    kind: type[Fault],
    chip: Chip,
    reader: LoadedProgram,
    read: Read,
    at: int,
    cycle: int,
    element: Ints,
    what: str,
) -> Fault:
    image, iteration = divmod(at, reader.iterations)
    name = chip.objects[read.object].element(int(element[iteration]))
    return kind(
        f"cycle {cycle}: {reader.iteration(iteration)} of image {image} reads {name}, which {what}",
        f"core @{reader.core}",
    )
