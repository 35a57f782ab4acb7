# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-replicate-pipeline`: several pipelines of a network, which take turns with images.

All that a pipeline consists of is there so many times, under names of its own: objects, ports,
stages, cores, channels. Of K pipelines, number k computes images k, k + K, ... of a stream. They
have nothing in common; so control, and the sizes of rings that do, are the same for each. Matrices
are the same attributes, which stand once in a weights file. Stages say of which they are copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import islpy as isl
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass
from xdsl.utils.symbol_table import get_name_if_symbol

from cmc.dialects.cmpipe import CoreOp, InputOp, OutputOp, PipelineOp, StageOp
from cmc.dialects.poly import MapAttr, SetAttr
from cmc.errors import CmcError
from cmc.passes.cmpipe_place_cores import place_cores
from cmc.streams import Turn
from cmc.tiling.select import Names


def replicate(pipeline: PipelineOp, copies: int) -> None:
    """Let so many copies of a pipeline take turns with images; itself it is the first.

    If it consists of several that take turns, so do all of their copies.
    """
    ops, names = list(pipeline.body.ops), Names(pipeline)
    for number in range(1, copies):
        symbols = [name for op in ops if (name := get_name_if_symbol(op)) is not None]
        renamed = {name: names.make(f"{name}_turn{number}") for name in symbols}
        for op in ops:
            copy = op.clone()
            _rename(copy, renamed)
            match copy:
                case InputOp() | OutputOp():
                    copy.turn = _turn(copy.turn, number, copies)
                case StageOp():
                    assert isinstance(op, StageOp)
                    copy.copy_of = StringAttr(op.origin)
                case CoreOp():
                    # Its place is another one, and somebody else's decision.
                    copy.place = None
                case _:
                    pass
            pipeline.body.block.add_op(copy)
    for op in ops if copies > 1 else ():
        if isinstance(op, InputOp | OutputOp):
            op.turn = _turn(op.turn, 0, copies)


def _turn(turn: Turn, number: int, copies: int) -> Turn:
    """The turn of a copy of what had a turn."""
    return Turn(turn.image(number), turn.of * copies)


def _rename(op: Operation, names: Mapping[str, str]) -> None:
    """Call what has one of these names otherwise, in an operation and all that it holds."""
    for inner in op.walk():
        for properties in (inner.properties, inner.attributes):
            for key, attribute in properties.items():
                properties[key] = _renamed(attribute, names)
    if (name := get_name_if_symbol(op)) is not None:
        op.properties["sym_name"] = StringAttr(names[name])


def _renamed(attribute: Attribute, names: Mapping[str, str]) -> Attribute:
    match attribute:
        case SymbolRefAttr():
            name = attribute.root_reference.data
            return SymbolRefAttr(names[name]) if name in names else attribute
        case ArrayAttr():
            return ArrayAttr([_renamed(one, names) for one in attribute])
        case SetAttr():
            return SetAttr(_renamed_tuple(attribute.data, names))
        case MapAttr():
            return MapAttr(_renamed_tuples(attribute.data, names))
        case _:
            return attribute


def _renamed_tuple(points: isl.Set, names: Mapping[str, str]) -> isl.Set:
    name = points.get_tuple_name() if points.has_tuple_name() else None
    return points if name is None else points.set_tuple_name(names.get(name, name))


def _renamed_tuples(relation: isl.Map, names: Mapping[str, str]) -> isl.Map:
    for side in (isl.dim_type.in_, isl.dim_type.out):
        if relation.has_tuple_name(side):
            name = relation.get_tuple_name(side)
            assert name is not None
            relation = relation.set_tuple_name(side, names.get(name, name))
    return relation


@dataclass(frozen=True)
class CmpipeReplicatePipelinePass(ModulePass):
    """Let several pipelines of a network take turns with images.

    There are as many then as each pipeline says that there are to be copies of it, as those that
    were balanced do, or as `copies`. Where cores had places, all of them get new ones.
    """

    name = "cmpipe-replicate-pipeline"

    copies: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.copies is not None and self.copies < 1:
            raise CmcError(
                f"there is at least 1 pipeline of a network, not {self.copies}",
                f"pass '{self.name}'",
            )
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            copies = pipeline.copies if self.copies is None else self.copies
            pipeline.copies = 1
            replicate(pipeline, copies)
            if copies > 1 and any(core.place is not None for core in pipeline.cores()):
                place_cores(pipeline)
