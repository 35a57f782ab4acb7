# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What imported operators compute, beside onnxruntime: every form of each in every opset."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import pytest
from onnx import helper

from cmc.errors import CmcError
from cmc.importer import import_model, import_network
from cmc.reference import Reference
from cmc.semantics.network import Network, evaluate
from onnx_models import Array, float_type, graph_model, int64, normal, one_node_model

Case = onnx.ModelProto
POSITIVE = ("Pow", "Sqrt", "Log", "ReduceLogSum")
"""Operators whose tests take positive numbers."""

case = one_node_model


def convolutions() -> Iterator[Case]:
    w = normal(4, 3, 3, 4)
    yield case("Conv", (1, 3, 9, 10), [w, normal(4)], pads=[0, 1, 2, 1], strides=[2, 3])
    yield case("Conv", (1, 3, 9, 10), [w, normal(4)], opset=7)
    yield case("Conv", (1, 3, 9, 10), [w], opset=22, kernel_shape=[3, 4])
    for auto_pad, strides in itertools.product(
        ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"), ([1, 1], [2, 3], [3, 2])
    ):
        yield case("Conv", (1, 3, 9, 10), [w], auto_pad=auto_pad, strides=strides)
    yield case("Conv", (1, 4, 9, 10), [normal(6, 2, 3, 3)], group=2, dilations=[2, 3])
    yield case("Conv", (1, 4, 9, 10), [normal(8, 1, 3, 3), normal(8)], group=4)
    yield case("Conv", (1, 4, 17), [normal(6, 4, 3)], pads=[4, 5], strides=[2])
    # Windows wholly in the padding.
    yield case("Conv", (1, 4, 17), [normal(6, 4, 3), normal(6)], pads=[7, 5])
    yield case("Conv", (1, 2, 5, 6, 7), [normal(3, 2, 2, 3, 2)], pads=[1, 0, 1, 0, 1, 1])
    yield case("Conv", (1, 3, 1, 1), [normal(4, 3, 1, 1)])
    # The weights are computed.
    yield case("Conv", (1, 3, 4, 4), [(1, 3, 2, 2)])


def pools() -> Iterator[Case]:
    for kernel, strides, pads, ceil_mode in itertools.product(
        ([3, 3], [2, 2]), ([2, 2], [3, 1]), ([0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]), (0, 1)
    ):
        for dilations in (None, [2, 2]):
            yield case(
                "MaxPool",
                (1, 2, 8, 9),
                kernel_shape=kernel,
                strides=strides,
                pads=pads,
                ceil_mode=ceil_mode,
                dilations=dilations,
            )
        for include, opset in itertools.product((0, 1), (10, 22)):
            yield case(
                "AveragePool",
                (1, 2, 8, 9),
                kernel_shape=kernel,
                strides=strides,
                pads=pads,
                ceil_mode=ceil_mode,
                count_include_pad=include,
                opset=opset,
            )
    for op, auto_pad in itertools.product(
        ("MaxPool", "AveragePool"), ("SAME_UPPER", "SAME_LOWER", "VALID")
    ):
        yield case(op, (1, 2, 9, 10), kernel_shape=[3, 4], auto_pad=auto_pad, strides=[2, 3])
        yield case(op, (1, 2, 9), kernel_shape=[3], opset=7)
    yield case("AveragePool", (1, 2, 9), kernel_shape=[3], dilations=[2], pads=[1, 2], opset=19)
    for pads, order in itertools.product(([0, 0, 0, 0], [1, 1, 0, 1]), (0, 1)):
        yield integer_output(
            case(
                "MaxPool",
                (1, 2, 6, 5),
                outputs=2,
                kernel_shape=[3, 2],
                strides=[2, 1],
                pads=pads,
                storage_order=order,
            )
        )
    # The one window is larger than the input with its padding.
    for op, kernel in itertools.product(("MaxPool", "AveragePool"), ([4, 2], [5, 6])):
        for pads in ([0, 0, 0, 0], [1, 0, 0, 1]):
            yield case(
                op, (1, 2, 3, 4), kernel_shape=kernel, strides=[3, 4], pads=pads, ceil_mode=1
            )
    for op, shape in itertools.product(
        ("GlobalAveragePool", "GlobalMaxPool"), ((1, 3, 4, 5), (1, 3, 4))
    ):
        yield case(op, shape)


