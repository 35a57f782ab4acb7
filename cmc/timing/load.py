# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What an image takes of each unit, link and circle: no stream is faster than the most of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cmc.timing.circles import circles_of
from cmc.timing.flow import Flow, Process, sent_over


@dataclass(frozen=True)
class Load:
    """The cycles for which an image takes a unit of a side, a link, or all of a process's time."""

    cycles: int
    processes: Sequence[Process]
    unit: str = ""
    """The name of a unit that processes share; nothing where there is one process."""
    link: str = ""
    """The title of the link, over which these processes send what they write."""
    bytes: int = 0
    """What crosses the link."""
    around: bool = False
    """Whether it is the time that an image takes of processes that wait for each other in turn."""

    @property
    def title(self) -> str:
        """What it is the load of, for a person."""
        if self.link:
            return self.link
        if self.around:
            return circle_title([process.name for process in self.processes])
        if not self.unit:
            return f"@{self.processes[0].name}"
        return title_of(self.unit, self.processes[0].side)


def circle_title(names: Sequence[str]) -> str:
    """Processes that wait for each other in turn, for a person."""
    return f"the circle of {', '.join(f'@{name}' for name in names)}"


def title_of(unit: str, side: str) -> str:
    """A unit of a core, or of the GCU, for a person."""
    return f"{unit_title(unit)} of {f'core @{side}' if side else 'the GCU'}"


def unit_title(unit: str) -> str:
    """A unit, for a person who knows of which core it is."""
    return "the digital unit" if unit == "digital" else f"the {unit}"


def link_loads(flow: Flow) -> Iterator[Load]:
    """The loads of all links that anything crosses."""
    for link, groups in flow.carried.items():
        cycles = bytes = 0
        for together in groups:
            edge = together[0]
            sends = sent_over(together)
            all = flow.processes[edge.writer].iterations
            vectors = all if sends is None else len(sends)
            cycles += vectors * edge.way.held
            bytes += vectors * edge.way.bytes
        writers = {edge.writer: flow.processes[edge.writer] for edge, *_ in groups}
        title = flow.link_title(link)
        yield Load(cycles, list(writers.values()), link=title, bytes=bytes)


def circle_loads(flow: Flow) -> Iterator[Load]:
    """How long an image takes of each circle of processes."""
    for circle in circles_of(flow):
        yield Load(circle.interval, circle.processes, around=True)


def loads(flow: Flow) -> Iterator[Load]:
    """The loads of all processes and circles, of all units that several share, of all links."""
    for process in flow.processes.values():
        yield Load(process.iterations * process.pace, (process,))
    for processes in flow.sides.values():
        for unit in {unit: None for process in processes for unit in process.occupies}:
            users = [process for process in processes if unit in process.occupies]
            yield Load(sum(p.iterations * p.occupies[unit] for p in users), users, unit)
    yield from link_loads(flow)
    yield from circle_loads(flow)


def bound(flow: Flow) -> Load:
    """The largest load: no schedule has less than its cycles between images, in the long run."""
    return max(loads(flow), key=lambda load: load.cycles)
