# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-tile-crossbars`: cut every matrix to the rows and columns of the target's crossbars.

Pieces of the rows are added up: by the stages of a chain, each of which reads the partial sum of
the one before, or by several products in one body, where a core has several crossbars. Pieces of
the columns are joined in one body, or written by stages of their own, as blocks of one object that
has an index more. What lies on the diagonal of a matrix, as the groups of a convolution do, is
packed into crossbars side by side.

All that changes is what stages read, compute and write: control is derived afterwards.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import islpy as isl
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, SymbolRefAttr
from xdsl.ir import Block, Region, SSAValue
from xdsl.passes import ModulePass

from cmc.dialects.cmpipe import (
    CoreOp,
    CrossbarOp,
    MxvOp,
    ObjectOp,
    PipelineOp,
    ReadOp,
    StageOp,
    find_crossbar,
    find_object,
    object_type,
    stages_before,
    target_of,
    vector_shape,
)
from cmc.dialects.poly import MapAttr
from cmc.errors import CmcError
from cmc.passes.on_target import put_target
from cmc.poly.relations import box
from cmc.precedence import circles
from cmc.targets import IDEAL, Target
from cmc.tiling.blocks import Blocks, indexed, read_blocks, through
from cmc.tiling.bodies import Builder
from cmc.tiling.choice import Task, choose, described, load, where
from cmc.tiling.cuts import Box
from cmc.tiling.select import Body, Names, NoPart


@dataclass
class _Tiling:
    """One pipeline, whose stages are taken apart in the order in which data go through them."""

    pipeline: PipelineOp
    target: Target
    report: bool
    blocked: dict[str, Blocks] = field(default_factory=dict[str, Blocks])

    def __post_init__(self) -> None:
        self.names = Names(self.pipeline)
        self.writers = Counter(writer.written for writer in self.pipeline.writers())
        self.cores = {
            name.root_reference.data: core for core in self.pipeline.cores() for name in core.stages
        }
        self.most_load = max(
            (load(stage, self.target) for stage in self.pipeline.stages()), default=0
        )

    def run(self) -> None:
        stages = {stage.sym_name.data: stage for stage in self.pipeline.stages()}
        before = stages_before(self.pipeline)
        around = {name for circle in circles(before) for name in circle}
        for name in before:
            self._read_all(stages[name])
            self._fit(stages[name])
            # What lies on a circle is read by stages that were looked at before, or by itself.
            for stage in self.pipeline.stages() if name in around else ():
                self._read_all(stage)
        for port in self.pipeline.outputs():
            blocks = self.blocked.get(port.object.root_reference.data)
            if blocks is not None:
                points = box(port.tensor.get_shape())
                port.layout = MapAttr(through(port.layout.data, blocks, points))

    # What fits, and what is to be cut.

    def _fit(self, stage: StageOp) -> None:
        """Cut what a stage has of matrices, if they do not fit the crossbars of one core."""
        products = [op for op in stage.body.ops if isinstance(op, MxvOp)]
        matrices = {m.crossbar.root_reference.data: m for m in products}
        fit = all(self._fits(find_crossbar(m, m.crossbar)) for m in products)
        if fit and len(matrices) <= self.target.crossbars:
            return
        if len(products) > 1:
            # Each product but the last is computed by stages of its own.
            product, rest = self._split(stage, products[0])
            self._fit(product)
            self._read_all(rest)
            self._fit(rest)
            return
        self._cut(stage, products[0])

    def _fits(self, crossbar: CrossbarOp) -> bool:
        rows, columns = crossbar.size
        return rows <= (self.target.rows or rows) and columns <= (self.target.columns or columns)

    def _read_all(self, stage: StageOp) -> None:
        """Let a stage find the blocks of what it reads."""
        for read in list(stage.reads()):
            blocks = self.blocked.get(read.object.root_reference.data)
            if blocks is not None:
                read_blocks(stage, read, blocks)

    def _cut(self, stage: StageOp, mxv: MxvOp) -> None:
        task = choose(stage, mxv, self.target, self.most_load, self.blocked)
        last = task.plan.groups[-1]
        try:
            if task.plan.blocks(last) > 1 and self.writers[stage.written] > 1:
                raise NoPart("other stages write whole vectors of that object")
            stages, objects = self._stages(task)
        except NoPart:
            # Of a product by itself all columns can be cut.
            product, rest = self._split(stage, mxv)
            self._cut(product, next(op for op in product.body.ops if isinstance(op, MxvOp)))
            self._read_all(rest)
            return
        if self.report:
            print(described(task), file=sys.stderr)
        self._replace(stage, stages, objects)

    # New stages.

    def _split(self, stage: StageOp, mxv: MxvOp) -> tuple[StageOp, StageOp]:
        """Compute one product by a stage of its own; the other reads it, and does all the rest."""
        name = stage.sym_name.data
        shape, index = self._index(stage)
        object = self.names.make(f"{name}_product")
        floats = prod(vector_shape(mxv.product.type))
        product = Body(stage, self.names)
        product.add_write(product.whole(mxv.product), object, index)
        rest = Body(stage, self.names)

        def read(part: Box) -> SSAValue:
            if part != Box.whole(vector_shape(mxv.product.type)):
                raise NoPart("it is read as a whole")
            window = [f"w{d}" for d in range(len(part.extents))]
            flat = "0"
            for axis, extent in zip(window, part.extents, strict=True):
                flat = f"{extent}*({flat}) + {axis}"
            access = indexed(index, stage, window, [flat])
            return rest.add(ReadOp(object, MapAttr(access), part.extents))

        rest.replacing({mxv.product: read})
        write = next(stage.writes())
        rest.add_write(rest.whole(write.vector), stage.written, write.access.data)
        stages = [
            self._stage(product, self.names.make(f"{name}_mxv")),
            self._stage(rest, name),
        ]
        self._replace(stage, stages, [ObjectOp(object, object_type(shape, floats))])
        return stages[0], stages[1]

    def _stages(self, task: Task) -> tuple[list[StageOp], list[ObjectOp]]:
        """The stages that take the place of one, and the objects of their partial sums."""
        stage, name = task.stage, task.stage.sym_name.data
        shape, index = self._index(stage) if len(task.plan.groups) > 1 else ((), None)
        stages: list[StageOp] = []
        objects: list[ObjectOp] = []
        before: tuple[str, Blocks] | None = None
        for number, group in enumerate(task.plan.groups):
            is_last = group is task.plan.groups[-1]
            blocks = task.blocks(group)
            suffix = "" if is_last else f"_rows{number}"
            object = stage.written if is_last else self.names.make(f"{name}_sum{number}")
            for block in range(blocks.count):
                builder = Builder(self.names, task, group, block, before, index)
                own = f"{suffix}_block{block}" if blocks.count > 1 else suffix
                body = builder.last() if is_last else builder.partial(object)
                stages.append(self._stage(body, self.names.make(f"{name}{own}") if own else name))
            if is_last and blocks.count > 1:
                self.blocked[object] = blocks
                written = find_object(stage, next(stage.writes()).object)
                written.type = object_type((*written.shape, blocks.count), blocks.width)
            elif not is_last:
                extents = (*shape, blocks.count) if blocks.count > 1 else shape
                objects.append(ObjectOp(object, object_type(extents, blocks.width)))
            before = object, blocks
        return stages, objects

    def _index(self, stage: StageOp) -> tuple[tuple[int, ...], isl.Map]:
        """A place for each iteration in an object of its own: the shape, and the access."""
        domain = stage.domain.data
        dims = range(domain.dim(isl.dim_type.set))
        lows = [domain.dim_min_val(d).to_python() for d in dims]
        extents = [domain.dim_max_val(d).to_python() - lows[d] + 1 for d in dims]
        names = [domain.get_dim_name(isl.dim_type.set, d) or f"i{d}" for d in dims]
        places = [f"{name} - {low}" if low else name for name, low in zip(names, lows, strict=True)]
        access = isl.Map(f"{{ [{', '.join(names)}] -> [{', '.join(places)}] }}")
        if domain.apply(access).is_equal(box(extents)):
            return tuple(extents), access
        write = next(stage.writes())
        if self.writers[stage.written] > 1:
            raise CmcError(
                "its iterations are no box, and other stages write its object as well: its matrix "
                "cannot be cut",
                where(stage),
            )
        return find_object(stage, write.object).shape, write.access.data

    def _stage(self, body: Body, name: str) -> StageOp:
        """A stage like the old one, but for its name and body."""
        old = body.old
        region = Region(Block([*body.held, *body.ops]))
        new = StageOp(name, old.domain, region)
        new.properties |= {k: v for k, v in old.properties.items() if k != "sym_name"}
        new.location = old.location
        return new

    def _replace(
        self, old: StageOp, stages: Sequence[StageOp], objects: Sequence[ObjectOp]
    ) -> None:
        """Put stages in the place of one: the last on its core, the others each on a new one."""
        block = old.parent
        assert block is not None
        name = old.sym_name.data
        written = find_object(old, next(old.writes()).object)
        block.insert_ops_before(objects, written)
        block.insert_ops_before(stages, old)
        old.detach()
        old.erase()
        for stage in stages:
            self.writers[stage.written] += 1
        self.writers[written.sym_name.data] -= 1
        core = self.cores.pop(name, None)
        if core is None:
            return
        last = stages[-1].sym_name.data
        runs = [
            last if ref.root_reference.data == name else ref.root_reference.data
            for ref in core.stages
        ]
        core.stages = ArrayAttr([SymbolRefAttr(run) for run in runs])
        self.cores[last] = core
        for stage in stages[:-1]:
            own = stage.sym_name.data
            new = CoreOp(self.names.make(core.sym_name.data), [own])
            new.location = core.location
            block.insert_op_before(new, core)
            self.cores[own] = new


