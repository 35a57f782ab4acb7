"""What sizing looks at: who reads from whom in a pipeline, as counts of iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

import islpy as isl
import numpy as np

from cmc.dialects.cmpipe import ChannelOp, PipelineOp, written_by
from cmc.flow import Edge, Flow, Process, Steps, deadlock, solve
from cmc.poly.evaluate import Ints, tabulate
from cmc.poly.order import Order
from cmc.poly.relations import nameless


@dataclass(frozen=True, eq=False)
class Model:
    """A pipeline with its channels, each channel in terms of the writer's iterations.

    A process is a stage, or the GCU's stream of an input, which is named after its object.
    """

    pipeline: PipelineOp

    @cached_property
    def channels(self) -> Sequence[ChannelOp]:
        return tuple(self.pipeline.channels())

    @cached_property
    def _writes(self) -> Mapping[str, isl.Map]:
        return written_by(self.pipeline)

    @cached_property
    def writers(self) -> Mapping[str, str]:
        """The process that writes each object."""
        return {
            object: relation.get_tuple_name(isl.dim_type.in_)
            for object, relation in self._writes.items()
        }

    @cached_property
    def iterations(self) -> Mapping[str, isl.Set]:
        """The iterations of each process, which stand after those that they read from."""
        domains = {self.writers[o]: nameless(w).domain() for o, w in self._writes.items()}
        reads: dict[str, set[str]] = {name: set() for name in domains}
        for channel in self.channels:
            reads[channel.reader.root_reference.data].add(self._writer(channel))
        return {name: domains[name] for name in TopologicalSorter(reads).static_order()}

    def _writer(self, channel: ChannelOp) -> str:
        return self.writers[channel.object.root_reference.data]

    def _in_time(self, channel: ChannelOp, relation: isl.Map, elements: isl.dim_type) -> isl.Map:
        """A channel's relation with elements replaced by the iterations that write them."""
        written = nameless(self._writes[channel.object.root_reference.data]).reverse()
        if elements == isl.dim_type.in_:
            return nameless(relation).apply_domain(written)
        return nameless(relation).apply_range(written)

    @cached_property
    def flow(self) -> Flow:
        """Counts of iterations; each edge has its channel's slots as credits, 0 if it has none."""
        found = {domain: Order.of(domain) for domain in set(self.iterations.values())}
        orders = {name: found[domain] for name, domain in self.iterations.items()}
        timing = {s.sym_name.data: s for s in self.pipeline.stages()}

        def process(name: str) -> Process:
            points, stage = orders[name].points, timing.get(name)

            def title(number: int) -> str:
                return f"@{name}[{', '.join(str(int(i)) for i in points[number])}]"

            latency = 1 if stage is None or stage.latency is None else stage.latency.value.data
            interval = 1 if stage is None or stage.interval is None else stage.interval.value.data
            return Process(name, len(points), latency, interval, title)

        known: dict[tuple[object, ...], tuple[Steps, Steps]] = {}

        def edge(channel: ChannelOp) -> Edge:
            object, reader = channel.object.root_reference.data, channel.reader.root_reference.data
            writer = self.writers[object]
            ready = self._in_time(channel, channel.ready.data, isl.dim_type.in_)
            free = self._in_time(channel, channel.free.data, isl.dim_type.out)
            enabled, freed = (
                None if start is None else start.data.reset_tuple_id()
                for start in (channel.ready_from, channel.free_from)
            )
            if freed is not None:
                freed = freed.apply(nameless(self._writes[object]).reverse())
            sides = (self.iterations[writer], self.iterations[reader])
            key = (ready, enabled, free, freed, *sides)
            steps = known.get(key)
            if steps is None:
                steps = known[key] = (
                    _steps(ready, enabled, orders[writer], orders[reader]),
                    _steps(free, freed, orders[reader], orders[writer]),
                )
            credits = 0 if channel.slots is None else channel.slots.value.data
            return Edge(f"@{object} for @{reader}", writer, reader, *steps, credits)

        return Flow({name: process(name) for name in orders}, tuple(map(edge, self.channels)))


def _steps(steps: isl.Map, initial: isl.Set | None, signals: Order, driven: Order) -> Steps:
    """A step function as counts of signals and of what they let happen."""
    table = tabulate(steps, tuple(signals.points.T))
    count = len(signals.points)
    defined = np.flatnonzero(np.broadcast_to(table.defined, count))
    reached = driven.reached(_stack(table.coordinates, count)[defined])
    start = 0
    if initial is not None:
        start = int(driven.reached(Order.of(initial).points)[-1])
    return Steps(defined + 1, reached, start)


def _stack(coordinates: Sequence[Ints], count: int) -> Ints:
    """Coordinate arrays as points, `[count, rank]`."""
    if not coordinates:
        return np.zeros((count, 0), np.int64)
    return np.stack([np.broadcast_to(c, count) for c in coordinates], axis=1)


def check_live(model: Model) -> None:
    """Deadlock if the pipeline would not get through a stream with the slots that it has."""
    images = 2 + max(
        (edge.credits // model.flow.processes[edge.writer].iterations for edge in model.flow.edges),
        default=0,
    )
    times = solve(model.flow, images)
    if not times.complete:
        raise deadlock(model.flow, images, times.begun)
