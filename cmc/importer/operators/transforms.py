# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Fourier transforms, as products with known matrices, and samples between pixels."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.files.weights import Float32Array
from cmc.importer.node import Node

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


def import_dft(node: Node) -> SSAValue:
    """Real and imaginary parts lie along the last axis, of the input where it has two."""
    shape = node.shape(0)
    axis = node.get_int("axis", 1)
    if node.opset >= 20:
        (axis,) = node.known_ints(2, "the axis") or [-2]
    axis = node.axis(axis, len(shape))
    if axis == len(shape) - 1 or shape[-1] not in (1, 2):
        raise node.error(f"the last axis of {list(shape)} does not hold real and imaginary parts")
    inverse, one_sided = (bool(node.get_int(name, 0)) for name in ("inverse", "onesided"))
    whole = 2 * (shape[axis] - 1) if inverse and one_sided else shape[axis]
    (length,) = node.known_ints(1, "the length") or [whole]
    if length < 1:
        raise node.error(f"a transform of length {length} is none")
    if inverse and one_sided:
        matrix = _real_signal(length, shape[axis], shape[-1])
    else:
        node.reject(inverse, "an inverse transform to complex numbers")
        matrix = _fourier(length, shape[axis], shape[-1], one_sided)
    return _transform(node, node.tensor(0), axis, matrix)


def import_stft(node: Node) -> SSAValue:
    """Transforms of overlapping frames of a signal `[batch, length]` or `[batch, length, 1]`."""
    shape = node.shape(0)
    (step,) = node.known_ints(1, "the step") or [0]
    window = node.known(2, "the window")
    lengths = node.known_ints(3, "the length of a frame") or []
    length = lengths[0] if lengths else 0 if window is None else window.size
    if len(shape) not in (2, 3) or not 0 < length <= shape[1] or step < 1:
        raise node.error(f"a signal of shape {list(shape)} has no frames of length {length}")
    parts = shape[2] if len(shape) == 3 else 1
    starts = range(0, shape[1] - length + 1, step)
    places = [start + at for start in starts for at in range(length)]
    tensor = node.emit(nn.GatherOp(node.tensor(0), 1, places))
    framed = node.emit(nn.ReshapeOp(tensor, (shape[0], len(starts), length, parts)))
    one_sided = bool(node.get_int("onesided", 1))
    matrix = _fourier(length, length, parts, one_sided)
    if window is not None:
        matrix = matrix * window.astype(np.float64).reshape(-1, 1, 1, 1)
    return _transform(node, framed, 2, matrix)


def _fourier(length: int, given: int, parts: int, one_sided: bool, *, sign: int = -1) -> Numbers:
    """Factors `[given, parts, frequencies, 2]`: what is beyond the length does not count.

    `sign` is that of the exponent.
    """
    count = length // 2 + 1 if one_sided else length
    products = np.outer(np.arange(given), np.arange(count)) % length
    angles = sign * 2 * np.pi / length * products
    cosine, sine = np.cos(angles), np.sin(angles)
    real = np.stack([cosine, sine], -1)
    imaginary = np.stack([-sine, cosine], -1)
    matrix = np.stack([real, imaginary][:parts], 1)
    matrix[length:] = 0
    return matrix


