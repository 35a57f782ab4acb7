# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators that move elements."""

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.files.weights import Float32Array
from cmc.importer.integers import cast, one_hot
from cmc.importer.node import Node, Value, as_float32


def reshape(node: Node, value: Value, shape: Sequence[int]) -> Value:
    """`value` under another shape of as many elements."""
    before = nn.shape_of(value) if isinstance(value, SSAValue) else value.shape
    if prod(before) != prod(shape):
        raise node.malformed(f"a tensor of shape {list(before)} cannot take shape {list(shape)}")
    if isinstance(value, SSAValue):
        return node.emit(nn.ReshapeOp(value, shape))
    if value.size and not any(value.strides):
        # One value repeated, without memory: numpy's reshape would copy it out.
        return np.broadcast_to(value.flat[0], tuple(shape))
    return value.reshape(shape)


def import_reshape(node: Node) -> Value:
    before = node.shape(0)
    shape = node.known_ints(1, "the shape")
    if shape is None:
        raise node.error("the shape is missing")
    if not node.get_int("allowzero", 0):
        for axis, size in enumerate(shape):
            if size == 0:
                if axis >= len(before):
                    raise node.error(f"axis {axis} of the shape copies one that does not exist")
                shape[axis] = before[axis]
    if shape.count(-1) > 1 or any(size < -1 for size in shape):
        raise node.error(f"{shape} is not a shape")
    if -1 in shape:
        rest = prod(size for size in shape if size != -1)
        shape[shape.index(-1)] = prod(before) // rest if rest else 0
    return reshape(node, node.value(0), shape)