def matrices() -> Iterator[Case]:
    for trans_b, bias in itertools.product((0, 1), (normal(4), normal(1, 4), normal(1), None)):
        b = normal(4, 5) if trans_b else normal(5, 4)
        yield case("Gemm", (1, 5), [b, bias], transB=trans_b, alpha=0.5, beta=2.0)
    yield case("Gemm", (1, 5), [normal(5, 4), normal(4)], opset=7)
    yield case("Gemm", (1, 5), [normal(5, 4), normal(4)], beta=0.0)
    yield case("Gemm", (1, 1), [(1, 4), (1, 4)], transA=1, alpha=2.0, beta=0.5)
    for other in (normal(5, 4), normal(2, 5, 4), normal(5), normal(1, 5, 4)):
        yield case("MatMul", (1, 3, 5), [other])
    yield case("MatMul", (1, 5), [normal(5, 4)])
    yield case("MatMul", (1, 3, 5), [(1, 5, 3)])


def normalizations() -> Iterator[Case]:
    parameters = [normal(4), normal(4, seed=1), normal(4, seed=2), np.abs(normal(4, seed=3))]
    for opset in (7, 8, 9, 14, 15):
        yield case("BatchNormalization", (1, 4, 5, 5), parameters, opset, epsilon=1e-3)
    yield case("BatchNormalization", (1, 4), parameters)
    yield case("BatchNormalization", (1, 4, 7), parameters)
    for axis in (None, 0, 1, 2):
        yield case("Softmax", (1, 3, 4), opset=7, axis=axis)
        yield case("Softmax", (1, 3, 4), opset=13, axis=axis)
    yield case("Softmax", (1, 3, 4), opset=11, axis=-1)
    yield case("Softmax", (1, 10, 1, 1), opset=9)
    for size in (3, 5):
        yield case("LRN", (1, 7, 3, 3), size=size, alpha=0.1, beta=0.6, bias=1.2)
    yield case("LRN", (1, 7, 3, 3), size=5)


def elements() -> Iterator[Case]:
    for op, opset in itertools.product(
        ("Relu", "Sigmoid", "Tanh", "Exp", "Sqrt", "Neg", "Abs", "Reciprocal", "HardSigmoid"),
        (7, 13),
    ):
        yield case(op, (1, 3, 4), opset=opset)
    yield case("HardSwish", (1, 3, 4), opset=14)
    yield case("HardSigmoid", (1, 3, 4), alpha=0.3, beta=0.6)
    yield case("LeakyRelu", (1, 3, 4), opset=7)
    yield case("LeakyRelu", (1, 3, 4), alpha=0.3, opset=16)
    yield case("PRelu", (1, 3, 4, 4), [normal(3, 1, 1)], opset=9)
    for op, other, opset in itertools.product(
        ("Add", "Sub", "Mul", "Div", "Pow", "Sum", "Max", "Min", "Mean"),
        (normal(4), normal(3, 1), normal(), normal(2, 1, 1, 1), (1, 3, 1)),
        (8, 14),
    ):
        yield case(op, (1, 3, 4), [other], opset)
    yield case("Pow", (1, 3, 4), [np.array(2, np.int64)])
    for op in ("Sum", "Max", "Mean"):
        yield case(op, (1, 3, 4))
        yield case(op, (1, 3, 4), [normal(4), (1, 3, 4)])
    low, high = np.array(-0.3, np.float32), np.array(0.2, np.float32)
    yield case("Clip", (1, 9), opset=7, min=-0.5, max=0.5)
    yield case("Clip", (1, 9), opset=7, max=0.5)
    yield case("Clip", (1, 9), opset=7)
    for bounds in ([low, high], [None, high], [low], [], [high, low]):
        yield case("Clip", (1, 9), bounds)


