# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Single changes to what control is about: ports, names, addresses, widths and bodies of a chip."""

from __future__ import annotations

from collections.abc import Iterator

import islpy as isl
from xdsl.dialects import math
from xdsl.dialects.builtin import (
    AffineMapAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import Attribute, Operation
from xdsl.ir.affine import AffineExpr, AffineMap

from cmc.dialects.cmctrl import PointOp
from cmc.dialects.cmpipe import InputOp, OutputOp, ReadOp, StageOp, WriteOp
from cmc.dialects.poly import MapAttr
from mutants import Change, Mutation, set_property

_FAR = 1 << 62
_HUGE = (-1, 0, 1, 1 << 31, 10**12, (1 << 63) - 1)


def damages(module: ModuleOp) -> Iterator[Mutation]:
    """All of them; most are refused by the verifier."""
    names = list(dict.fromkeys(_names(module)))
    for place, op in enumerate(module.walk()):
        for what, change in _changes(op, names):
            yield Mutation(place, f"{op.name}: {what}", change)


def _names(module: ModuleOp) -> Iterator[str]:
    for op in module.walk():
        if isinstance(name := op.properties.get("sym_name"), StringAttr):
            yield name.data


def _changes(op: Operation, names: list[str]) -> Iterator[tuple[str, Change]]:
    for key, value in op.properties.items():
        for new in _others(op, key, value, names):
            yield f"{key} {value} becomes {new}", set_property(key, new)
    if isinstance(op.parent_op(), StageOp) and op.results and op.operands:
        yield "after what uses it", _to_the_end
        yield "an operation that no core has", _unknown


def _others(op: Operation, key: str, value: Attribute, names: list[str]) -> Iterator[Attribute]:
    match value:
        case SymbolRefAttr():
            for name in names:
                if name != value.root_reference.data:
                    yield SymbolRefAttr(name)
        case StringAttr() if key == "sym_name":
            for name in names:
                if name != value.data:
                    yield StringAttr(name)
        case IntegerAttr() if key in ("address", "slots", "count"):
            near = value.value.data
            for new in (*_HUGE, near + 1, near + 2, near * 2):
                if new != near:
                    yield IntegerAttr(new, i64)
        case MapAttr() if isinstance(op, InputOp | OutputOp | ReadOp | WriteOp):
            yield from _accesses(value.data)
        case AffineMapAttr() if isinstance(op, PointOp):
            yield from _wide(value.data)
        case _:
            pass


def _accesses(map: isl.Map) -> Iterator[Attribute]:
    """Shifted, flattened, halved and named."""
    out = map.dim(isl.dim_type.out)
    dims = [f"o{d}" for d in range(out)]
    for d in range(out):
        for new in (f"o{d} + 1", f"o{d} - 1", "0", f"floor(o{d} / 2)", f"2 o{d}"):
            moved = [*dims[:d], new, *dims[d + 1 :]]
            change = isl.Map(f"{{ [{', '.join(dims)}] -> [{', '.join(moved)}] }}")
            yield MapAttr(map.apply_range(change))
        yield MapAttr(map.intersect_range(isl.Set(f"{{ [{', '.join(dims)}] : o{d} > 0 }}")))
    yield MapAttr(map.set_tuple_name(isl.dim_type.out, "t"))
    yield MapAttr(map.set_tuple_name(isl.dim_type.in_, "t"))


def _wide(map: AffineMap) -> Iterator[Attribute]:
    """The same over the integers, by way of numbers that are too large."""
    for d, expr in enumerate(map.results):
        for factor in (1 << 33, _FAR):
            large = (expr + 1) * AffineExpr.constant(factor)
            results = [*map.results]
            results[d] = (large // factor) - 1
            yield AffineMapAttr(AffineMap(map.num_dims, map.num_symbols, tuple(results)))


def _to_the_end(op: Operation) -> None:
    block = op.parent
    assert block is not None
    op.detach()
    block.add_op(op)


def _unknown(op: Operation) -> None:
    block = op.parent
    assert block is not None
    other = math.AtanOp(op.results[0])
    block.insert_op_after(other, op)
    op.results[0].replace_uses_with_if(other.result, lambda use: use.operation is not other)
