"""What sizing looks at: who reads from whom in a pipeline, as counts of iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

import islpy as isl

from cmc.dialects.cmpipe import ChannelOp, PipelineOp, written_by
from cmc.flow import Flow, Process
from cmc.poly.counting import Iterations
from cmc.poly.relations import nameless
from cmc.sizing.counts import Counts, Link
from cmc.sizing.staircase import Staircase, staircase


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
    def counts(self) -> Counts:
        """The pipeline as counts of iterations; its links are the channels, in order."""
        found = {domain: Iterations(domain) for domain in set(self.iterations.values())}
        iterations = {name: found[domain] for name, domain in self.iterations.items()}
        timing = {s.sym_name.data: s for s in self.pipeline.stages()}

        def process(name: str) -> Process:
            own, stage = iterations[name], timing.get(name)

            def title(number: int) -> str:
                return f"@{name}[{', '.join(map(str, own.coordinates(number)))}]"

            latency = 1 if stage is None or stage.latency is None else stage.latency.value.data
            interval = 1 if stage is None or stage.interval is None else stage.interval.value.data
            return Process(name, own.count, latency, interval, title)

        known: dict[tuple[object, ...], tuple[Staircase, Staircase]] = {}

        def link(channel: ChannelOp) -> Link:
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
                    staircase(ready, enabled, iterations[writer], iterations[reader]),
                    staircase(free, freed, iterations[reader], iterations[writer]),
                )
            return Link(f"@{object} for @{reader}", writer, reader, *steps)

        processes = {name: process(name) for name in iterations}
        return Counts(processes, tuple(map(link, self.channels)))

    @property
    def slots(self) -> list[int]:
        """The slots of each channel, 0 if it has none yet."""
        return [0 if c.slots is None else c.slots.value.data for c in self.channels]

    @property
    def flow(self) -> Flow:
        """The counts step by step; each edge has its channel's slots as credits."""
        edges = zip(self.counts.links, self.slots, strict=True)
        edges = tuple(link.edge(slots) for link, slots in edges)
        return Flow(self.counts.processes, edges)