def composites() -> Iterator[Case]:
    """What ONNX defines by operators on whole tensors."""
    yield case("LayerNormalization", (1, 3, 4), [normal(4), normal(4, seed=1)], 17)
    yield case("LayerNormalization", (1, 3, 4, 5), [normal(4, 5), normal(4, 5)], 20, axis=-2)
    yield case("GroupNormalization", (1, 4, 5, 5), [normal(4), normal(4)], 21, num_groups=2)
    yield case("RMSNormalization", (1, 3, 4), [normal(4)], 23)
    yield case("InstanceNormalization", (1, 3, 4, 5), [normal(3), normal(3, seed=1)])
    yield case("InstanceNormalization", (1, 3, 7), [normal(3), normal(3, seed=1)], 22, epsilon=0.1)
    yield case("MeanVarianceNormalization", (1, 3, 4, 4))
    yield case("MeanVarianceNormalization", (1, 3, 4, 4), axes=[2, 3])
    yield case("LogSoftmax", (1, 3, 4), axis=1)
    yield case("LogSoftmax", (1, 3, 4), axis=-1)
    yield case("ReduceLogSumExp", (1, 3, 4), [int64(1)], 18)
    yield case("ReduceLogSumExp", (1, 3, 4), [int64(-1)], 18, keepdims=0)
    yield case("CenterCropPad", (1, 3, 4), [int64(2, 6)], 18, axes=[1, 2])
    yield case("Attention", (1, 2, 4, 8), [(1, 2, 6, 8), (1, 2, 6, 8)], 23)
    yield case("Attention", (1, 4, 16), [(1, 6, 16), (1, 6, 16)], 23, q_num_heads=2, kv_num_heads=2)
    yield case("RotaryEmbedding", (1, 2, 4, 8), [normal(1, 4, 4), normal(1, 4, 4, seed=1)], 23)


def functions() -> Iterator[Case]:
    """Functions of an element, and what ONNX defines by them."""
    for op in ("Log", "Erf", "Floor", "Ceil", "Sign", "Softplus", "Elu", "Selu", "Softsign"):
        yield case(op, (1, 3, 4))
    for op in ("Elu", "Selu", "ThresholdedRelu", "Shrink"):
        yield case(op, (1, 3, 4), opset=22, alpha=None if op == "Shrink" else 0.3)
        yield case(op, (1, 3, 4), opset=10)
    yield case("Round", (1, 3, 4))
    yield case("Celu", (1, 3, 4), alpha=0.7)
    yield case("Mish", (1, 3, 4), opset=18)
    yield case("Swish", (1, 3, 4), opset=24, alpha=0.7)
    for approximate in (None, "none", "tanh"):
        yield case("Gelu", (1, 3, 4), opset=20, approximate=approximate)


def choices() -> Iterator[Case]:
    """Comparisons, logic, and what they choose."""
    for op, other in itertools.product(
        ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"),
        (normal(4), normal(1, 3, 4, seed=7), (1, 3, 1)),
    ):
        yield choice(helper.make_node(op, ["x", "b"], ["c"], "compare"), other=other)
    for op in ("And", "Or", "Xor"):
        nodes = [
            helper.make_node("Less", ["x", "b"], ["l"], "less"),
            helper.make_node("Cast", ["x"], ["t"], "cast", to=onnx.TensorProto.BOOL),
            helper.make_node(op, ["l", "t"], ["o"], "logic"),
            helper.make_node("Not", ["o"], ["c"], "not"),
        ]
        yield choice(*nodes, other=normal(3, 1))


def choice(*nodes: onnx.NodeProto, other: Array | tuple[int, ...]) -> Case:
    """`c`, which `nodes` compute of `x` and `b`, as a number, and what it chooses of both."""
    inputs, constants = [float_type("x", (1, 3, 4))], dict[str, Array]()
    if isinstance(other, tuple):
        inputs.append(float_type("b", other))
    else:
        constants["b"] = other
    chosen = [
        helper.make_node("Where", ["c", "x", "b"], ["y0"], "where"),
        helper.make_node("Cast", ["c"], ["y1"], "number", to=onnx.TensorProto.FLOAT),
    ]
    outputs = [float_type("y0", None), float_type("y1", None)]
    return graph_model([*nodes, *chosen], inputs, outputs, constants, 16)


