# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Interpolation: along one axis after the other, as a sum of elements with constant factors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.files.weights import Float32Array
from cmc.importer.node import Node

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class _Axis:
    """How one axis is resized."""

    axis: int
    before: int
    after: int
    scale: float
    roi: tuple[float, float]


def import_resize(node: Node) -> SSAValue:
    mode = node.get_string("mode", "nearest")
    node.reject(bool(node.get_int("antialias", 0)), "attribute 'antialias'")
    node.reject(mode not in _TAPS, f"mode {mode!r}")
    _check_scales(node)
    tensor = node.tensor(0)
    outside: list[NDArray[np.bool_]] = []
    for axis in _axes(node):
        coordinates = _coordinates(node, axis)
        tensor = _resize(node, tensor, axis, *_TAPS[mode](node, axis, coordinates))
        shape = [1] * len(node.shape(0))
        shape[axis.axis] = axis.after
        beyond = (coordinates < 0) | (coordinates > axis.before - 1)
        outside.append(beyond.reshape(shape))
    if _transformation(node) != "tf_crop_and_resize" or not any(map(np.any, outside)):
        return tensor
    value = node.emit_scalar(node.get_float("extrapolation_value", 0.0))
    mask = np.zeros((), np.bool_)
    for beyond in outside:
        mask = mask | beyond
    return node.emit(nn.WhereOp(node.emit_constant(mask.astype(np.float32)), value, tensor))


def _axes(node: Node) -> list[_Axis]:
    """The axes whose coordinates change."""
    shape = node.shape(0)
    rank = len(shape)
    chosen = node.axes(node.get_ints("axes") or range(rank), rank)
    scales = _scales(node, len(chosen))
    if scales is None:
        sizes = node.known_ints(3, "the sizes")
        if sizes is None or len(sizes) != len(chosen) or min(sizes, default=1) < 1:
            raise node.error(f"there must be a scale or a size for each of {len(chosen)} axes")
        policy = node.get_string("keep_aspect_ratio_policy", "stretch")
        before = [shape[axis] for axis in chosen]
        scales = [np.float32(a) / np.float32(b) for a, b in zip(sizes, before, strict=True)]
        if policy != "stretch":
            node.reject(policy not in ("not_larger", "not_smaller"), f"policy {policy!r}")
            scale = min(scales) if policy == "not_larger" else max(scales)
            scales = [scale] * len(chosen)
            sizes = [int(np.floor(scale * np.float32(size) + 0.5)) for size in before]
    else:
        sizes = [
            int(np.floor(np.float32(shape[axis]) * scale))
            for axis, scale in zip(chosen, scales, strict=True)
        ]
    roi = _roi(node, len(chosen))
    return [
        _Axis(axis, shape[axis], size, float(scale), (roi[i], roi[len(chosen) + i]))
        for i, (axis, size, scale) in enumerate(zip(chosen, sizes, scales, strict=True))
        if scale != 1 or _transformation(node) == "tf_crop_and_resize"
    ]


def _scales(node: Node, count: int) -> list[np.float32] | None:
    if node.op_type == "Upsample" and node.opset < 9:
        given = node.get_floats("scales")
    else:
        array = node.known(1 if node.opset < 11 else 2, "the scales")
        given = None if array is None or not array.size else array.reshape(-1).astype(float)
    if given is None:
        return None
    if len(given) != count or not min(given) > 0:
        raise node.error(f"{count} axes need as many positive scales, not {list(given)}")
    return [np.float32(scale) for scale in given]


def _roi(node: Node, count: int) -> list[float]:
    array = None
    if node.opset >= 11 and _transformation(node) == "tf_crop_and_resize":
        array = node.known(1, "the region of interest")
        if array is None or array.size != 2 * count:
            raise node.error(f"a region of interest of {count} axes needs {2 * count} numbers")
    return [0.0] * count + [1.0] * count if array is None else array.reshape(-1).tolist()


def _transformation(node: Node) -> str:
    default = "asymmetric" if node.opset < 11 else "half_pixel"
    return node.get_string("coordinate_transformation_mode", default)


def _coordinates(node: Node, axis: _Axis) -> Float32Array:
    """Where each element of the result lies in the input: in float32, as runtimes compute it."""
    at = np.arange(axis.after, dtype=np.float32)
    half, scale = np.float32(0.5), np.float32(axis.scale)
    before, after = np.float32(axis.before), np.float32(axis.after)
    match _transformation(node):
        case "half_pixel":
            return (at + half) / scale - half
        case "half_pixel_symmetric":
            offset = before / 2 * (1 - after / (scale * before))
            return offset + (at + half) / scale - half
        case "pytorch_half_pixel":
            return (at + half) / scale - half if axis.after > 1 else np.zeros_like(at)
        case "align_corners":
            _check_corners(node, axis)
            return at * (before - 1) / (after - 1) if axis.after > 1 else np.zeros_like(at)
        case "asymmetric":
            return at / scale
        case "tf_half_pixel_for_nn":
            return (at + half) / scale
        case "tf_crop_and_resize":
            start, end = map(np.float32, axis.roi)
            if axis.after > 1:
                return start * (before - 1) + at * (end - start) * (before - 1) / (after - 1)
            return np.full_like(at, half * (start + end) * (before - 1))
        case other:
            raise node.error(f"coordinate_transformation_mode {other!r} is not supported")


