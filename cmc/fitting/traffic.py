"""What travels between cores, and over which links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np

from cmc.dialects.cmctrl import ChipOp
from cmc.dialects.cmpipe import (
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


def sent(op: PipelineOp | ChipOp) -> list[Sent]:
    """What an image sends over each channel between stages. Inputs come by ways of their own."""
    target = target_of(op)
    stages = {w.sym_name.data: w for w in op.writers() if isinstance(w, StageOp)}
    if isinstance(op, PipelineOp):
        channels = [one.channel for one in op.channels()]
    else:
        channels = [ring.channel for core in op.cores() for ring in core.rings()]
    if not channels:
        writers = writers_of(stages.values())
        channels = [c for stage in stages.values() for c in read_from(stage, writers)]
    counts = {name: Iterations(one.domain.data).count for name, one in stages.items()}
    vectors = {
        name: find_object(one, next(one.writes()).object).vector for name, one in stages.items()
    }

    def of(channel: Channel) -> Sent:
        bytes = vectors[channel.writer] * target.element_bytes
        return Sent(channel, counts[channel.writer], bytes, link_cycles(bytes, target))

    return [of(channel) for channel in channels if channel.writer in stages]


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

    hop_bytes: int
    """Bytes, each as often as it crosses a link."""
    cycles: Mapping[int, int]
    """By a link's number, for how long an image holds it."""
    channels: Mapping[int, Sequence[Sent]]
    """By a link's number, what crosses it."""

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
    topology, total = topology_of(target), 0
    cycles: dict[int, int] = {}
    over: dict[int, list[Sent]] = {}
    crossed: set[tuple[str, int]] = set()
    for one in channels:
        ends = places[core[one.channel.writer]], places[core[one.channel.reader]]
        route = topology.route(*ends)
        for link in route or ():
            over.setdefault(link, []).append(one)
            if target.multicast:
                if (one.channel.writer, link) in crossed:
                    continue
                crossed.add((one.channel.writer, link))
            total += one.vectors * one.bytes
            cycles[link] = cycles.get(link, 0) + one.vectors * one.cycles
    return Crossing(total, cycles, over)


def between_cores(
    channels: Iterable[Sent], core: Mapping[str, int], cores: int, target: Target
) -> Ints:
    """The bytes that each core sends each other one for an image, `[cores, cores]`.

    `core` has the number of each stage's core. With multicast this is an upper bound of what
    crosses links.
    """
    traffic, sent_once = np.zeros((cores, cores), np.int64), set[tuple[str, int]]()
    for one in channels:
        writer, reader = core[one.channel.writer], core[one.channel.reader]
        key = (one.channel.writer, reader)
        if writer == reader or (target.multicast and key in sent_once):
            continue
        sent_once.add(key)
        traffic[writer, reader] += one.vectors * one.bytes
    return traffic


@dataclass(frozen=True)
class HopBytes:
    """Bytes times the links that they cross, of an image of each pipeline."""

    found: int
    least: int
    """No places of the same cores have less."""


def hop_bytes(chip: ChipOp) -> HopBytes | None:
    """What a chip sends over links; None where a core has no place, and ways depend on that."""
    target, cores = target_of(chip), list(chip.cores())
    topology, places = topology_of(target), [core.place for core in cores]
    if not topology.placed:
        places = list(range(len(cores)))
    known = [place for place in places if place is not None]
    if len(known) < len(cores):
        return None
    core = {stage.sym_name.data: n for n, one in enumerate(cores) for stage in one.stages()}
    channels = sent(chip)
    found = crossing(channels, core, known, target).hop_bytes
    if not topology.placed:
        return HopBytes(found, found)
    traffic = between_cores(channels, core, len(cores), target)
    if target.multicast:
        # Each core that gets something gets it over a link of its own.
        return HopBytes(found, int(traffic.sum()))
    return HopBytes(found, lower_bound(traffic, hops_of(target)))