def reshapes() -> Iterator[Case]:
    for target in (int64(0, -1), int64(1, 2, 6), int64(-1, 4)):
        yield case("Reshape", (1, 3, 4), [target])
        yield case("Reshape", (1, 3, 4), [target], opset=7)
    yield case("Reshape", (1, 3, 4), [int64(1, -1)], opset=14, allowzero=1)
    for axis in (None, 0, 1, 2, 3, -1):
        yield case("Flatten", (1, 3, 4), axis=axis)
    yield case("Squeeze", (1, 3, 1, 4), [int64(2)])
    yield case("Squeeze", (1, 3, 1, 4), opset=11, axes=[2])
    yield case("Squeeze", (1, 3, 1, 4), [int64(0, -2)])
    yield case("Squeeze", (1, 3, 1, 4))
    yield case("Unsqueeze", (1, 3, 4), [int64(2, -1)])
    yield case("Unsqueeze", (1, 3, 4), [int64(-1, -2)])
    yield case("Unsqueeze", (1, 3, 4), opset=11, axes=[0, 4])
    yield case("Transpose", (1, 3, 4, 5))
    yield case("Transpose", (1, 3, 4, 5), perm=[0, 2, 3, 1])
    yield case("Identity", (1, 3))
    yield case("Cast", (1, 3), to=onnx.TensorProto.FLOAT)
    yield case("Dropout", (1, 3), opset=7)
    yield case("Dropout", (1, 3), opset=10, ratio=0.3)
    yield case("Dropout", (1, 3), [np.array(0.5, np.float32)])
    yield case("Dropout", (1, 3), [np.array(0.5, np.float32), np.array(False)])


def slices() -> Iterator[Case]:
    yield case("Slice", (1, 9, 10), opset=9, starts=[1, -5], ends=[100, -1], axes=[1, 2])
    yield case("Slice", (1, 9), opset=7, starts=[0, 2], ends=[1, 8])
    yield case("Slice", (1, 9, 10), [np.array([0, 2], np.int32), np.array([1, 5], np.int32)])
    for (start, end, step), axis in itertools.product(
        (
            (1, 100, 2),
            (-1, -100, -1),
            (7, 0, -2),
            (5, -(2**62), -3),
            (-100, 4, 1),
            (2**31 - 1, -(2**31), -1),
            (-1, -(2**63), -2),
        ),
        (1, -1),
    ):
        yield case("Slice", (1, 9, 10), [int64(start), int64(end), int64(axis), int64(step)])
    yield case("Split", (1, 9, 10), opset=11, outputs=2, axis=2)
    yield case("Split", (1, 9, 10), opset=11, outputs=3, axis=1, split=[2, 3, 4])
    yield case("Split", (1, 9, 10), [int64(2, 3, 4)], outputs=3, axis=1)
    yield case("Split", (1, 9, 10), opset=18, outputs=4, axis=2, num_outputs=4)
    yield case("Concat", (1, 3, 4), [(1, 2, 4), normal(1, 5, 4)], axis=1)
    yield case("Concat", (1, 3, 4), [(1, 3, 2)], axis=-1)
    yield case("Split", (1, 5), opset=18, outputs=2, axis=1, num_outputs=2)


def gathers() -> Iterator[Case]:
    for indices in (int64(2, 0, -1), int64(0, 1, 2, 0, 2), np.array([[2, 0], [1, 1]]), np.array(1)):
        yield case("Gather", (1, 3, 4), [indices], axis=1)
        yield case("Gather", (1, 4, 3), [indices], axis=-1)
    for target in (int64(2, 3, 4), int64(2, 1, 1, 4), int64(4), int64(3, 1)):
        yield case("Expand", (1, 3, 1), [target])
    yield case("Tile", (1, 3, 4), [int64(1, 2, 3)])
    yield case("Tile", (1, 3, 4), [int64(2, 1, 1)])
    for mode in (None, "DCR", "CRD"):
        yield case("DepthToSpace", (1, 8, 3, 4), blocksize=2, mode=mode)
    yield case("SpaceToDepth", (1, 2, 4, 6), blocksize=2)


