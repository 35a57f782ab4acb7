# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The bodies of the stages that a matrix is cut onto."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import islpy as isl
import numpy as np
from xdsl.dialects import arith
from xdsl.ir import SSAValue

from cmc.dialects.cmpipe import JoinOp, MxvOp, ReadOp, vector_shape
from cmc.dialects.poly import MapAttr
from cmc.errors import CmcError
from cmc.files.weights import Float32Array
from cmc.poly.evaluate import Ints
from cmc.tiling.blocks import Blocks, indexed
from cmc.tiling.choice import Task, where
from cmc.tiling.cuts import Box
from cmc.tiling.plan import Group
from cmc.tiling.select import Body, Names, NoPart, named_as


@dataclass
class Builder:
    """The body of one stage: the columns of one block, of the rows of one group.

    The stages before it wrote their sums to the object `before`, if any; `index` says where in
    such an object the sum of an iteration is.
    """

    names: Names
    task: Task
    group: Group
    block: int
    before: tuple[str, Blocks] | None
    index: isl.Map | None
    known: dict[tuple[int, int], list[list[Box]]] = field(
        default_factory=dict[tuple[int, int], list[list[Box]]]
    )

    def __post_init__(self) -> None:
        self.body = Body(self.task.stage, self.names)
        self.blocks = self.task.blocks(self.group)
        self.first = self.block * self.blocks.width

    def partial(self, object: str) -> Body:
        """Write the sum to an object of partial sums."""
        assert self.index is not None
        self.body.add_write(self._sum(), object, self._with_block(self.index))
        return self.body

    def last(self) -> Body:
        """Do with the sum whatever the stage did with its product."""
        task, body = self.task, self.body
        write = next(task.stage.writes())
        access = self._with_block(write.access.data)
        if write.vector is task.mxv.product:
            value = self._sum()
        else:
            shape = vector_shape(task.mxv.product.type)
            if len(shape) != 1:
                raise NoPart("the product has more than one axis")
            wanted = Box((self.first,), (self.blocks.width,))

            def product(part: Box) -> SSAValue:
                if part != wanted:
                    raise NoPart("other columns are needed")
                return self._sum()

            body.replacing({task.mxv.product: product})
            if self.blocks.count == 1:
                value = body.whole(write.vector)
            elif vector_shape(write.vector.type) != shape:
                raise NoPart("what is written has another shape than the product")
            else:
                value = body.part(write.vector, wanted)
        body.add_write(value, task.stage.written, access)
        return body

    def _with_block(self, access: isl.Map) -> isl.Map:
        """The access to this block of an object."""
        if self.blocks.count == 1:
            return access
        at = access.dim(isl.dim_type.out)
        new = access.insert_dims(isl.dim_type.out, at, 1)
        return named_as(new.fix_val(isl.dim_type.out, at, self.block), access)

    def _sum(self) -> SSAValue:
        """The sum of this group's products and of what the stages before it have added up."""
        terms = [self._read_before()] if self.before is not None else []
        for layer in range(len(self.group.layers)):
            if (product := self._layer(layer)) is not None:
                terms.append(product)
        if not terms:
            return self.body.zeros((self.blocks.width,))
        total, *others = terms
        for term in others:
            total = self.body.add(arith.AddfOp(total, term))
        return total

    def _read_before(self) -> SSAValue:
        assert self.before is not None and self.index is not None
        object, blocks = self.before
        last = min(self.first + self.blocks.width, blocks.length)
        beyond = f" : c < {last - self.first}" if last - self.first < self.blocks.width else ""
        if blocks.count == 1:
            places = [f"c + {self.first}" if self.first else "c"]
        elif self.first // blocks.width == (last - 1) // blocks.width:
            block, shift = divmod(self.first, blocks.width)
            places = [str(block), f"c + {shift}" if shift else "c"]
        else:
            places = [*blocks.place(self.first)]
        access = indexed(self.index, self.task.stage, ["c"], places, beyond)
        return self.body.add(ReadOp(object, MapAttr(access), (self.blocks.width,)))

    def _layer(self, number: int) -> SSAValue | None:
        """The product of one piece of the rows, or None if it is 0 whatever the input is."""
        task, layer = self.task, self.group.layers[number]
        start = self.block * self.group.units
        stop = min(start + self.group.units, task.units.count)
        parts: list[SSAValue | int] = []
        done = 0
        for first in range(start, stop, layer.together):
            chosen = range(first, min(first + layer.together, stop))
            crossbar = self._crossbar(number, [layer.rows[unit] for unit in chosen], chosen)
            end = min((chosen.stop - start) * task.units.width, task.matrix.columns - self.first)
            parts.append(end - done if crossbar is None else crossbar)
            done = end
        if all(isinstance(part, int) for part in parts):
            return None
        if done < self.blocks.width:
            parts.append(self.blocks.width - done)
        values = [self.body.zeros((part,)) if isinstance(part, int) else part for part in parts]
        return values[0] if len(values) == 1 else self.body.add(JoinOp(values))

    def _boxes(self, layer: int, rows: Ints, chosen: range) -> list[list[Box]]:
        """Where rows lie, found once for units that meet the same ones."""
        key = layer, chosen.start // self.task.units.alike
        if key not in self.known:
            self.known[key] = self.task.rows.boxes(rows, self.task.cut.order)
        return self.known[key]

    def _crossbar(self, layer: int, pieces: Sequence[Ints], chosen: range) -> SSAValue | None:
        """The product of some units, side by side in one crossbar; None if they are all 0."""
        task, width = self.task, self.task.units.width
        rows = np.concatenate(pieces)
        boxes = self._boxes(layer, rows, chosen)
        order: list[Ints] = []
        offset = 0
        for shape, found in zip(task.rows.shapes, boxes, strict=True):
            order += [offset + box.numbers(shape) for box in found]
            offset += prod(shape)
        ordered = np.concatenate(order)
        matrix = self._side_by_side(ordered, pieces, chosen)
        if not matrix.any():
            return None
        name = self.body.hold(matrix, task.weights.name)
        try:
            vectors = [
                self.body.part(vector, box)
                for vector, found in zip(task.mxv.vectors, boxes, strict=True)
                for box in found
            ]
        except NoPart as error:
            raise CmcError(
                f"its matrix of {task.matrix.rows}x{task.matrix.columns} does not fit a crossbar "
                f"of {task.crossbar}, and what goes into it cannot be cut: {error}",
                where(task.stage),
            ) from error
        columns = min(len(chosen) * width, task.matrix.columns - chosen.start * width)
        return self.body.add(MxvOp(name, vectors, columns, task.mxv))

    def _side_by_side(self, ordered: Ints, pieces: Sequence[Ints], chosen: range) -> Float32Array:
        """The matrix of a crossbar: units on its diagonal, their rows in the given order."""
        matrix, width = self.task.matrix, self.task.units.width
        if len(pieces) == 1:
            first = chosen.start * width
            return matrix.part(ordered, first, min(width, matrix.columns - first))
        unit_of = np.zeros(matrix.rows, np.int64)
        for number, piece in enumerate(pieces):
            unit_of[piece] = number
        owner = unit_of[ordered]
        parts = [
            matrix.part(ordered[owner == number], unit * width, width)
            for number, unit in enumerate(chosen)
        ]
        if np.all(np.diff(owner) >= 0):
            return np.stack(parts)
        whole = np.zeros((len(ordered), len(pieces) * width), np.float32)
        for number, part in enumerate(parts):
            whole[owner == number, number * width : (number + 1) * width] = part
        return whole