def what_cuts(target: Target) -> Target:
    """A target that has no more than what matrices are cut by: two that have the same cut alike."""
    issued = target.product_interval if target.issue_interval else IDEAL.mxv_interval
    return Target(
        rows=target.rows,
        columns=target.columns,
        crossbars=target.crossbars,
        activation_bits=target.activation_bits,
        issue_interval=target.product_issue,
        mxv_interval=issued,
    )


def tile(pipeline: PipelineOp, target: Target, report: bool = False) -> None:
    """Cut the matrices of a pipeline to the crossbars of a target.

    CmcError if one cannot be cut, or if the pipeline has channels, which would no longer hold.
    """
    if target.rows is None and target.columns is None:
        return
    if any(True for _ in pipeline.channels()):
        raise CmcError(
            "the pipeline has channels, which hold for the stages that it has: cut matrices before "
            "cmpipe-derive-control",
            "pass 'cmpipe-tile-crossbars'",
        )
    _Tiling(pipeline, what_cuts(target), report).run()


@dataclass(frozen=True)
class CmpipeTileCrossbarsPass(ModulePass):
    """Cut every matrix to the rows and columns of the target's crossbars.

    `target` is what the pipelines are for, if they do not say so themselves or say otherwise.
    `report` prints how each was cut, and what that costs.
    """

    name = "cmpipe-tile-crossbars"

    target: str | None = None
    report: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        put_target(op, self.target)
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            tile(pipeline, target_of(pipeline), self.report)