def resizes() -> Iterator[Case]:
    for transformation, rounding in itertools.product(
        ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"),
        ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
    ):
        opset = 11 if transformation.startswith("tf") else 13
        for scales in ((1, 1, 2, 3), (1, 1, 0.6, 0.4)):
            yield resize(transformation, scales, rounding=rounding, opset=opset)
    for transformation, mode in itertools.product(
        ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"), ("linear", "cubic")
    ):
        yield resize(transformation, sizes=(1, 2, 8, 7), mode=mode)
        if transformation != "align_corners":
            yield resize(transformation, (1, 1, 0.8, 0.6), mode=mode)
    yield resize("half_pixel_symmetric", (1, 1, 2.3, 0.6), opset=19, mode="linear")
    region = np.array([0, 0, 0.4, 0.6, 1, 1, 1.3, 0.9], np.float32)
    yield resize("tf_crop_and_resize", sizes=(1, 2, 3, 3), region=region, mode="linear")
    for scale in (2.0, 0.5):
        yield case("Resize", (1, 2, 4, 4), [np.array([1, 1, scale, 3], np.float32)], 10)
        yield case("Upsample", (1, 2, 4, 4), [np.array([1, 1, 2, scale + 1], np.float32)], 9)
    yield case("Upsample", (1, 2, 4, 4), opset=7, scales=[1.0, 1.0, 2.0, 3.0])
    scales = np.array([1, 1, 2, 2], np.float32)
    yield case("Upsample", (1, 2, 4, 4), [scales], 9, mode="linear")


def resize(
    transformation: str,
    scales: Sequence[float] = (),
    sizes: Sequence[int] | None = None,
    region: Array | None = None,
    mode: str | None = None,
    rounding: str | None = None,
    opset: int = 13,
) -> Case:
    return case(
        "Resize",
        (1, 2, 5, 4),
        [
            np.zeros(0, np.float32) if region is None else region,
            np.array(scales, np.float32),
            *([] if sizes is None else [int64(*sizes)]),
        ],
        opset,
        coordinate_transformation_mode=transformation,
        mode=mode,
        nearest_mode=rounding,
        extrapolation_value=9.0,
    )


def pads() -> Iterator[Case]:
    value = np.array(0.5, np.float32)
    for mode in ("constant", "reflect", "edge"):
        yield case("Pad", (1, 2, 4, 5), opset=7, mode=mode, pads=[0, 0, 1, 2, 0, 0, 2, 1])
        yield case("Pad", (1, 2, 4, 5), [int64(0, 0, 1, 2, 0, 0, 2, 1), value], mode=mode)
        yield case("Pad", (1, 2, 4, 5), [int64(0, 0, -1, 2, 0, 0, 2, -2)], mode=mode)
        yield case("Pad", (1, 2, 4, 5), [int64(1, 2, 2, 1), None, int64(2, -1)], 18, mode=mode)
    yield case("Pad", (1, 2, 4), opset=10, pads=[0, 0, 1, 0, 1, 0], value=-1.5)


def reductions() -> Iterator[Case]:
    for axes, keepdims in itertools.product(
        ([2, 3], [2], [3], [1], [1, 2, 3], [-1], [0], [1, 3], None), (0, 1)
    ):
        for op in ("ReduceMean", "ReduceMax"):
            yield case(op, (1, 3, 4, 5), opset=11, axes=axes, keepdims=keepdims)
        operands = [] if axes is None else [int64(*axes)]
        if axes is not None or keepdims:
            for op in ("ReduceMean", "ReduceMax", "ReduceSum"):
                yield case(op, (1, 3, 4, 5), operands, opset=18, keepdims=keepdims)
    for op in ("ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"):
        yield case(op, (1, 3, 4, 5), opset=13, axes=[2, 3])
        yield case(op, (1, 3, 4, 5), [int64(1)], opset=18, keepdims=0)
    yield case("ReduceMean", (1, 3), opset=18, noop_with_empty_axes=1)
    yield case("ReduceMean", (1, 3), [int64(1)], opset=18)

    for op in ("ReduceProd", "ReduceLogSumExp"):
        yield case(op, (1, 3, 7, 5), opset=11, axes=[2, 3])
        yield case(op, (1, 3, 7), [int64(1)], opset=18, keepdims=0)
    yield case("ReduceLogSum", (1, 3, 7), [int64(1)], opset=18)


