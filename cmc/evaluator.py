"""What a module of the `nn` dialect computes, in plain numpy: one function per operation."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue

from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.weights import Float32Array
from cmc.window import Window

Arrays: TypeAlias = Mapping[str, Float32Array]


def evaluate(module: ModuleOp, inputs: Arrays) -> dict[str, Float32Array]:
    """Run the function of `module` on each image of `inputs`, by ONNX name.

    The leading axis of every array is the stream of images, of inputs as of outputs. CmcError if an
    input is missing, or of the wrong shape, or if an operation is not of the dialect.
    """
    function = next((op for op in module.ops if isinstance(op, FuncOp)), None)
    if function is None:
        raise CmcError("the module has no function to evaluate")
    names = _names(function.arg_attrs, len(function.args))
    streams = [_stream(inputs, name, arg) for name, arg in zip(names, function.args, strict=True)]
    images = [_evaluate_image(function, list(image)) for image in zip(*streams, strict=True)]
    outputs = _names(function.res_attrs, len(function.function_type.outputs))
    columns = zip(*images, strict=True)
    return {
        name: np.concatenate([np.atleast_1d(array) for array in column])
        for name, column in zip(outputs, columns, strict=True)
    }


def _names(attributes: ArrayAttr[DictionaryAttr] | None, count: int) -> list[str]:
    """The ONNX names of arguments or results; their numbers if they have none."""
    names = [str(index) for index in range(count)]
    for index, dictionary in enumerate(attributes or ()):
        if isinstance(name := dictionary.data.get(nn.NAME), StringAttr):
            names[index] = name.data
    return names


def _stream(inputs: Arrays, name: str, argument: SSAValue) -> list[Float32Array]:
    """The images of one input, each with a batch axis of one."""
    if name not in inputs:
        raise CmcError(f"input {name!r} is missing")
    array = inputs[name].astype(np.float32, copy=False)
    shape = nn.shape_of(argument)
    if array.shape[1:] != shape[1:]:
        raise CmcError(
            f"input {name!r} has images of shape {list(array.shape[1:])}, not {list(shape[1:])}"
        )
    return [array[index : index + 1] for index in range(len(array))]


def _evaluate_image(function: FuncOp, arguments: list[Float32Array]) -> list[Float32Array]:
    values: dict[SSAValue, Float32Array] = dict(zip(function.args, arguments, strict=True))
    for op in function.body.block.ops:
        operands = [values[operand] for operand in op.operands]
        if isinstance(op, ReturnOp):
            return operands
        values[op.results[0]] = evaluate_op(op, operands)
    raise CmcError("the function does not return")


@np.errstate(all="ignore")
def evaluate_op(op: Operation, operands: Sequence[Float32Array]) -> Float32Array:
    """The result of one operation of the dialect. CmcError if it is of another."""
    if (ufunc := _UFUNCS.get(type(op))) is not None:
        return ufunc(*operands)
    if (evaluator := _EVALUATORS.get(type(op))) is not None:
        return evaluator(op, *operands)
    raise CmcError(f"{op.name} is not an operation of the nn dialect")


# Elements


def _relu(x: Float32Array) -> Float32Array:
    return np.maximum(x, np.float32(0))


def _sigmoid(x: Float32Array) -> Float32Array:
    return np.reciprocal(np.exp(-x) + np.float32(1))


def _leaky_relu(op: nn.LeakyReluOp, x: Float32Array) -> Float32Array:
    return np.where(x < 0, np.float32(op.alpha.value.data) * x, x)


def _clip(op: nn.ClipOp, x: Float32Array) -> Float32Array:
    if op.min is not None:
        x = np.maximum(x, np.float32(op.min.value.data))
    if op.max is not None:
        x = np.minimum(x, np.float32(op.max.value.data))
    return x


# Windows


def _windows(x: Float32Array, window: Window, fill: float) -> Float32Array:
    """All windows over `x` [1, C, spatial...], as [C, output..., kernel...]; padded by `fill`."""
    spatial = x.shape[2:]
    high = [a + b for a, b in zip(window.high, window.overhangs(spatial), strict=True)]
    padded = _pad(x[0], (0, *window.low), (0, *high), fill)
    view = sliding_window_view(padded, window.extents, tuple(range(1, padded.ndim)))
    return view[
        (
            slice(None),
            *(
                slice(0, (count - 1) * stride + 1, stride)
                for count, stride in zip(window.output_shape(spatial), window.strides, strict=True)
            ),
            *(slice(None, None, dilation) for dilation in window.dilations),
        )
    ]


def _conv(
    op: nn.ConvOp, x: Float32Array, weight: Float32Array, bias: Float32Array | None = None
) -> Float32Array:
    windows = _windows(x, op.window, 0.0)
    rank, group = op.window.rank, op.group.value.data
    output = windows.shape[1 : 1 + rank]
    # One matrix product per group: filters by elements of a window, times those by windows.
    columns = np.moveaxis(windows, range(1, 1 + rank), range(1 + rank, 1 + 2 * rank))
    product = weight.reshape(group, weight.shape[0] // group, -1) @ columns.reshape(
        group, -1, int(np.prod(output))
    )
    result = product.reshape(1, weight.shape[0], *output)
    return result if bias is None else result + bias.reshape(-1, *(1,) * rank)


def _max_pool(op: nn.MaxPoolOp, x: Float32Array) -> Float32Array:
    windows = _windows(x, op.window, -np.inf)
    return windows.max(tuple(range(-op.window.rank, 0)))[np.newaxis]


def _average_pool(op: nn.AveragePoolOp, x: Float32Array) -> Float32Array:
    window, spatial = op.window, x.shape[2:]
    counts: Float32Array = np.ones((), np.float32)
    for axis, size in enumerate(window.output_shape(spatial)):
        elements = window.elements(axis, size)
        low, high = 0, spatial[axis]
        if op.count_include_pad is not None:
            low, high = low - window.low[axis], high + window.high[axis]
        counted = ((low <= elements) & (elements < high)).sum(1)
        counts = counts[..., np.newaxis] * counted.astype(np.float32)
    sums = _windows(x, window, 0.0).sum(tuple(range(-window.rank, 0)))
    return (sums / counts)[np.newaxis]


# Matrices and channels


def _batch_norm(
    op: nn.BatchNormOp,
    x: Float32Array,
    scale: Float32Array,
    bias: Float32Array,
    mean: Float32Array,
    variance: Float32Array,
) -> Float32Array:
    epsilon = np.float32(op.epsilon.value.data)
    deviation: Float32Array = np.sqrt(variance + epsilon)
    shape = (-1, *(1,) * (x.ndim - 2))
    centred: Float32Array = x - mean.reshape(shape)
    scaled: Float32Array = centred / deviation.reshape(shape) * scale.reshape(shape)
    return scaled + bias.reshape(shape)


def _softmax(op: nn.SoftmaxOp, x: Float32Array) -> Float32Array:
    axis = op.axis.value.data
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def _lrn(op: nn.LRNOp, x: Float32Array) -> Float32Array:
    size = op.size.value.data
    low = (size - 1) // 2
    squares = np.pad(np.square(x), [(0, 0), (low, size - 1 - low), *[(0, 0)] * (x.ndim - 2)])
    sums = sliding_window_view(squares, size, 1).sum(-1)
    alpha, beta, bias = (np.float32(value.value.data) for value in (op.alpha, op.beta, op.bias))
    powers: Float32Array = np.power(bias + alpha / np.float32(size) * sums, beta)
    return x / powers


# Layout


def _slice(op: nn.SliceOp, x: Float32Array) -> Float32Array:
    indices = [
        start + step * np.arange(size)
        for start, step, size in zip(
            op.starts.get_values(), op.step_values, nn.shape_of(op.result), strict=True
        )
    ]
    return x[np.ix_(*indices)]


def _pad_op(op: nn.PadOp, x: Float32Array) -> Float32Array:
    low, high = op.low.get_values(), op.high.get_values()
    match op.mode.data:
        case nn.PadMode.CONSTANT:
            return _pad(x, low, high, op.value.value.data)
        case nn.PadMode.EDGE:
            mode = "edge"
        case nn.PadMode.REFLECT:
            mode = "reflect"
    widths = [(max(0, a), max(0, b)) for a, b in zip(low, high, strict=True)]
    return _crop(np.pad(x, widths, mode), low, high)


def _pad(x: Float32Array, low: Sequence[int], high: Sequence[int], fill: float) -> Float32Array:
    """`x` with `fill` around it; negative pads take elements away."""
    widths = [(max(0, a), max(0, b)) for a, b in zip(low, high, strict=True)]
    return _crop(np.pad(x, widths, constant_values=np.float32(fill)), low, high)


def _crop(x: Float32Array, low: Sequence[int], high: Sequence[int]) -> Float32Array:
    """`x` without as many elements as the pads are negative."""
    return x[
        tuple(
            slice(max(0, -a), size - max(0, -b))
            for size, a, b in zip(x.shape, low, high, strict=True)
        )
    ]


def _transpose(op: nn.TransposeOp, x: Float32Array) -> Float32Array:
    return x.transpose(op.perm.get_values())


def _reshape(op: nn.ReshapeOp, x: Float32Array) -> Float32Array:
    return x.reshape(nn.shape_of(op.result))


def _concat(op: nn.ConcatOp, *inputs: Float32Array) -> Float32Array:
    return np.concatenate(inputs, op.axis.value.data)


def _constant(op: nn.ConstantOp) -> Float32Array:
    return op.value.array


_UFUNCS: dict[type[Operation], Callable[..., Float32Array]] = {
    nn.AbsOp: np.abs,
    nn.AddOp: np.add,
    nn.DivOp: np.divide,
    nn.ExpOp: np.exp,
    nn.MatMulOp: np.matmul,
    nn.MaximumOp: np.maximum,
    nn.MinimumOp: np.minimum,
    nn.MulOp: np.multiply,
    nn.NegOp: np.negative,
    nn.PowOp: np.power,
    nn.ReluOp: _relu,
    nn.SigmoidOp: _sigmoid,
    nn.SqrtOp: np.sqrt,
    nn.SubOp: np.subtract,
    nn.TanhOp: np.tanh,
}
"""Operations without properties: functions of their operands."""

_EVALUATORS: dict[type[Operation], Callable[..., Float32Array]] = {
    nn.AveragePoolOp: _average_pool,
    nn.BatchNormOp: _batch_norm,
    nn.ClipOp: _clip,
    nn.ConcatOp: _concat,
    nn.ConstantOp: _constant,
    nn.ConvOp: _conv,
    nn.LeakyReluOp: _leaky_relu,
    nn.LRNOp: _lrn,
    nn.MaxPoolOp: _max_pool,
    nn.PadOp: _pad_op,
    nn.ReshapeOp: _reshape,
    nn.SliceOp: _slice,
    nn.SoftmaxOp: _softmax,
    nn.TransposeOp: _transpose,
}
"""The others: functions of the operation and its operands."""
