# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What sizing looks at: who reads from whom in a pipeline, as counts of iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import islpy as isl

from cmc.dialects.cmpipe import ChannelOp, PipelineOp, fed_back, find_object, target_of
from cmc.fitting.ways import Ways
from cmc.poly.counting import Iterations
from cmc.poly.relations import nameless
from cmc.precedence import in_order
from cmc.sizing.staircase import staircase
from cmc.timing.flow import Edge, Flow, Process, Steps
from cmc.timing.runs import Runs


@dataclass(frozen=True, eq=False)
class CountedPipeline:
    """A pipeline with its channels, as counts of iterations and of the elements that are carried.

    A process is a stage, or the GCU's stream of an input.
    """

    pipeline: PipelineOp

    @cached_property
    def channels(self) -> Sequence[ChannelOp]:
        return tuple(self.pipeline.channels())

    @cached_property
    def _writes(self) -> Mapping[str, isl.Map]:
        return {writer.sym_name.data: writer.places for writer in self.pipeline.writers()}

    @cached_property
    def iterations(self) -> Mapping[str, isl.Set]:
        """The iterations of each process, which stand after those that they read from."""
        domains = {name: nameless(w).domain() for name, w in self._writes.items()}
        reads: dict[str, set[str]] = {name: set() for name in domains}
        for op in self.channels:
            reads[op.channel.reader].add(op.channel.writer)
        return {name: domains[name] for name in in_order(reads)}

    def _in_time(self, channel: ChannelOp, relation: isl.Map, elements: isl.dim_type) -> isl.Map:
        """A channel's relation with elements replaced by the iterations that write them."""
        written = nameless(self._writes[channel.channel.writer]).reverse()
        if elements == isl.dim_type.in_:
            return nameless(relation).apply_domain(written)
        return nameless(relation).apply_range(written)

    def _sent(self, channel: ChannelOp) -> isl.Set:
        """The iterations of a channel's writer that send what they write."""
        assert channel.carries is not None
        return channel.carries.data.apply(nameless(self._writes[channel.channel.writer]).reverse())

    @cached_property
    def flow(self) -> Flow:
        """The pipeline as counts of iterations; its edges are the channels, in order."""
        found = {domain: Iterations(domain) for domain in set(self.iterations.values())}
        iterations = {name: found[domain] for name, domain in self.iterations.items()}
        writers = {w.sym_name.data: w for w in self.pipeline.writers()}
        places, turns, ways = self._places(), self.pipeline.turns, Ways.of(self.pipeline)
        vectors = {op.sym_name.data: op.vector for op in self.pipeline.objects()}

        def process(name: str) -> Process:
            own, writer = iterations[name], writers[name]

            def title(number: int) -> str:
                return f"@{name}[{', '.join(map(str, own.coordinates(number)))}]"

            time, units = writer.cycles, writer.occupied
            return Process(name, own.count, *time, title, *places[name], units, turns[name])

        known: dict[tuple[object, ...], tuple[Steps, Steps, Runs | None]] = {}

        def edge(channel: ChannelOp) -> Edge:
            object, writer, reader = channel.channel
            ready = self._in_time(channel, channel.ready.data, isl.dim_type.in_)
            free = self._in_time(channel, channel.free.data, isl.dim_type.out)
            enabled, freed = (
                None if start is None else start.data.reset_tuple_id()
                for start in (channel.ready_from, channel.free_from)
            )
            if freed is not None:
                freed = freed.apply(nameless(self._writes[writer]).reverse())
            sent = None if channel.carries is None else self._sent(channel)
            sides = (self.iterations[writer], self.iterations[reader])
            key = (ready, enabled, free, freed, sent, *sides)
            if key not in known:
                sends, elements = None, iterations[writer]
                if sent is not None:
                    sends, elements = elements.numbers(sent), Iterations(sent)
                known[key] = (
                    staircase(ready, enabled, elements, iterations[reader]),
                    staircase(free, freed, iterations[reader], elements),
                    sends,
                )
            steps, freeing, sends = known[key]
            (source, _), (to, _) = places[writer], places[reader]
            way = ways.between(source or None, to, vectors[object])
            return Edge(str(channel.channel), writer, reader, steps, freeing, way=way, sends=sends)

        edges = map(edge, self.channels)
        pipeline = self.pipeline
        fed = fed_back(pipeline.inputs(), pipeline.outputs(), pipeline.writers())
        return Flow.of(map(process, iterations), edges, ways.multicast, ways.title, fed)

    def _places(self) -> dict[str, tuple[str, int]]:
        """The side of each process, and its place there; unless it is listed, its own."""
        places = {stage.sym_name.data: (stage.sym_name.data, 0) for stage in self.pipeline.stages()}
        for core in self.pipeline.cores():
            for place, stage in enumerate(core.runs()):
                places[stage.sym_name.data] = core.sym_name.data, place
        for place, stream in enumerate(self.pipeline.inputs()):
            places[stream.sym_name.data] = "", place
        return places

    @property
    def slots(self) -> list[int]:
        """The slots of each channel, 0 if it has none yet."""
        return [0 if c.slots is None else c.slots.value.data for c in self.channels]

    def with_given(self, slots: Sequence[int]) -> list[int]:
        """The slots of each channel, or those in `slots` of one that has none yet."""
        return [given or count for given, count in zip(self.slots, slots, strict=True)]

    @property
    def vectors(self) -> list[int]:
        """The floats in a slot of each channel."""
        return [find_object(op, op.object).vector for op in self.channels]

    @property
    def slot_bytes(self) -> list[int]:
        """The bytes of a slot of each channel."""
        width = target_of(self.pipeline).element_bytes
        return [width * vector for vector in self.vectors]