def _check_scales(node: Node) -> None:
    """Disputed where scales may turn out to be some of which `_check_corners` is afraid."""
    aligned = node.opset >= 11 and _transformation(node) == "align_corners"
    if aligned and node.has_input(2) and node.constant(2) is None:
        raise node.disputed(
            f"its scales {node.proto.input[2]!r} depend on the network's input, and which corners "
            "to align is agreed on only where they make whole elements: make them constants, or "
            "give sizes"
        )


def _check_corners(node: Node, axis: _Axis) -> None:
    """Disputed where the last corner is that of no whole element: onnx and onnxruntime differ."""
    wanted = axis.scale * axis.before
    if axis.after > 1 and abs(wanted - axis.after) > 1e-3:
        raise node.disputed(
            f"scale {axis.scale:g} makes {wanted:g} elements of the {axis.before} of axis "
            f"{axis.axis}, and which of them is the corner to align is not agreed on: give sizes"
        )


Taps = tuple[list[Indices], list[Float32Array | None]]
"""What each element of the result is the sum of: elements by index, and their factors."""


def _nearest(node: Node, axis: _Axis, x: Float32Array) -> Taps:
    default = "round_prefer_floor" if node.opset >= 11 else "simple"
    match node.get_string("nearest_mode", default):
        case "round_prefer_floor":
            chosen = np.ceil(x - np.float32(0.5))
        case "round_prefer_ceil":
            chosen = np.floor(x + np.float32(0.5))
        case "floor":
            chosen = np.floor(x)
        case "ceil":
            chosen = np.ceil(x)
        case "simple":
            chosen = np.ceil(x) if axis.scale < 1 else np.floor(x)
        case other:
            raise node.error(f"nearest_mode {other!r} is not supported")
    if _transformation(node) == "half_pixel_symmetric" and _is_rounded(axis.scale):
        borders = np.abs(2 * x - np.rint(2 * x)) < _CLOSE
        if np.any(borders):
            raise node.error(
                f"element {int(np.argmax(borders))} of the result lies between two elements of the "
                "input, and which of them is taken depends on how half_pixel_symmetric is rounded"
            )
    return [_within(axis, chosen)], [None]


_CLOSE = np.float32(1e-4)
"""How far from a border between two elements rounding may matter, twice."""


def _is_rounded(scale: float) -> bool:
    """Whether dividing by a scale rounds: it is no power of two."""
    return bool(np.frexp(scale)[0] != 0.5)


def _linear(node: Node, axis: _Axis, x: Float32Array) -> Taps:
    bounded = np.clip(x, 0, axis.before - 1)
    low = np.floor(bounded)
    share = bounded - low
    return [_within(axis, low), _within(axis, low + 1)], [1 - share, share]


def _cubic(node: Node, axis: _Axis, x: Float32Array) -> Taps:
    a = np.float32(node.get_float("cubic_coeff_a", -0.75))
    low = np.floor(x)
    s = x - low
    near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (s, 1 - s)]
    far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + s, 2 - s)]
    places, factors = [low - 1, low, low + 1, low + 2], [far[0], near[0], near[1], far[1]]
    if node.get_int("exclude_outside", 0):
        inside = [(place >= 0) & (place < axis.before) for place in places]
        factors = [np.where(i, f, np.float32(0)) for i, f in zip(inside, factors, strict=True)]
        total = sum(factors)
        factors = [factor / total for factor in factors]
    return (
        [_within(axis, place) for place in places],
        [factor.astype(np.float32) for factor in factors],
    )


_TAPS = {"nearest": _nearest, "linear": _linear, "cubic": _cubic}


def _within(axis: _Axis, places: Float32Array) -> Indices:
    """The nearest element of the input."""
    return np.clip(places, 0, axis.before - 1).astype(np.int64)


def _resize(
    node: Node,
    tensor: SSAValue,
    axis: _Axis,
    places: list[Indices],
    factors: list[Float32Array | None],
) -> SSAValue:
    shape = [1] * len(nn.shape_of(tensor))
    shape[axis.axis] = axis.after
    result: SSAValue | None = None
    for indices, factor in zip(places, factors, strict=True):
        if factor is not None and not factor.any():
            continue
        part = node.emit(nn.GatherOp(tensor, axis.axis, [int(index) for index in indices]))
        if factor is not None:
            constant = node.emit_constant(factor.astype(np.float32).reshape(shape))
            part = node.emit(nn.MulOp(part, constant))
        result = part if result is None else node.emit(nn.AddOp(result, part))
    assert result is not None, "factors sum to 1"
    return result


OPERATORS = {"Resize": import_resize, "Upsample": import_resize}
