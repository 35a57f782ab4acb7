"""The `nn` dialect: a graph of tensor operators with ONNX's meaning, for one inference.

Every value is a float32 tensor of static shape. The first axis of inputs and outputs is the batch,
which is one: the machine sees a stream of images, not batches. The graph is the body of a
`func.func`, whose arguments and results carry their ONNX names in `nn.name`.
"""

from xdsl.ir import Dialect

from cmc.dialects.nn.base import LARGEST, F32Tensor, TensorOp, shape_of, tensor_type, too_large
from cmc.dialects.nn.elementwise import (
    AbsOp,
    AddOp,
    BinaryOp,
    ClipOp,
    DivOp,
    ExpOp,
    LeakyReluOp,
    MaximumOp,
    MinimumOp,
    MulOp,
    NegOp,
    PowOp,
    ReluOp,
    SigmoidOp,
    SqrtOp,
    SubOp,
    TanhOp,
    UnaryOp,
)
from cmc.dialects.nn.layout import (
    ConcatOp,
    ConstantOp,
    PadMode,
    PadModeAttr,
    PadOp,
    ReshapeOp,
    SliceOp,
    TransposeOp,
    constant_array,
)
from cmc.dialects.nn.linear import BatchNormOp, LRNOp, MatMulOp, SoftmaxOp
from cmc.dialects.nn.weights import WeightsAttr
from cmc.dialects.nn.windowed import AveragePoolOp, ConvOp, MaxPoolOp, PoolOp

__all__ = [
    "LARGEST",
    "NAME",
    "AbsOp",
    "AddOp",
    "AveragePoolOp",
    "BatchNormOp",
    "BinaryOp",
    "ClipOp",
    "ConcatOp",
    "ConstantOp",
    "ConvOp",
    "DivOp",
    "ExpOp",
    "F32Tensor",
    "LRNOp",
    "LeakyReluOp",
    "MatMulOp",
    "MaxPoolOp",
    "MaximumOp",
    "MinimumOp",
    "MulOp",
    "NegOp",
    "Nn",
    "PadMode",
    "PadModeAttr",
    "PadOp",
    "PoolOp",
    "PowOp",
    "ReluOp",
    "ReshapeOp",
    "SigmoidOp",
    "SliceOp",
    "SoftmaxOp",
    "SqrtOp",
    "SubOp",
    "TanhOp",
    "TensorOp",
    "TransposeOp",
    "UnaryOp",
    "WeightsAttr",
    "constant_array",
    "shape_of",
    "tensor_type",
    "too_large",
]

NAME = "nn.name"
"""The attribute of a function's argument or result that holds its ONNX name."""

Nn = Dialect(
    "nn",
    [
        AbsOp,
        AddOp,
        AveragePoolOp,
        BatchNormOp,
        ClipOp,
        ConcatOp,
        ConstantOp,
        ConvOp,
        DivOp,
        ExpOp,
        LRNOp,
        LeakyReluOp,
        MatMulOp,
        MaxPoolOp,
        MaximumOp,
        MinimumOp,
        MulOp,
        NegOp,
        PadOp,
        PowOp,
        ReluOp,
        ReshapeOp,
        SigmoidOp,
        SliceOp,
        SoftmaxOp,
        SqrtOp,
        SubOp,
        TanhOp,
        TransposeOp,
    ],
    [PadModeAttr, WeightsAttr],
)
