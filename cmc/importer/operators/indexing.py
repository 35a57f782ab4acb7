# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators that pick, and put, elements by known indices: all of them are relations."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.load import Array
from cmc.importer.node import Node

LARGEST_RUNS = 512
"""How often the step between places may change: each time there is one more part of a relation."""

MOST_CHOICES = 64
"""How many slices are chosen from, element by element."""

Indices = NDArray[np.int64]
Combine = Callable[[SSAValue, SSAValue], nn.TensorOp]


def take(node: Node, tensor: SSAValue, places: Indices) -> SSAValue:
    """The elements at places in the tensor's row-major order, in the shape of `places`."""
    runs = int(np.count_nonzero(np.diff(places.reshape(-1), 2)))
    if runs > LARGEST_RUNS:
        raise node.error(
            f"the {places.size} elements lie in no order ({runs} times another step than before, "
            f"and the limit is {LARGEST_RUNS}): pick them outside the network"
        )
    size = prod(nn.shape_of(tensor))
    flat = node.emit(nn.ReshapeOp(tensor, (size,)))
    chosen = node.emit(nn.GatherOp(flat, 0, [int(place) for place in places.reshape(-1)]))
    return node.emit(nn.ReshapeOp(chosen, places.shape))


def put(
    node: Node,
    tensor: SSAValue,
    targets: Indices,
    updates: SSAValue,
    combine: Combine | None = None,
) -> SSAValue:
    """`tensor` with `updates`, whose elements in order go to `targets`, both in row-major order.

    The last one stays of several at one place, or all are combined; what goes to -1 goes nowhere.
    """
    shape = nn.shape_of(tensor)
    sources: dict[int, list[int]] = defaultdict(list)
    for source, target in enumerate(targets.reshape(-1)):
        if target >= 0:
            sources[int(target)].append(source)
    if combine is None:
        sources = {target: found[-1:] for target, found in sources.items()}
    for turn in range(max(map(len, sources.values()), default=0)):
        places, reached = np.zeros(prod(shape), np.int64), np.zeros(prod(shape), np.float32)
        for target, found in sources.items():
            if turn < len(found):
                places[target], reached[target] = found[turn], 1
        # What is not reached reads on, so that runs are long.
        places = _continued(places, reached, prod(nn.shape_of(updates)))
        value = take(node, updates, places.reshape(shape))
        value = value if combine is None else node.emit(combine(tensor, value))
        if reached.all():
            tensor = value
        else:
            mask = node.emit_constant(reached.reshape(shape))
            tensor = node.emit(nn.WhereOp(mask, value, tensor))
    return tensor


def _continued(places: Indices, reached: NDArray[np.float32], size: int) -> Indices:
    result = places.copy()
    for at in range(1, len(places)):
        if not reached[at]:
            result[at] = min(result[at - 1] + 1, size - 1)
    return result


def _grid(shape: Sequence[int]) -> list[Indices]:
    """The coordinates of all elements of a tensor, axis by axis."""
    return [np.asarray(axis, np.int64) for axis in np.indices(tuple(shape))]


def _flat(coordinates: Sequence[Indices], shape: Sequence[int]) -> Indices:
    """The places of elements in row-major order."""
    return np.asarray(np.ravel_multi_index(tuple(coordinates), tuple(shape)), np.int64)


def _indices(node: Node, index: int) -> Indices:
    array = node.known(index, "the indices")
    if array is None or array.dtype.kind not in "iu":
        raise node.error("the indices are not integers")
    return array.astype(np.int64)


def _within(node: Node, indices: Indices, size: int) -> Indices:
    """Indices that may count from the end, checked."""
    if indices.size and not (-size <= indices.min() and indices.max() < size):
        raise node.error(f"indices {indices.min()} to {indices.max()} are not all of {size}")
    return indices % size if size else indices


def _along(node: Node, shape: tuple[int, ...], indices: Indices, axis: int) -> Indices:
    """The places of elements that an index names along one axis, as its own place does others."""
    if indices.ndim != len(shape):
        raise node.error(f"indices of shape {list(indices.shape)} do not fit {list(shape)}")
    coordinates = _grid(indices.shape)
    coordinates[axis] = _within(node, indices, shape[axis])
    return _flat(coordinates, shape)


def import_gather_elements(node: Node) -> SSAValue:
    shape = node.shape(0)
    axis = node.axis(node.get_int("axis", 0), len(shape))
    indices = _indices(node, 1)
    places = _along(node, shape, indices, axis)
    if np.count_nonzero(np.diff(places.reshape(-1), 2)) <= _FEW_RUNS:
        return take(node, node.tensor(0), places)
    chosen = [int(index) for index in np.unique(indices % shape[axis])]
    if not 1 < len(chosen) <= MOST_CHOICES:
        return take(node, node.tensor(0), places)
    sizes = [1 if a == axis else size for a, size in enumerate(indices.shape)]

    def slice_at(index: int) -> SSAValue:
        starts = [index if a == axis else 0 for a in range(len(shape))]
        return node.emit(nn.SliceOp(node.tensor(0), starts, sizes))

    result = slice_at(chosen[0])
    for index in chosen[1:]:
        mask = node.emit_constant((indices % shape[axis] == index).astype(np.float32))
        result = node.emit(nn.WhereOp(mask, slice_at(index), result))
    return result