def _real_signal(length: int, given: int, parts: int) -> Numbers:
    """Factors `[given, parts, length, 1]` from the lower frequencies of a real signal to itself.

    Each of the upper ones is the conjugate of a lower one, which counts twice therefore.
    """
    matrix = _fourier(length, given, parts, False, sign=1)[..., :1] / length
    matrix[1 : (length + 1) // 2] *= 2
    matrix[length // 2 + 1 :] = 0
    return matrix


def _transform(node: Node, tensor: SSAValue, axis: int, matrix: Numbers) -> SSAValue:
    """The product along an axis and the last one."""
    shape = nn.shape_of(tensor)
    others = [a for a in range(len(shape) - 1) if a != axis]
    perm = [*others, axis, len(shape) - 1]
    moved = node.emit(nn.TransposeOp(tensor, perm))
    rows, (given, parts, count, made) = [shape[a] for a in others], matrix.shape
    flat = node.emit(nn.ReshapeOp(moved, (*rows, given * parts)))
    weights = node.emit_constant(matrix.astype(np.float32).reshape(given * parts, count * made))
    result = node.emit(nn.MatMulOp(flat, weights))
    result = node.emit(nn.ReshapeOp(result, (*rows, count, made)))
    return node.emit(nn.TransposeOp(result, [perm.index(a) for a in range(len(perm))]))


def import_grid_sample(node: Node) -> SSAValue:
    """Each element is a sum of elements, as many as there are corners around its place."""
    first, channels, *sizes = node.shape(0)
    grid = node.known(1, "the grid")
    if grid is None or grid.shape[0] != first or grid.shape[-1] != len(sizes):
        raise node.error(f"the grid does not fit an input of shape {list(node.shape(0))}")
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(
        mode := node.get_string("mode", "linear"), mode
    )
    padding = node.get_string("padding_mode", "zeros")
    corners = bool(node.get_int("align_corners", 0))
    node.reject(mode not in _TAPS, f"mode {mode!r}")
    node.reject(padding not in ("zeros", "border", "reflection"), f"padding_mode {padding!r}")
    spatial = grid.shape[1:-1]
    flat = node.emit(nn.ReshapeOp(node.tensor(0), (first * channels, int(np.prod(sizes)))))
    images: list[SSAValue] = []
    for image in range(first):
        # The grid names the last axis first.
        at = [
            _pixel(grid[image, ..., -1 - axis].astype(np.float32).reshape(-1), size, corners)
            for axis, size in enumerate(sizes)
        ]
        rows = node.emit(nn.GatherOp(flat, 0, range(image * channels, (image + 1) * channels)))
        images.append(_sampled(node, rows, sizes, at, mode, padding, corners))
    result = images[0] if len(images) == 1 else node.emit(nn.ConcatOp(images, 0))
    return node.emit(nn.ReshapeOp(result, (first, channels, *spatial)))


def _pixel(x: Float32Array, size: int, corners: bool) -> Float32Array:
    """The place between pixels that -1 to 1 stand for."""
    one, half = np.float32(1), np.float32(0.5)
    return (x + one) * half * np.float32(size - 1) if corners else ((x + one) * size - one) * half


def _sampled(
    node: Node,
    rows: SSAValue,
    sizes: Sequence[int],
    at: Sequence[Float32Array],
    mode: str,
    padding: str,
    corners: bool,
) -> SSAValue:
    """`rows` are `[channels, pixels]`; the result is `[channels, places]`."""
    per_axis = [
        _axis_taps(x, size, mode, padding, corners) for x, size in zip(at, sizes, strict=True)
    ]
    result: SSAValue | None = None
    for choice in product(*(range(len(taps)) for taps in per_axis)):
        place = np.zeros(len(at[0]), np.int64)
        factor = np.ones(len(at[0]), np.float32)
        for taps, chosen, size in zip(per_axis, choice, sizes, strict=True):
            index, weight = taps[chosen]
            place = place * size + index
            factor = factor * weight
        if not factor.any():
            continue
        part = node.emit(nn.GatherOp(rows, 1, [int(one) for one in place]))
        if (factor != 1).any():
            part = node.emit(nn.MulOp(part, node.emit_constant(factor[None])))
        result = part if result is None else node.emit(nn.AddOp(result, part))
    if result is None:
        raise node.error("no place of the grid lies on the input")
    return result


_TAPS = {"nearest": 1, "linear": 2, "cubic": 4}


def _axis_taps(
    x: Float32Array, size: int, mode: str, padding: str, corners: bool
) -> list[tuple[Indices, Float32Array]]:
    """The elements along one axis that a place lies between, and their factors."""
    if mode != "cubic" and padding == "border":
        x = np.clip(x, 0, size - 1).astype(np.float32)
    elif mode != "cubic" and padding == "reflection":
        x = _reflected(x, size, corners)
    if mode == "nearest":
        taps = [(np.rint(x), np.ones_like(x))]
    elif mode == "linear":
        low = np.floor(x)
        taps = [(low, 1 - (x - low)), (low + 1, x - low)]
    else:
        low = np.floor(x)
        s, a = x - low, np.float32(-0.75)
        near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (s, 1 - s)]
        far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + s, 2 - s)]
        taps = [(low - 1, far[0]), (low, near[0]), (low + 1, near[1]), (low + 2, far[1])]
    result: list[tuple[Indices, Float32Array]] = []
    for place, weight in taps:
        if padding == "reflection":
            place = _reflected(place.astype(np.float32), size, corners)
        inside = (place >= 0) & (place <= size - 1)
        if padding == "zeros":
            weight = np.where(inside, weight, 0)
        index = np.clip(place, 0, size - 1).astype(np.int64)
        result.append((index, weight.astype(np.float32)))
    return result


def _reflected(x: Float32Array, size: int, corners: bool) -> Float32Array:
    """Places mirrored at the outermost pixels, or at their edges, as often as they are beyond."""
    low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
    width = high - low
    if width <= 0:
        return np.zeros_like(x)
    distance = np.abs(x - low)
    turns, rest = np.floor(distance / width), np.mod(distance, width)
    mirrored = np.where(turns % 2 == 0, low + rest, high - rest)
    return (
        np.clip(mirrored, 0, size - 1).astype(np.float32)
        if not corners
        else mirrored.astype(np.float32)
    )


OPERATORS = {"DFT": import_dft, "GridSample": import_grid_sample, "STFT": import_stft}
