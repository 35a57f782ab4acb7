# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Find reads of what is not there, from the times of all iterations."""

from __future__ import annotations

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.simulator.faults import Fault, MissingElement, OverwrittenElement
from cmc.simulator.load import Chip, LoadedProgram, Ring, Share
from cmc.timing.flow import NEVER
from cmc.timing.runs import Runs
from cmc.timing.times import Times


def check(chip: Chip, times: Times) -> None:
    """Raise the fault of the earliest cycle, if any read finds an element that is not there.

    An element is there from when its write has arrived until what is written `slots` places
    later arrives in its slot.
    """
    faults: list[tuple[int, Fault]] = []
    for ring, edge in zip(chip.rings, chip.flow.edges, strict=True):
        reader = chip.programs[ring.channel.reader]
        starts, solved = times.starts[reader.name], times.solved[reader.name]
        # When places of the stream are written, after what always was.
        arrivals = Runs.joined([Runs.line(1, 0), times.arrivals(edge)])
        shares = (share for read in reader.reads for share in read.shares)
        for share in shares:
            if share.part is ring.part:
                if (at := _first_missing(share, solved, starts, arrivals)) is not None:
                    at, cycle = times.in_stream(reader.name, at)
                    faults.append((cycle, missing(reader, share, at, cycle)))
                at = _first_overwritten(share, solved, starts, arrivals, ring.slots)
                if at is not None:
                    at, cycle = times.in_stream(reader.name, at)
                    faults.append((cycle, overwritten(reader, share, at, cycle, ring)))
    if faults:
        raise min(faults, key=lambda fault: fault[0])[1]


def _first_missing(share: Share, images: int, starts: Runs, arrivals: Runs) -> int | None:
    """The first iteration that reads what was not written yet: all that one before reads is there,
    so it may as well read that, too."""
    newest = share.places.wanted[0].repeated(images, share.part.count).accumulated(-1)
    wanted = newest.head(starts.length) + 1
    known = int(wanted.below(np.array([arrivals.length]))[0])
    late = arrivals.take(wanted.head(known)) - starts.head(known)
    first = _first_positive(late)
    return known if first is None and known < starts.length else first


def _first_overwritten(
    share: Share, images: int, starts: Runs, arrivals: Runs, slots: int
) -> int | None:
    """The first iteration that reads what is no longer in its slot."""
    oldest = (-share.places.wanted[1].repeated(images, share.part.count)).reversed().accumulated()
    slots = min(slots, arrivals.length)
    reused = (-oldest.reversed()).head(starts.length) + slots + 1
    known = int(reused.below(np.array([arrivals.length]))[0])
    if _first_positive(starts.head(known) - arrivals.take(reused.head(known)) + 1) is None:
        return None
    # Some iteration from there on does: which one, only its own window tells.
    places = _across(share.places.oldest, images, share.part.count)[: starts.length]
    reused = np.where(places == NEVER, arrivals.length, places + slots + 1)
    gone = np.append(arrivals.expanded(), NEVER)[np.minimum(reused, arrivals.length)]
    wrong = np.flatnonzero(gone <= starts.expanded())
    return int(wrong[0]) if len(wrong) else None


def _first_positive(values: Runs) -> int | None:
    """The index of the first member that is more than 0."""
    runs = np.flatnonzero((values.values > 0) | (values.lasts > 0))
    if not len(runs):
        return None
    first, slope = int(values.values[runs[0]]), int(values.slopes[runs[0]])
    return int(values.starts[runs[0]]) + (0 if first > 0 else -first // slope + 1)


def _across(table: Ints, images: int, elements: int) -> Ints:
    """Places in one image as places in the stream; what is no place stays so."""
    places = table[None, :] + np.arange(images)[:, None] * elements
    return np.where((table < 0) | (table == NEVER), table, places).reshape(-1)


def missing(reader: LoadedProgram, share: Share, at: int, cycle: int) -> Fault:
    """The fault of a read, by iteration `at` of the stream, of what was not written yet."""
    newest, _ = share.places_of(at % reader.iterations)
    what = f"{_words(reader, share, at, cycle, newest)} was not written yet"
    return MissingElement(what, f"core @{reader.core}")


def overwritten(reader: LoadedProgram, share: Share, at: int, cycle: int, ring: Ring) -> Fault:
    """The fault of a read, by iteration `at` of the stream, of what is no longer in its slot."""
    _, oldest = share.places_of(at % reader.iterations)
    words = _words(reader, share, at, cycle, oldest)
    what = f"{words} was overwritten in its ring of {ring.slots} slots"
    return OverwrittenElement(what, f"core @{reader.core}")


def _words(reader: LoadedProgram, share: Share, at: int, cycle: int, place: int) -> str:
    own, iteration = divmod(at, reader.iterations)
    image = reader.turn.image(own)
    name = share.part.element(place)
    return f"cycle {cycle}: {reader.iteration(iteration)} of image {image} reads {name}, which"