_FEW_RUNS = 32
"""So many parts of a relation are no more work than choices of an element."""


def import_scatter_elements(node: Node) -> SSAValue:
    shape, indices = node.shape(0), _indices(node, 1)
    axis = node.axis(node.get_int("axis", 0), len(shape))
    if node.shape(2) != indices.shape:
        raise node.error(f"updates of {list(node.shape(2))} do not fit {list(indices.shape)}")
    targets = _along(node, shape, indices, axis)
    return put(node, node.tensor(0), targets, node.tensor(2), _combine(node))


def _combine(node: Node) -> Combine | None:
    reduction = node.get_string("reduction", "none")
    node.reject(reduction not in _COMBINE, f"reduction {reduction!r}")
    return _COMBINE[reduction]


_COMBINE: dict[str, Combine | None] = {
    "none": None,
    "add": nn.AddOp,
    "mul": nn.MulOp,
    "max": nn.MaximumOp,
    "min": nn.MinimumOp,
}


def _slices(node: Node, shape: tuple[int, ...], indices: Indices, lead: int) -> Indices:
    """The places of whole slices, which the last axis of the indices names behind `lead` axes."""
    depth = indices.shape[-1] if indices.ndim else 0
    if not 0 < depth <= len(shape) - lead or indices.shape[:lead] != shape[:lead]:
        raise node.error(f"indices of shape {list(indices.shape)} do not fit {list(shape)}")
    named = [_within(node, indices[..., i], shape[lead + i]) for i in range(depth)]
    rest = shape[lead + depth :]
    own = _grid(indices.shape[:-1])[:lead]
    count = indices.ndim - 1
    heads = [one.reshape(*one.shape, *(1,) * len(rest)) for one in (*own, *named)]
    tails = [one.reshape(*(1,) * count, *rest) for one in _grid(rest)]
    return _flat(np.broadcast_arrays(*heads, *tails), shape)


def import_gather_nd(node: Node) -> SSAValue:
    lead = node.get_int("batch_dims", 0)
    return take(node, node.tensor(0), _slices(node, node.shape(0), _indices(node, 1), lead))


def import_scatter_nd(node: Node) -> SSAValue:
    targets = _slices(node, node.shape(0), _indices(node, 1), 0)
    if targets.shape != node.shape(2):
        raise node.error(f"updates of {list(node.shape(2))} do not fit {list(targets.shape)}")
    return put(node, node.tensor(0), targets, node.tensor(2), _combine(node))


def import_tensor_scatter(node: Node) -> SSAValue:
    """Updates at a place of their own for each part of the batch, along an axis."""
    shape, updates = node.shape(0), node.shape(1)
    axis = node.axis(node.get_int("axis", -2), len(shape))
    mode = node.get_string("mode", "linear")
    node.reject(mode not in ("linear", "circular"), f"mode {mode!r}")
    starts = node.known_ints(2, "the places to write to") or [0] * shape[0]
    if len(starts) != shape[0] or len(updates) != len(shape):
        raise node.error(f"{len(starts)} places do not fit a batch of {shape[0]}")
    coordinates = _grid(updates)
    coordinates[axis] = coordinates[axis] + np.array(starts).reshape(-1, *(1,) * (len(shape) - 1))
    if mode == "circular":
        coordinates[axis] %= shape[axis]
    elif coordinates[axis].max() >= shape[axis]:
        raise node.error(f"it writes beyond the {shape[axis]} elements of axis {axis}")
    return put(node, node.tensor(0), _flat(coordinates, shape), node.tensor(1))


def import_compress(node: Node) -> SSAValue:
    condition = node.known(1, "the condition")
    tensor, shape = node.tensor(0), node.shape(0)
    if condition is None or condition.ndim != 1:
        raise node.error("the condition is not one list of truth values")
    chosen = np.flatnonzero(condition)
    if not node.has("axis"):
        return take(node, tensor, chosen.astype(np.int64))
    axis = node.axis(node.get_int("axis", 0), len(shape))
    return node.emit(nn.GatherOp(tensor, axis, [int(index) for index in chosen]))


