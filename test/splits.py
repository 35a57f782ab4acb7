# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Objects of a pipeline get several writers: stages are split, and vectors cut into blocks."""

from __future__ import annotations

from random import Random

import islpy as isl
from xdsl.dialects.builtin import SymbolRefAttr
from xdsl.ir import Block, Region

from cmc.dialects.cmpipe import (
    CoreOp,
    ObjectOp,
    PipelineOp,
    ReadOp,
    StageOp,
    WriteOp,
    object_type,
)
from cmc.dialects.poly import MapAttr, SetAttr
from cmc.passes.cmpipe_reorder_stage import run_as
from cmc.poly.relations import box
from test_reorder import random_order, text


def split_at_random(random: Random, pipeline: PipelineOp) -> None:
    """Cut the vectors of some objects into blocks, and split some stages; all in many ways."""
    for object in list(pipeline.objects()):
        sizes = [n for n in range(2, object.vector + 1) if object.vector % n == 0]
        if sizes and random.random() < 0.3:
            _cut(random, pipeline, object, random.choice(sizes))
    for stage in list(pipeline.stages()):
        if stage.iteration_rank() and random.random() < 0.5:
            _split(random, pipeline, stage)


def _split(random: Random, pipeline: PipelineOp, stage: StageOp) -> None:
    """Several stages instead of one: interleaved, or a block of iterations each."""
    rank = stage.iteration_rank()
    axis, count = random.randrange(rank), random.randint(2, 3)
    interleaved, reordered = random.random() < 0.5, random.random() < 0.3
    extent = stage.domain.data.dim_max_val(axis).to_python() + 1
    loops = [f"i{d}" for d in range(rank)]
    name = stage.sym_name.data
    for number in range(count):
        new = list(loops)
        if interleaved:
            new[axis] = f"floor(i{axis}/{count})"
            which = f"i{axis} mod {count} = {number}"
        else:
            first, end = (extent * n // count for n in (number, number + 1))
            new[axis] = f"i{axis} - {first}"
            which = f"{first} <= i{axis} < {end}"
        order = isl.Map(f"{{ {text(loops)} -> {text(new)} : {which} }}")
        if stage.domain.data.intersect(order.domain()).is_empty():
            continue
        if reordered:
            order = order.apply_range(random_order(random, loops))
        part = stage.clone()
        run_as(part, order)
        _add(pipeline, part, f"{name}_{number}")
    for core in [c for c in pipeline.cores() if SymbolRefAttr(name) in c.stages]:
        core.detach()
        core.erase()
    stage.detach()
    stage.erase()


def _add(pipeline: PipelineOp, stage: StageOp, name: str) -> None:
    """A stage, on a core of its own."""
    stage.properties["sym_name"] = StageOp(name, stage.domain, Region(Block())).sym_name
    pipeline.body.block.add_ops([stage, CoreOp(f"core_of_{name}", [name])])


def _cut(random: Random, pipeline: PipelineOp, object: ObjectOp, blocks: int) -> None:
    """Each block of an object's vectors is written by a stage of its own, and read from there."""
    name, length = object.sym_name.data, object.vector // blocks
    cut = f"{name}_cut"
    dims = [f"e{d}" for d in range(len(object.shape))]
    moved = isl.Map(
        f"{{ {text([*dims, 'c'])} -> {text([*dims, f'floor(c/{length})', f'c mod {length}'])} }}"
    )
    read = SymbolRefAttr(name)
    users = [op for stage in pipeline.stages() for op in stage.reads() if op.object == read]
    users += [port for port in pipeline.outputs() if port.object == read and random.random() < 0.5]
    for op in users:
        op.properties["object"] = SymbolRefAttr(cut)
        place = "access" if isinstance(op, ReadOp) else "layout"
        access = op.properties[place]
        assert isinstance(access, MapAttr)
        op.properties[place] = MapAttr(access.data.apply_range(moved))
    pipeline.body.block.insert_op_after(
        ObjectOp(cut, object_type((*object.shape, blocks), length)), object
    )
    for block in range(blocks):
        access = f"{{ {text([*dims, 'c'])} -> {text([*dims, f'{block * length} + c'])} }}"
        window = ReadOp(name, MapAttr(isl.Map(access)), (length,))
        place = f"{{ {text(dims)} -> {text([*dims, str(block)])} }}"
        write = WriteOp(window.window, cut, MapAttr(isl.Map(place)))
        body = Region(Block([window, write]))
        stage = StageOp(f"{cut}_{block}", SetAttr(box(object.shape)), body)
        _add(pipeline, stage, f"{cut}_{block}")