def selections() -> Iterator[Case]:
    """The largest elements, and where they are."""
    for op, axis, keepdims in itertools.product(("ArgMax", "ArgMin"), (0, 1, -1), (0, 1)):
        yield integer_output(case(op, (2, 3, 4), axis=axis, keepdims=keepdims))
    yield integer_output(case("ArgMax", (1, 3, 4), opset=11))
    for opset, axis in ((7, None), (11, 1), (13, 1), (13, None)):
        yield case("Hardmax", (2, 3, 4), opset=opset, axis=axis)
        yield case("LogSoftmax", (2, 3, 4), opset=opset, axis=axis)
    for largest, axis in itertools.product((0, 1), (0, 1, -1)):
        yield integer_output(
            case("TopK", (2, 5, 4), [int64(2)], 11, outputs=2, largest=largest, axis=axis)
        )
    yield integer_output(case("TopK", (2, 5, 4), opset=7, outputs=2, k=3))
    for p, axis in itertools.product((1, 2), (0, 1, -1)):
        yield case("LpNormalization", (2, 3, 4), opset=13, p=p, axis=axis)


def integer_output(model: Case) -> Case:
    """The model with its last output declared as what it is."""
    model.graph.output[-1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    return model


def scans() -> Iterator[Case]:
    for op, opset, axis in (("CumSum", 14, 0), ("CumSum", 14, -1)):
        for exclusive, reverse in itertools.product((0, 1), (0, 1)):
            axes = [np.array(axis, np.int64)]
            yield case(op, (2, 5), axes, opset, exclusive=exclusive, reverse=reverse)


def indices() -> Iterator[Case]:
    """Elements that known indices pick, and places that they write to."""
    places = np.array([[[2, 0, -1, 1]], [[0, 1, 1, 0]]])
    for axis in (0, 1, 2):
        yield case("GatherElements", (3, 3, 4), [places.clip(-3, 2)], axis=axis)
        updates = normal(2, 1, 4)
        yield case("ScatterElements", (3, 3, 4), [places % 3, updates], axis=axis)
    random = np.random.default_rng(0).integers(-5, 5, (2, 3, 6, 4))
    yield case("GatherElements", (2, 5, 6, 5), [random], axis=1)
    for reduction in ("add", "mul", "max", "min"):
        same = np.array([[1, 1, 0, 1]])
        operands = [same, normal(1, 4)]
        yield case("ScatterElements", (3, 4), operands, 18, reduction=reduction, axis=0)
    for where, lead in (
        ([[0, 1], [2, 0]], 0),
        ([[[0, 1]], [[2, 0]], [[1, 1]]], 0),
        ([[1], [0]], 1),
    ):
        shape = (2, 3, 4) if lead else (3, 2, 4)
        yield case("GatherND", shape, [np.array(where)], batch_dims=lead)
    yield case("ScatterND", (3, 4), [np.array([[2], [0]]), normal(2, 4)])
    yield case("Compress", (2, 3, 4), [np.array([True, False, True])], axis=1)
    yield case("Compress", (2, 3), [np.array([False, True, True])])
    yield case("ReverseSequence", (4, 3, 2), [int64(4, 1, 2)])
    yield case("ReverseSequence", (3, 4, 2), [int64(4, 1, 2)], batch_axis=0, time_axis=1)
    for upper, offset in itertools.product((0, 1), (-1, 0, 1)):
        yield case("Trilu", (2, 3, 4), [np.array(offset)], 14, upper=upper)
    operands = [int64(5, 5), int64(2, 2)]
    yield case("Col2Im", (1, 8, 9), operands, 18, strides=[2, 2], pads=[0, 1, 1, 0])
    yield case("Pad", (2, 3), [int64(1, 2, 0, 4)], 19, mode="wrap")


def contractions() -> Iterator[Case]:
    for equation, other in (
        ("bij,bjk->bik", (2, 4, 5)),
        ("bij,bjk->ik", (2, 4, 5)),
        ("bij,jk", normal(4, 5)),
        ("bij,bij->b", (2, 3, 4)),
        ("bij,k->kbi", normal(5)),
        ("...ij,...jk->...ik", normal(1, 4, 5)),
        ("bij,lij->bl", normal(5, 3, 4)),
    ):
        yield case("Einsum", (2, 3, 4), [other], equation=equation)
    for equation in ("bij->bji", "bij->b", "bij->", "b...->...b", "bij->ij"):
        yield case("Einsum", (2, 3, 4), equation=equation)
    yield case("Einsum", (3, 3, 2), equation="iij->ij")


def transposed_convolutions() -> Iterator[Case]:
    w, b = normal(4, 3, 3, 2), normal(3)
    for strides, pads in itertools.product(([1, 1], [2, 3], [3, 1]), ([0, 0, 0, 0], [1, 0, 2, 1])):
        yield case("ConvTranspose", (1, 4, 5, 4), [w, b], strides=strides, pads=pads)
    yield case("ConvTranspose", (1, 4, 5, 4), [w], strides=[2, 2], output_padding=[1, 0])
    yield case("ConvTranspose", (1, 4, 5, 4), [w], dilations=[2, 3], pads=[5, 0, 0, 4])
    yield case("ConvTranspose", (1, 4, 5, 4), [w], strides=[2, 2], output_shape=[10, 8])
    for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        yield case("ConvTranspose", (1, 4, 5, 4), [w], strides=[2, 2], auto_pad=auto_pad)
    yield case("ConvTranspose", (1, 4, 5), [normal(4, 2, 3), normal(4)], group=2, strides=[2])
    yield case("ConvTranspose", (1, 2, 3, 4, 3), [normal(2, 3, 2, 3, 2)], strides=[2, 1, 2])


def samples() -> Iterator[Case]:
    """What is read between pixels, and of waves."""
    grid = normal(2, 2, 3, 2) * np.float32(0.9)
    for mode, padding, corners in itertools.product(
        ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (0, 1)
    ):
        yield case(
            "GridSample",
            (2, 3, 5, 4),
            [grid],
            16,
            mode=mode,
            padding_mode=padding,
            align_corners=corners,
        )
    for op in ("Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh"):
        yield case(op, (1, 3, 4))
    yield case("LpPool", (1, 2, 6, 6), opset=18, kernel_shape=[3, 2], strides=[2, 1])
    yield case("GlobalLpPool", (1, 2, 6, 6), p=1)


CASES = [
    *convolutions(),
    *pools(),
    *matrices(),
    *normalizations(),
    *elements(),
    *functions(),
    *choices(),
    *composites(),
    *reshapes(),
    *slices(),
    *gathers(),
    *resizes(),
    *pads(),
    *reductions(),
    *selections(),
    *scans(),
    *indices(),
    *contractions(),
    *transposed_convolutions(),
    *samples(),
]


def describe(model: onnx.ModelProto) -> str:
    node, opset = model.graph.node[0], model.opset_import[0].version
    attributes = [f"{item.name}={onnx.helper.get_attribute_value(item)}" for item in node.attribute]
    return "-".join([node.op_type, str(opset), *attributes]).replace(" ", "")


@pytest.mark.parametrize("model", CASES, ids=describe)
def test_operator(model: onnx.ModelProto):
    module = import_model(model)
    module.verify()
    inputs = {name: normal(2, *shape, seed=7) for name, shape in Network(module).inputs.items()}
    if model.graph.node[0].op_type in POSITIVE:
        inputs = {name: np.abs(array) for name, array in inputs.items()}
    found, expected = evaluate(module, inputs), Reference(model)(inputs)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].size == array.size
        np.testing.assert_allclose(found[name].reshape(array.shape), array, rtol=1e-4, atol=1e-5)


