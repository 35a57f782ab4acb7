# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Find what figures show of a chip that was simulated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod

import numpy as np

from cmc.dialects.cmpipe import target_of
from cmc.poly.evaluate import Ints
from cmc.reports.details import Details, LinkDetails, Matrix, RingDetails
from cmc.simulator.load import Chip, Ring
from cmc.targets.topology import topology_of
from cmc.timing.flow import NEVER, Edge
from cmc.timing.load import link_loads
from cmc.timing.runs import Runs, held
from cmc.timing.times import Times
from cmc.timing.waiting import Waiting


def details_of(chip: Chip, waiting: Waiting) -> Details:
    """The details of a stream, of which it is known what waited."""
    links = topology_of(target_of(chip.op)).links
    loads = zip(chip.flow.carried, link_loads(chip.flow), strict=True)
    places = {core.sym_name.data: core.place for core in chip.op.cores()}
    stages = (stage for core in chip.op.cores() for stage in core.stages())
    origins = {stage.sym_name.data: stage.origin for stage in stages}
    return Details(
        waiting.last,
        tuple(
            _ring(chip, waiting.times, ring, edge)
            for ring, edge in zip(chip.rings, chip.flow.edges, strict=True)
        ),
        tuple(LinkDetails(links[number], load.bytes, load.cycles) for number, load in loads),
        tuple(_matrices(chip)),
        {name: place for name, place in places.items() if place is not None},
        {name: origins.get(name, name) for name in chip.programs},
    )


def _ring(chip: Chip, times: Times, ring: Ring, edge: Edge) -> RingDetails:
    channel, width = ring.channel, target_of(chip.op).element_bytes
    return RingDetails(
        channel.object,
        channel.writer,
        channel.reader,
        chip.programs[channel.reader].core or "",
        ring.place * width,
        ring.slots * ring.part.object.vector * width,
        ring.slots,
        partial(_taken, times, edge),
    )


def _taken(times: Times, edge: Edge, images: int) -> tuple[Ints, Ints]:
    writer, reader = (times.flow.processes[name] for name in (edge.writer, edge.reader))
    elements = edge.count(writer.iterations)
    sends = edge.in_stream(writer.iterations, images)
    begun = times.of_images(writer.name, images).take(sends).expanded()
    since, need, end = edge.free.across(elements, reader.iterations, images)
    known = times.of_images(reader.name, images) + (reader.latency + edge.way.back)
    came = Runs.joined([Runs.line(1, 0), known])
    count = int(need.below(np.array([came.length]))[0])
    freed = held(since.head(count), came.take(need.head(count)), images * elements, 0).expanded()
    # What these images read comes to no end of some steps: their slots stay taken.
    kept = min(end, int(since.at(np.array([count]))[0])) if count < since.length else end
    freed = np.where(np.arange(len(freed)) < kept, np.maximum(freed, begun), NEVER)
    return begun, freed


def _matrices(chip: Chip) -> Iterator[Matrix]:
    for core in chip.op.cores():
        for stage in core.stages():
            for crossbar in stage.crossbars():
                *blocks, rows, columns = crossbar.value.shape
                yield Matrix(stage.sym_name.data, core.sym_name.data, prod(blocks), rows, columns)
