# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What travels between cores, and over which links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil

import islpy as isl
import numpy as np

from cmc.dialects.cmctrl import ChipOp
from cmc.dialects.cmpipe import (
    Carrying,
    Channel,
    PipelineOp,
    StageOp,
    find_object,
    read_from,
    target_of,
    writers_of,
)
from cmc.fitting.places import MORE, lower_bound
from cmc.poly.counting import Iterations
from cmc.poly.evaluate import Ints
from cmc.poly.moves import Move, back, corner, moved_range, moved_set
from cmc.poly.relations import nameless
from cmc.targets import Target
from cmc.targets.topology import topology_of


@dataclass(frozen=True)
class Sent:
    """What an image sends over a channel between two stages."""

    channel: Channel
    vectors: int
    bytes: int
    """Of a vector."""
    cycles: int
    """For which a vector holds a link."""
    iterations: int
    """Which iterations of the writer send it, a bit for each in their order."""


def sent(op: PipelineOp | ChipOp) -> list[Sent]:
    """What an image sends over each channel between stages. Inputs come by ways of their own."""
    target = target_of(op)
    stages = {w.sym_name.data: w for w in op.writers() if isinstance(w, StageOp)}
    carried: dict[Channel, isl.Set | None] = {}
    given: Iterable[Carrying]
    if isinstance(op, PipelineOp):
        given = op.channels()
    else:
        given = (ring for core in op.cores() for ring in core.rings())
    for one in given:
        carried[one.channel] = None if one.carries is None else one.carries.data
    if not carried:
        writers = writers_of(stages.values())
        for stage in stages.values():
            carried.update((c, read.range()) for c, read in read_from(stage, writers).items())
    senders = {name: _Sender(stage) for name, stage in stages.items()}
    known: dict[object, int] = {}
    vectors = {
        name: find_object(one, next(one.writes()).object).vector for name, one in stages.items()
    }

    def of(channel: Channel, carries: isl.Set | None) -> Sent:
        bytes = vectors[channel.writer] * target.element_bytes
        bits = senders[channel.writer].iterations(carries, known)
        return Sent(channel, bits.bit_count(), bytes, link_cycles(bytes, target), bits)

    return [of(channel, set) for channel, set in carried.items() if channel.writer in stages]


@dataclass(frozen=True, eq=False)
class _Sender:
    """A stage that writes elements, seen from the corner of these."""

    stage: StageOp

    @cached_property
    def _corner(self) -> Move:
        return corner(self.stage.elements)

    @cached_property
    def _writes(self) -> isl.Map:
        return moved_range(nameless(self.stage.places), back(self._corner))

    @cached_property
    def _domain(self) -> isl.Set:
        return self._writes.domain()

    def iterations(self, carries: isl.Set | None, known: dict[object, int]) -> int:
        """Which iterations write what is carried, as bits. What is alike is found once."""
        if carries is None:
            return (1 << Iterations(self._domain).count) - 1
        inside = moved_set(carries.reset_tuple_id(), back(self._corner))
        key = self._writes, self._domain, inside
        if key not in known:
            every = Iterations(self._domain)
            numbers = every.numbers(inside.apply(self._writes.reverse())).expanded()
            bits = np.zeros(every.count, np.bool_)
            bits[numbers] = True
            known[key] = int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
        return known[key]


def link_cycles(bytes: int, target: Target) -> int:
    """For how long so many bytes hold a link."""
    rate = target.link_bytes_per_cycle
    return 0 if rate is None else ceil(bytes / rate)


def links_cost(target: Target) -> bool:
    """Whether it costs anything to send something over a link."""
    return target.link_bytes_per_cycle is not None or target.hop > 0


@lru_cache(maxsize=8)
def hops_of(target: Target) -> Ints:
    """How many links it is from place to place, `MORE` where there is no way."""
    topology = topology_of(target)
    count = topology.cores
    into: list[list[int]] = [[] for _ in range(count)]
    for link in topology.links:
        if link.source is not None and link.to is not None:
            into[link.to].append(link.source)
    most = max(map(len, into), default=0)
    # A place is its own neighbour as often as it has fewer than others.
    near = np.array([[*ends, *([place] * (most - len(ends)))] for place, ends in enumerate(into)])
    hops = np.where(np.eye(count, dtype=bool), 0, MORE)
    reached = np.eye(count, dtype=bool)
    for distance in range(1, count):
        new = reached[:, near].any(axis=2) & ~reached
        if not new.any():
            break
        hops[new] = distance
        reached |= new
    hops.flags.writeable = False
    return hops