def test_what_depends_on_rounding_is_refused():
    """onnxruntime and onnx's evaluator take different elements here."""
    model = resize("half_pixel_symmetric", (1, 1, 0.6, 1), rounding="floor", opset=19)
    with pytest.raises(CmcError, match="element 1 of the result lies between two elements"):
        import_model(model)


def test_corners_between_elements_are_refused():
    """ONNX and its runtimes differ in which element of 2.4 is the last."""
    model = resize("align_corners", (1, 1, 1, 0.6), mode="linear")
    for translate in (import_model, import_network):
        with pytest.raises(CmcError, match=r"scale 0\.6 makes 2\.4 elements of the 4 of axis 3"):
            translate(model)


def test_attributes_that_nobody_reads_are_refused():
    model = case("Cast", (1, 3), opset=25, to=onnx.TensorProto.FLOAT, round_mode="down")
    with pytest.raises(CmcError, match="attribute 'round_mode' is not supported"):
        import_model(model)


def test_elements_in_no_order_are_refused():
    """Each would be a part of a relation of its own."""
    order = np.random.default_rng(0).permutation(2000).reshape(1, 2000)
    with pytest.raises(CmcError, match="the 2000 elements lie in no order"):
        import_model(case("GatherElements", (1, 2000), [order], axis=1))
