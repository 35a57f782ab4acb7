"""Convolutions and pools."""

from collections.abc import Sequence
from math import prod

from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node
from cmc.window import Window


def import_conv(node: Node) -> SSAValue:
    window = _window(node, node.get_ints("kernel_shape") or node.shape(1)[2:])
    return node.emit(
        nn.ConvOp(
            node.tensor(0),
            node.tensor(1),
            node.tensor(2) if node.has_input(2) else None,
            window,
            group=node.get_int("group", 1),
        )
    )


def import_max_pool(node: Node) -> SSAValue:
    node.reject_outputs_from(1, "an output of indices")
    return node.emit(nn.MaxPoolOp(node.tensor(0), _window(node, _kernel(node))))


def import_average_pool(node: Node) -> SSAValue:
    return node.emit(
        nn.AveragePoolOp(
            node.tensor(0),
            _window(node, _kernel(node)),
            count_include_pad=bool(node.get_int("count_include_pad", 0)),
        )
    )


def import_global_average_pool(node: Node) -> SSAValue:
    return node.emit(nn.AveragePoolOp(node.tensor(0), Window.of(node.shape(0)[2:])))


def import_global_max_pool(node: Node) -> SSAValue:
    return node.emit(nn.MaxPoolOp(node.tensor(0), Window.of(node.shape(0)[2:])))


def _kernel(node: Node) -> list[int]:
    kernel = node.get_ints("kernel_shape")
    if kernel is None:
        raise node.error("kernel_shape is missing")
    return kernel


def _window(node: Node, kernel: Sequence[int]) -> Window:
    """The window that the node describes, over its first input."""
    if len(node.shape(0)) < 3:
        raise node.error(f"an input of shape {list(node.shape(0))} has no spatial axes")
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
    first, channels, *spatial = node.shape(0)
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


OPERATORS = {
    "AveragePool": import_average_pool,
    "Conv": import_conv,
    "GlobalAveragePool": import_global_average_pool,
    "GlobalMaxPool": import_global_max_pool,
    "MaxPool": import_max_pool,
}