def import_flatten(node: Node) -> Value:
    shape = node.shape(0)
    axis = node.get_int("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise node.error(f"axis {axis} is not one of the {len(shape)} of the input")
    axis = axis + len(shape) if axis < 0 else axis
    return reshape(node, node.value(0), (prod(shape[:axis]), prod(shape[axis:])))


def import_squeeze(node: Node) -> Value:
    shape = node.shape(0)
    given = node.ints("axes", 1, 13)
    if given is None:
        axes = [axis for axis, size in enumerate(shape) if size == 1]
    else:
        axes = node.axes(given, len(shape))
    for axis in axes:
        if shape[axis] != 1:
            raise node.error(f"axis {axis} has size {shape[axis]}, not 1")
    return reshape(
        node, node.value(0), [size for axis, size in enumerate(shape) if axis not in axes]
    )


def import_unsqueeze(node: Node) -> Value:
    shape = list(node.shape(0))
    given = node.ints("axes", 1, 13)
    if given is None:
        raise node.error("the axes are missing")
    for axis in sorted(node.axes(given, len(shape) + len(given))):
        shape.insert(axis, 1)
    return reshape(node, node.value(0), shape)


def import_identity(node: Node) -> Value:
    return node.value(0)


def import_dropout(node: Node) -> Sequence[Value | None]:
    """The input, of which everything is kept."""
    training = node.known(2, "the training mode") if node.opset >= 12 else None
    node.reject(training is not None and bool(training.any()), "training")
    if node.opset < 10:
        node.reject_outputs_from(1, "an output of the mask")
    kept = np.broadcast_to(np.True_, node.shape(0))
    return [node.value(0), kept][: len(node.proto.output)]


def import_cast(node: Node) -> Value:
    return cast(node, node.tensor(0), node.kind(0), node.get_dtype("to"))


def import_cast_like(node: Node) -> Value:
    value, dtype = node.value(0), node.kind(1)
    if not isinstance(value, SSAValue):
        return value.astype(dtype)
    return cast(node, value, node.kind(0), dtype)


def import_transpose(node: Node) -> SSAValue:
    perm = node.get_ints("perm")
    if perm is None:
        perm = list(range(len(node.shape(0))))[::-1]
    if sorted(perm) != list(range(len(node.shape(0)))):
        raise node.malformed(f"perm {perm} does not name each axis of {list(node.shape(0))} once")
    return node.emit(nn.TransposeOp(node.tensor(0), perm))


def import_concat(node: Node) -> SSAValue:
    ranks = [len(node.shape(index)) for index in range(len(node))]
    if len(set(ranks)) > 1:
        raise node.error(f"the inputs have different numbers of axes: {ranks}")
    axis = node.axis(node.get_int("axis", 1), ranks[0])
    inputs = [node.tensor(index) for index in range(len(node))]
    # What has no elements along the axis adds nothing, and cannot be computed.
    full = [tensor for tensor in inputs if nn.shape_of(tensor)[axis : axis + 1] != (0,)]
    return node.emit(nn.ConcatOp(full or inputs, axis))


def import_slice(node: Node) -> SSAValue:
    shape = node.shape(0)
    starts, ends, given = (
        node.ints(name, index, 10) for index, name in enumerate(("starts", "ends", "axes"), 1)
    )
    given_steps = node.known_ints(4, "the steps")
    if starts is None or ends is None or len(starts) != len(ends):
        raise node.error("there must be as many starts as ends")
    axes = node.axes(range(len(starts)) if given is None else given, len(shape))
    steps = [1] * len(starts) if given_steps is None else given_steps
    if not len(axes) == len(steps) == len(starts) or 0 in steps:
        raise node.error(f"axes {axes} and steps {steps} do not fit {len(starts)} starts")
    ranges = [range(size) for size in shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # Python's slices clamp as ONNX's do.
        ranges[axis] = ranges[axis][start:end:step]
    return node.emit(_slice(node.tensor(0), ranges))


def _slice(tensor: SSAValue, ranges: Sequence[range]) -> nn.SliceOp:
    return nn.SliceOp(
        tensor,
        [chosen.start if chosen else 0 for chosen in ranges],
        [len(chosen) for chosen in ranges],
        [chosen.step for chosen in ranges],
    )


def import_split(node: Node) -> Sequence[SSAValue | None]:
    shape = node.shape(0)
    axis = node.axis(node.get_int("axis", 0), len(shape))
    parts = node.get_int("num_outputs", len(node.proto.output))
    if parts != len(node.proto.output):
        raise node.error(f"it makes {parts} parts, but has {len(node.proto.output)} outputs")
    sizes = node.ints("split", 1, 13)
    if sizes is None:
        size = -(-shape[axis] // parts)
        sizes = [max(0, min(size, shape[axis] - size * part)) for part in range(parts)]
    if len(sizes) != parts or sum(sizes) != shape[axis] or min(sizes) < 0:
        raise node.error(f"sizes {sizes} do not split axis {axis} of {list(shape)} in {parts}")
    results: list[SSAValue | None] = []
    start = 0
    for name, size in zip(node.proto.output, sizes, strict=True):
        ranges = [range(extent) for extent in shape]
        ranges[axis] = range(start, start + size)
        used = node.graph.is_used(name)
        results.append(node.emit(_slice(node.tensor(0), ranges)) if used else None)
        start += size
    return results


def import_gather(node: Node) -> SSAValue:
    table = node.constant(0)
    if table is not None:
        return _look_up(node, as_float32(table, node, node.proto.input[0]))
    tensor, shape = node.tensor(0), node.shape(0)
    axis = node.axis(node.get_int("axis", 0), len(shape))
    indices = node.known(1, "the indices")
    if indices is None or indices.dtype.kind not in "iu":
        raise node.error("the indices are not integers")
    chosen = [int(index) + shape[axis] * int(index < 0) for index in indices.reshape(-1)]
    for index in chosen:
        if not 0 <= index < shape[axis]:
            raise node.malformed(f"there is no element {index} of {shape[axis]} along axis {axis}")
    gathered = node.emit(nn.GatherOp(tensor, axis, chosen))
    if indices.ndim == 1:
        return gathered
    wanted = (*shape[:axis], *indices.shape, *shape[axis + 1 :])
    return node.emit(nn.ReshapeOp(gathered, wanted))


def _look_up(node: Node, table: Float32Array) -> SSAValue:
    """Rows of a known table: the product of a one at the row's number and the table."""
    axis = node.axis(node.get_int("axis", 0), table.ndim)
    node.reject(not np.isfinite(table).all(), "a table of infinite numbers")
    shape = node.shape(1)
    rows = np.moveaxis(table, axis, 0)
    count, rest = rows.shape[0], rows.shape[1:]
    indices = node.emit(nn.ReshapeOp(node.tensor(1), (*shape, 1)))
    hot = one_hot(node, indices, (*shape, count), len(shape))
    matrix = np.ascontiguousarray(rows.reshape(count, prod(rest)))
    if not shape:
        hot = node.emit(nn.ReshapeOp(hot, (1, count)))
    found = node.emit(nn.MatMulOp(hot, node.emit_constant(matrix, node.proto.input[0])))
    found = node.emit(nn.ReshapeOp(found, (*shape, *rest)))
    if axis == 0:
        return found
    lead, rank = range(len(shape), len(shape) + axis), len(shape) + len(rest)
    perm = [*lead, *range(len(shape)), *range(len(shape) + axis, rank)]
    return node.emit(nn.TransposeOp(found, perm))


def import_expand(node: Node) -> SSAValue:
    given = node.known_ints(1, "the shape")
    if given is None:
        raise node.error("the shape is missing")
    tensor, shape = node.tensor(0), node.shape(0)
    rank = max(len(shape), len(given))
    shape = (*(1,) * (rank - len(shape)), *shape)
    wanted = (*(1,) * (rank - len(given)), *given)
    if shape != nn.shape_of(tensor):
        tensor = node.emit(nn.ReshapeOp(tensor, shape))
    node.check_size([max(sizes) for sizes in zip(shape, wanted, strict=True)])
    for axis, (size, target) in enumerate(zip(shape, wanted, strict=True)):
        if size != target and 1 not in (size, target):
            raise node.error(f"shapes {list(shape)} and {given} do not broadcast")
        if size == 1 and target != 1:
            tensor = node.emit(nn.GatherOp(tensor, axis, [0] * target))
    return tensor


def import_tile(node: Node) -> SSAValue:
    repeats = node.known_ints(1, "the repeats")
    tensor, shape = node.tensor(0), node.shape(0)
    if repeats is None or len(repeats) != len(shape) or min(repeats, default=1) < 0:
        raise node.error(f"repeats {repeats} do not fit the {len(shape)} axes of the input")
    node.check_size([size * times for size, times in zip(shape, repeats, strict=True)])
    for axis, (size, times) in enumerate(zip(shape, repeats, strict=True)):
        if times != 1:
            tensor = node.emit(nn.GatherOp(tensor, axis, [*range(size)] * times))
    return tensor


def import_depth_to_space(node: Node) -> SSAValue:
    """The block's place is in front of the channels, or behind them in mode `CRD`."""
    first, channels, rows, columns, block = _blocks(node)
    mode = node.get_string("mode", "DCR")
    node.reject(mode not in ("DCR", "CRD"), f"mode {mode!r}")
    if channels % block**2:
        raise node.malformed(f"{channels} channels are no blocks of {block} x {block}")
    kept = channels // block**2
    if mode == "DCR":
        split, perm = (block, block, kept), (0, 3, 4, 1, 5, 2)
    else:
        split, perm = (kept, block, block), (0, 1, 4, 2, 5, 3)
    tensor = node.emit(nn.ReshapeOp(node.tensor(0), (first, *split, rows, columns)))
    tensor = node.emit(nn.TransposeOp(tensor, perm))
    return node.emit(nn.ReshapeOp(tensor, (first, kept, rows * block, columns * block)))


def import_space_to_depth(node: Node) -> SSAValue:
    first, channels, rows, columns, block = _blocks(node)
    if rows % block or columns % block:
        raise node.malformed(f"{rows} x {columns} places are no blocks of {block} x {block}")
    rows, columns = rows // block, columns // block
    split = (first, channels, rows, block, columns, block)
    perms = {"DCR": (0, 3, 5, 1, 2, 4), "CRD": (0, 1, 3, 5, 2, 4)}
    mode = node.get_string("mode", "DCR")
    node.reject(mode not in perms, f"mode {mode!r}")
    tensor = node.emit(nn.ReshapeOp(node.tensor(0), split))
    tensor = node.emit(nn.TransposeOp(tensor, perms[mode]))
    return node.emit(nn.ReshapeOp(tensor, (first, channels * block**2, rows, columns)))


def _blocks(node: Node) -> tuple[int, int, int, int, int]:
    """The four extents of the input, and that of a block."""
    shape, block = node.shape(0), node.get_int("blocksize", 0)
    if len(shape) != 4 or block < 1:
        raise node.error(f"a tensor of shape {list(shape)} has no blocks of size {block}")
    first, channels, rows, columns = shape
    return first, channels, rows, columns, block


def import_pad(node: Node) -> SSAValue:
    rank = len(node.shape(0))
    pads, given = node.ints("pads", 1, 11), node.known_ints(3, "the axes")
    axes = node.axes(range(rank) if given is None else given, rank)
    if pads is None or len(pads) != 2 * len(axes):
        raise node.error(f"{len(axes)} axes need {2 * len(axes)} pads, not {pads}")
    low, high = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        low[axis], high[axis] = pads[index], pads[len(axes) + index]
    mode = node.get_string("mode", "constant")
    if mode == "wrap":
        return _wrap(node, low, high)
    node.reject(mode not in [known.value for known in nn.PadMode], f"mode {mode!r}")
    return node.emit(
        nn.PadOp(
            node.tensor(0),
            low,
            high,
            _pad_value(node),
            nn.PadMode(mode),
        )
    )


def _wrap(node: Node, low: Sequence[int], high: Sequence[int]) -> SSAValue:
    """The input again and again, beyond its edges."""
    tensor = node.tensor(0)
    for axis, (size, before, after) in enumerate(zip(node.shape(0), low, high, strict=True)):
        if before or after:
            places = [place % size for place in range(-before, size + after)]
            tensor = node.emit(nn.GatherOp(tensor, axis, places))
    return tensor


def _pad_value(node: Node) -> float:
    if node.opset < 11:
        return node.get_float("value", 0.0)
    value = node.known(2, "the value")
    return 0.0 if value is None or not value.size else float(value.reshape(-1)[0])


VALUE_OPERATORS = {
    "CastLike": import_cast_like,
    "Dropout": import_dropout,
    "Flatten": import_flatten,
    "Identity": import_identity,
    "Reshape": import_reshape,
    "Squeeze": import_squeeze,
    "Unsqueeze": import_unsqueeze,
}

OPERATORS = {
    "Cast": import_cast,
    "Concat": import_concat,
    "DepthToSpace": import_depth_to_space,
    "Expand": import_expand,
    "Gather": import_gather,
    "Pad": import_pad,
    "Slice": import_slice,
    "SpaceToDepth": import_space_to_depth,
    "Split": import_split,
    "Tile": import_tile,
    "Transpose": import_transpose,
}