def import_reverse_sequence(node: Node) -> SSAValue:
    shape = node.shape(0)
    lengths = node.known_ints(1, "the lengths")
    batch = node.axis(node.get_int("batch_axis", 1), len(shape))
    time = node.axis(node.get_int("time_axis", 0), len(shape))
    if lengths is None or len(lengths) != shape[batch] or max(lengths) > shape[time]:
        raise node.error(f"lengths {lengths} do not fit shape {list(shape)}")
    coordinates = _grid(shape)
    count = np.array(lengths, np.int64)[coordinates[batch]]
    at = coordinates[time]
    coordinates[time] = np.where(at < count, count - 1 - at, at)
    return take(node, node.tensor(0), _flat(coordinates, shape))


def import_trilu(node: Node) -> SSAValue:
    *_, rows, columns = node.shape(0)
    offset = node.known_ints(1, "the diagonal") or [0]
    upper = bool(node.get_int("upper", 1))
    ones = np.ones((rows, columns), np.float32)
    kept = np.triu(ones, offset[0]) if upper else np.tril(ones, offset[0])
    return node.emit(nn.WhereOp(node.emit_constant(kept), node.tensor(0), node.emit_scalar(0.0)))


def import_max_unpool(node: Node) -> SSAValue:
    """Elements at the places that they were pooled from, among zeros."""
    first, channels, *spatial = node.shape(0)
    kernel = node.get_ints("kernel_shape") or []
    strides = node.get_ints("strides") or [1] * len(spatial)
    pads = node.get_ints("pads") or [0] * 2 * len(spatial)
    sizes = [
        (size - 1) * stride + extent - low - high
        for size, stride, extent, low, high in zip(
            spatial, strides, kernel, pads, pads[len(spatial) :], strict=False
        )
    ]
    indices = _indices(node, 1)
    given = node.known_ints(2, "the shape")
    shape = (first, channels, *sizes) if given is None else tuple(given)
    if given is not None and prod(given) != first * channels * prod(sizes):
        # The places are those in the tensor that was pooled.
        places = np.unravel_index(indices, (first, channels, *sizes))
        indices = _flat([place.astype(np.int64) for place in places], shape)
    zeros = node.emit_constant(np.zeros(shape, np.float32))
    return put(node, zeros, indices, node.tensor(0))


def import_col_to_im(node: Node) -> SSAValue:
    """Each element is the sum of the columns' elements that lie on it."""
    image = node.known_ints(1, "the shape of the image")
    block = node.known_ints(2, "the shape of a block")
    if image is None or block is None or len(image) != len(block):
        raise node.error("the image and a block need as many axes")
    rank = len(image)
    first, columns, count = node.shape(0)
    strides = node.get_ints("strides") or [1] * rank
    dilations = node.get_ints("dilations") or [1] * rank
    pads = node.get_ints("pads") or [0] * 2 * rank
    steps = [
        (size + low + high - dilation * (extent - 1) - 1) // stride + 1
        for size, extent, stride, dilation, low, high in zip(
            image, block, strides, dilations, pads[:rank], pads[rank:], strict=True
        )
    ]
    channels = columns // prod(block)
    if channels * prod(block) != columns or prod(steps) != count:
        raise node.error(f"columns of {list(node.shape(0))} do not fit image {image}")
    grid = _grid((first * channels, *block, *steps))
    at = [
        grid[1 + axis] * dilations[axis] + grid[1 + rank + axis] * strides[axis] - pads[axis]
        for axis in range(rank)
    ]
    inside = np.ones(grid[0].shape, bool)
    for place, size in zip(at, image, strict=True):
        inside &= (place >= 0) & (place < size)
    clipped = [np.clip(place, 0, size - 1) for place, size in zip(at, image, strict=True)]
    targets = np.where(inside, _flat([grid[0], *clipped], (first * channels, *image)), -1)
    zeros = node.emit_constant(np.zeros((first, channels, *image), np.float32))
    return put(node, zeros, targets, node.tensor(0), nn.AddOp)


def import_eye_like(node: Node) -> Array:
    shape = node.shape(0)
    if len(shape) != 2:
        raise node.error(f"a tensor of shape {list(shape)} has no diagonal")
    given = node.has("dtype")
    dtype = node.get_dtype("dtype") if given else node.kind(0)
    return np.eye(*shape, node.get_int("k", 0)).astype(dtype)


VALUE_OPERATORS: dict[str, Callable[[Node], Array]] = {"EyeLike": import_eye_like}

OPERATORS: dict[str, Callable[[Node], SSAValue]] = {
    "Col2Im": import_col_to_im,
    "Compress": import_compress,
    "GatherElements": import_gather_elements,
    "GatherND": import_gather_nd,
    "MaxUnpool": import_max_unpool,
    "ReverseSequence": import_reverse_sequence,
    "Scatter": import_scatter_elements,
    "ScatterElements": import_scatter_elements,
    "ScatterND": import_scatter_nd,
    "TensorScatter": import_tensor_scatter,
    "Trilu": import_trilu,
}
