# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the cores of a chip do for an image: exact counts, from bodies and relations alone."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from math import prod

import islpy as isl

from cmc.dialects.cmpipe import (
    MxvOp,
    ReadOp,
    StageOp,
    computed_elements,
    find_crossbar,
    find_object,
    stored_floats,
    target_of,
)
from cmc.fitting.traffic import chip_crossing, sent
from cmc.poly.points import count_points
from cmc.poly.relations import box
from cmc.reports.energy import Counts
from cmc.simulator.load import Chip


def counts(chip: Chip) -> dict[str, Counts]:
    """By the names of cores, what each does for an image, or for one of each pipeline."""
    width = target_of(chip.op).element_bytes
    written = Counter[str]()
    for ring in chip.rings:
        core = chip.programs[ring.channel.reader].core
        written[core or ""] += ring.part.count * ring.part.object.vector * width
    crossed = chip_crossing(chip.op, sent(chip.op))
    found: dict[str, Counts] = {}
    for number, core in enumerate(chip.op.cores()):
        name = core.sym_name.data
        stages = [_of_stage(stage, chip, width) for stage in core.stages()]
        hops = None if crossed is None else crossed.sent.get(number, 0)
        moved = Counts({}, 0, 0, 0, written[name], hops)
        found[name] = Counts.total([moved, *stages])
    return found


def _of_stage(stage: StageOp, chip: Chip, width: int) -> Counts:
    """What a stage computes and reads."""
    program = chip.programs[stage.sym_name.data]
    driven = program.iterations * target_of(stage).tries
    iterations = program.order.box
    domain = stage.domain.data if iterations is None else iterations.set
    products, macs, digital, read = Counter[str](), 0, 0, 0
    for op in stage.computed():
        if isinstance(op, MxvOp):
            crossbar = find_crossbar(op, op.crossbar)
            products[f"@{program.name}/@{crossbar.sym_name.data}"] += driven
            macs += prod(crossbar.value.shape) * program.iterations
        if isinstance(op, ReadOp):
            object = find_object(op, op.object)
            extents = *object.shape, object.vector
            read += _read(op.access.data, domain.reset_tuple_id(), op.window_shape, extents)
        else:
            read += stored_floats(op) * program.iterations
        digital += computed_elements(op) * program.iterations
    return Counts(products, 2 * macs, digital, read * width, 0, 0)


@lru_cache(maxsize=1 << 12)
def _read(
    access: isl.Map, iterations: isl.Set, window: tuple[int, ...], extents: tuple[int, ...]
) -> int:
    """How many numbers of an object windows hold in all iterations: those that are no padding."""
    places = iterations.product(box(window)).flatten()
    return count_points(access.intersect_domain(places).intersect_range(box(extents)).domain())
