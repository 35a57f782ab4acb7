# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Convolutions and pools."""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node, as_float32
from cmc.importer.quantized import Factors, addend, factors
from cmc.streams import EXACT
from cmc.window import Window


def import_conv(node: Node) -> SSAValue:
    window = window_of(node, node.get_ints("kernel_shape") or node.shape(1)[2:])
    group = node.get_int("group", 1)
    _check_channels(node, group, node.shape(1)[1] * group, node.shape(1)[0])
    product = factors(node, 0)
    if product is not None:
        return _conv_of_integers(node, product, window, group)
    bias = node.tensor(2) if node.has_input(2) else None
    return node.emit(nn.ConvOp(node.tensor(0), node.tensor(1), bias, window, group=group))


def _check_channels(node: Node, group: int, given: int, made: int) -> None:
    """Malformed where weights, for `given` channels and of `made`, do not fit input or bias."""
    channels = node.shape(0)[1]
    if channels != given:
        where = f" in {group} groups" if group > 1 else ""
        raise node.malformed(
            f"the input of shape {list(node.shape(0))} has {channels} channels, and weights of "
            f"shape {list(node.shape(1))} are for {given}{where}"
        )
    if node.has_input(2) and node.shape(2) != (made,):
        raise node.malformed(
            f"the bias has shape {list(node.shape(2))}, but there are {made} output channels"
        )


def _conv_of_integers(node: Node, product: Factors, window: Window, group: int) -> SSAValue:
    """The factors after the sum, and after the bias where that is integers too."""
    bias = addend(node, 2, product) if node.has_input(2) else None
    total = node.emit(nn.ConvOp(product.lhs, product.rhs, bias, window, group=group))
    result = product.times_factor(node, total, 1)
    if not node.has_input(2) or bias is not None:
        return result
    shift = node.emit(nn.ReshapeOp(node.tensor(2), (*node.shape(2), *(1,) * window.rank)))
    return node.emit(nn.AddOp(result, shift))