@dataclass(frozen=True)
class Crossing:
    """What an image sends over links, where cores have places."""

    sent: Mapping[int, int]
    """By the number of the core that sends them, bytes, each as often as it crosses a link."""
    cycles: Mapping[int, int]
    """By a link's number, for how long an image holds it."""
    channels: Mapping[int, Sequence[Sent]]
    """By a link's number, what crosses it."""

    @property
    def hop_bytes(self) -> int:
        """Bytes, each as often as it crosses a link."""
        return sum(self.sent.values())

    @property
    def busiest(self) -> tuple[int, int]:
        """The number of the link that an image holds longest, and for how long."""
        return max(self.cycles.items(), key=lambda item: item[1], default=(0, 0))


def crossing(
    channels: Iterable[Sent], core: Mapping[str, int], places: Sequence[int], target: Target
) -> Crossing:
    """What crosses links between cores at such places; between all of them there is a way.

    `core` has the number of each stage's core. Where the target has multicast, a vector for several
    readers crosses a link once.
    """
    topology, total = topology_of(target), Counter[int]()
    cycles: dict[int, int] = {}
    over: dict[int, list[Sent]] = {}
    for one in channels:
        ends = places[core[one.channel.writer]], places[core[one.channel.reader]]
        for link in topology.route(*ends) or ():
            over.setdefault(link, []).append(one)
    for link, crossed in over.items():
        cycles[link] = 0
        for vectors, one in together(crossed, target):
            total[core[one.channel.writer]] += vectors * one.bytes
            cycles[link] += vectors * one.cycles
    return Crossing(total, cycles, over)


def together(
    channels: Iterable[Sent], target: Target, way: Callable[[Sent], Hashable] = lambda _: None
) -> Iterator[tuple[int, Sent]]:
    """How many vectors go somewhere, and of which channel they are.

    With multicast, what a stage sends one `way` goes there once, whatever it is for.
    """
    if not target.multicast:
        yield from ((one.vectors, one) for one in channels)
        return
    groups: dict[Hashable, list[Sent]] = {}
    for one in channels:
        groups.setdefault((one.channel.writer, way(one)), []).append(one)
    for group in groups.values():
        iterations = 0
        for one in group:
            iterations |= one.iterations
        yield iterations.bit_count(), group[0]


def between_cores(
    channels: Iterable[Sent], core: Mapping[str, int], cores: int, target: Target
) -> Ints:
    """The bytes that each core sends each other one for an image, `[cores, cores]`.

    `core` has the number of each stage's core. With multicast this is an upper bound of what
    crosses links.
    """
    traffic = np.zeros((cores, cores), np.int64)
    for vectors, one in together(channels, target, lambda one: core[one.channel.reader]):
        writer, reader = core[one.channel.writer], core[one.channel.reader]
        if writer != reader:
            traffic[writer, reader] += vectors * one.bytes
    return traffic


@dataclass(frozen=True)
class HopBytes:
    """Bytes times the links that they cross, of an image of each pipeline."""

    found: int
    least: int
    """No places of the same cores have less."""


def chip_crossing(chip: ChipOp, channels: Iterable[Sent]) -> Crossing | None:
    """What crosses links between a chip's cores, which are counted as they stand.

    None where a core has no place, and ways depend on that.
    """
    target, cores = target_of(chip), list(chip.cores())
    places = [core.place for core in cores]
    if not topology_of(target).placed:
        places = list(range(len(cores)))
    known = [place for place in places if place is not None]
    if len(known) < len(cores):
        return None
    return crossing(channels, _cores_of(chip), known, target)


def _cores_of(chip: ChipOp) -> dict[str, int]:
    """The number of each stage's core."""
    return {stage.sym_name.data: n for n, one in enumerate(chip.cores()) for stage in one.stages()}


def hop_bytes(chip: ChipOp) -> HopBytes | None:
    """What a chip sends over links; None where a core has no place, and ways depend on that."""
    target, channels = target_of(chip), sent(chip)
    crossed = chip_crossing(chip, channels)
    if crossed is None:
        return None
    found, core = crossed.hop_bytes, _cores_of(chip)
    if not topology_of(target).placed:
        return HopBytes(found, found)
    traffic = between_cores(channels, core, len(list(chip.cores())), target)
    if target.multicast:
        # Each core that gets something gets it over a link of its own.
        return HopBytes(found, int(traffic.sum()))
    return HopBytes(found, lower_bound(traffic, hops_of(target)))
