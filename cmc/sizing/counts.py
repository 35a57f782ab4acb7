"""A pipeline as counts of iterations: what sizing computes with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cmc.timing.flow import Edge, Process, Steps


@dataclass(frozen=True, eq=False)
class Link:
    """A channel: in `ready` writes drive the reader's iterations, in `free` these drive slots."""

    title: str
    writer: str
    reader: str
    ready: Steps
    free: Steps

    def edge(self, slots: int) -> Edge:
        """The channel with that many slots."""
        return Edge(self.title, self.writer, self.reader, self.ready, self.free, slots)


@dataclass(frozen=True, eq=False)
class Counts:
    """Processes, each after those that write what it reads, and the links between them."""

    processes: Mapping[str, Process]
    links: tuple[Link, ...]

    @cached_property
    def complete(self) -> bool:
        """Whether all machines let everything happen that they drive, in the end."""
        return all(
            link.ready.end == self.processes[link.reader].iterations
            and link.free.end == self.processes[link.writer].iterations
            for link in self.links
        )

    @cached_property
    def into(self) -> Mapping[str, Sequence[Link]]:
        """The links to each process."""
        return _grouped(self.processes, [(link.reader, link) for link in self.links])

    @cached_property
    def out_of(self) -> Mapping[str, Sequence[Link]]:
        """The links from each process."""
        return _grouped(self.processes, [(link.writer, link) for link in self.links])


def _grouped(names: Iterable[str], links: Iterable[tuple[str, Link]]) -> dict[str, list[Link]]:
    groups: dict[str, list[Link]] = {name: [] for name in names}
    for name, link in links:
        groups[name].append(link)
    return groups