def import_conv_transpose(node: Node) -> SSAValue:
    """A convolution, by the mirrored kernel, of the input with zeros between its elements."""
    weights = node.known(1, "the weights")
    if weights is None or weights.ndim < 3 or weights.ndim != len(node.shape(0)):
        raise node.error(f"weights do not fit an input of shape {list(node.shape(0))}")
    rank, group = weights.ndim - 2, node.get_int("group", 1)
    kernel = node.get_ints("kernel_shape") or list(weights.shape[2:])
    strides = node.get_ints("strides") or [1] * rank
    dilations = node.get_ints("dilations") or [1] * rank
    extra = node.get_ints("output_padding") or [0] * rank
    if group < 1 or weights.shape[0] % group or min(strides + dilations) < 1:
        raise node.error(f"{group} groups do not divide the {weights.shape[0]} channels")
    _check_channels(node, group, weights.shape[0], weights.shape[1] * group)
    reach = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    before, after = _transposed_pads(node, strides, reach, extra)
    low = [r - a for r, a in zip(reach, before, strict=True)]
    high = [r - b + e for r, b, e in zip(reach, after, extra, strict=True)]
    tensor = node.emit(nn.DilateOp(node.tensor(0), [1, 1, *strides]))
    if min(low + high) < 0:
        less, more = ([0, 0, *(min(0, pad) for pad in pads)] for pads in (low, high))
        tensor = node.emit(nn.PadOp(tensor, less, more))
    pads = [max(0, pad) for pad in low + high]
    array = as_float32(weights, node, node.proto.input[1])
    array = np.flip(array, tuple(range(2, array.ndim)))
    channels, filters, *_ = array.shape
    array = array.reshape(group, channels // group, filters, *kernel).swapaxes(1, 2)
    array = np.ascontiguousarray(array).reshape(group * filters, channels // group, *kernel)
    weight = node.emit_constant(array, node.proto.input[1])
    bias = node.tensor(2) if node.has_input(2) else None
    window = Window.of(kernel, None, pads, dilations)
    return node.emit(nn.ConvOp(tensor, weight, bias, window, group=group))


def _transposed_pads(
    node: Node, strides: Sequence[int], reach: Sequence[int], extra: Sequence[int]
) -> tuple[list[int], list[int]]:
    """How much is cut off the result of all windows, before and after."""
    sizes, rank = node.shape(0)[2:], len(strides)
    whole = [
        stride * (size - 1) + r + 1 + e
        for stride, size, r, e in zip(strides, sizes, reach, extra, strict=True)
    ]
    wanted = node.get_ints("output_shape")
    mode = node.get_string("auto_pad", "NOTSET")
    pads = node.get_ints("pads") or [0] * 2 * rank
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise node.error(f"auto_pad {mode!r} is not supported")
    if wanted is None and mode.startswith("SAME"):
        wanted = [size * stride for size, stride in zip(sizes, strides, strict=True)]
    if wanted is None:
        return (pads[:rank], pads[rank:]) if mode == "NOTSET" else ([0] * rank, [0] * rank)
    totals = [w - size for w, size in zip(whole, wanted[-rank:], strict=True)]
    half = [total // 2 for total in totals]
    rest = [total - a for total, a in zip(totals, half, strict=True)]
    return (half, rest) if mode == "SAME_UPPER" else (rest, half)


def import_max_pool(node: Node) -> Sequence[SSAValue | None]:
    window = window_of(node, _kernel(node))
    largest = node.emit(nn.MaxPoolOp(node.tensor(0), window))
    wanted = [name for name in node.proto.output[1:] if name and node.graph.is_used(name)]
    return [largest, _places_of(node, window, largest)] if wanted else [largest]


def _places_of(node: Node, window: Window, largest: SSAValue) -> SSAValue:
    """Where in the whole input the largest element of each window is: the first of several."""
    shape, outputs = node.shape(0), nn.shape_of(largest)
    node.reject(prod(shape) > EXACT, "an output of indices that float32 cannot count to")
    spatial = shape[2:]
    overhangs = window.overhangs(spatial)
    high = [a + b for a, b in zip(window.high, overhangs, strict=True)]
    low = [0, 0, *window.low]
    padded = node.emit(nn.PadOp(node.tensor(0), low, [0, 0, *high], -np.inf))
    columns_first = bool(node.get_int("storage_order", 0))
    grid = list(np.indices(outputs))
    result: SSAValue | None = None
    for offset in reversed(list(np.ndindex(*window.kernel))):
        starts = [a * d for a, d in zip(offset, window.dilations, strict=True)]
        candidates = node.emit(
            nn.SliceOp(padded, [0, 0, *starts], outputs, [1, 1, *window.strides])
        )
        at = [
            np.clip(place * stride + start - pad, 0, size - 1)
            for place, stride, start, pad, size in zip(
                grid[2:], window.strides, starts, window.low, spatial, strict=True
            )
        ]
        order = (*shape[:2], *spatial[::-1]) if columns_first else shape
        flat = np.ravel_multi_index((*grid[:2], *(at[::-1] if columns_first else at)), order)
        places = node.emit_constant(np.asarray(flat, np.float32))
        if result is None:
            result = places
        is_largest = node.emit(nn.EqualOp(candidates, largest))
        result = node.emit(nn.WhereOp(is_largest, places, result))
    assert result is not None, "a window has elements"
    return result


def import_average_pool(node: Node) -> SSAValue:
    return average_pool(node, node.tensor(0))


def average_pool(node: Node, tensor: SSAValue) -> SSAValue:
    """The pool that the node describes, of a tensor [N, C, spatial...]."""
    return node.emit(
        nn.AveragePoolOp(
            tensor,
            window_of(node, _kernel(node), nn.shape_of(tensor)),
            count_include_pad=bool(node.get_int("count_include_pad", 0)),
        )
    )


def import_lp_pool(node: Node) -> SSAValue:
    return _norm(node, node.get_int("p", 2), window_of(node, _kernel(node)))


def import_global_lp_pool(node: Node) -> SSAValue:
    return _norm(node, node.get_int("p", 2), Window.of(node.shape(0)[2:]))


def _norm(node: Node, p: int, window: Window) -> SSAValue:
    """The root of the sum of powers."""
    powers = node.emit(nn.AbsOp(node.tensor(0)))
    if p == 2:
        powers = node.emit(nn.MulOp(powers, powers))
    elif p != 1:
        powers = node.emit(nn.PowOp(powers, node.emit_scalar(p)))
    total = node.emit(nn.SumPoolOp(powers, window))
    if p == 2:
        return node.emit(nn.SqrtOp(total))
    return total if p == 1 else node.emit(nn.PowOp(total, node.emit_scalar(1 / p)))


def import_global_average_pool(node: Node) -> SSAValue:
    return node.emit(nn.AveragePoolOp(node.tensor(0), Window.of(node.shape(0)[2:])))


def import_global_max_pool(node: Node) -> SSAValue:
    return node.emit(nn.MaxPoolOp(node.tensor(0), Window.of(node.shape(0)[2:])))


def _kernel(node: Node) -> list[int]:
    kernel = node.get_ints("kernel_shape")
    if kernel is None:
        raise node.error("kernel_shape is missing")
    return kernel


def window_of(node: Node, kernel: Sequence[int], shape: tuple[int, ...] | None = None) -> Window:
    """The window that the node describes, over a tensor of that shape, or over its first input."""
    shape = node.shape(0) if shape is None else shape
    if len(shape) < 3:
        raise node.error(f"an input of shape {list(shape)} has no spatial axes")
    ceil_mode = bool(node.get_int("ceil_mode", 0))
    try:
        window = Window.of(
            kernel,
            node.get_ints("strides"),
            node.get_ints("pads"),
            node.get_ints("dilations"),
            ceil_mode,
        )
    except ValueError as error:
        raise node.error(str(error)) from None
    first, channels, *spatial = shape
    if len(spatial) != window.rank:
        raise node.error(f"a window of {window.rank} axes does not slide over {len(spatial)}")
    window = _with_pads_of(node, window, spatial)
    padded = map(sum, zip(window.low, spatial, window.high, strict=True))
    for what, sizes in (("with its padding", tuple(padded)), ("for a window", window.kernel)):
        if (elements := first * channels * prod(sizes)) > nn.LARGEST:
            raise node.error(f"{what} {nn.too_large((first, channels, *sizes), elements)}")
    try:
        node.graph.drops_windows |= window.drops(spatial)
    except ValueError as error:
        raise node.error(str(error)) from None
    return window


def _with_pads_of(node: Node, window: Window, spatial: Sequence[int]) -> Window:
    """`window` with pads as `auto_pad` wants them."""
    match node.get_string("auto_pad", "NOTSET"):
        case "NOTSET":
            return window
        case "VALID":
            return window.with_pads((0,) * window.rank, (0,) * window.rank)
        case "SAME_UPPER":
            totals = window.same_pads(spatial)
            low = tuple(total // 2 for total in totals)
        case "SAME_LOWER":
            totals = window.same_pads(spatial)
            low = tuple(total - total // 2 for total in totals)
        case other:
            raise node.error(f"auto_pad {other!r} is not supported")
    return window.with_pads(low, tuple(total - a for total, a in zip(totals, low, strict=True)))


OPERATORS: dict[str, Callable[[Node], SSAValue | Sequence[SSAValue | None]]] = {
    "AveragePool": import_average_pool,
    "Conv": import_conv,
    "ConvTranspose": import_conv_transpose,
    "GlobalAveragePool": import_global_average_pool,
    "GlobalLpPool": import_global_lp_pool,
    "GlobalMaxPool": import_global_max_pool,
    "LpPool": import_lp_pool,
    "MaxPool": import_max_pool,
}
