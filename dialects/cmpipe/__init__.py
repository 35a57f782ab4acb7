# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A network as a pipeline of stages: objects, crossbars, cores and channels.

```mlir
cmpipe.pipeline @convolution {
  cmpipe.object @a : memref<10xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x10xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [1.0]]> : tensor<3x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
    %y = cmpipe.mxv @w %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@conv]
}
```

An *object* is an array of vectors. A *stage* is one perfect loop nest, executed in lexicographic
order of its domain; its body reads windows of objects and writes one vector an iteration. With the
matrices and the constants that it needs it is complete in itself: a *core* only lists stages, and
may have its place on the chip. A *channel* leads from a writer of an object to one of its readers
and says what waits for what.

Every element of an object is written once an image. Most objects have one writer; several write one
object between them, each its own elements: columns of a matrix that is cut, copies of a slow stage.

The operations of a body (`read`, `mxv`, `join`, `slice`, `reduce`, `constant`, `write`) stay as
they are when a pipeline is lowered to `cmctrl`: what changes is who starts an iteration, not what
it computes.
"""

from xdsl.ir import Dialect

from cmc.dialects.cmpipe.body import (
    CompareOp,
    ConstantOp,
    ElementwiseOp,
    EqualOp,
    JoinOp,
    LessEqualOp,
    LessOp,
    MxvOp,
    ReadOp,
    ReduceOp,
    ReductionKind,
    ReductionKindAttr,
    RemainderOp,
    SelectOp,
    SliceOp,
    WriteOp,
    computed_elements,
    stored_floats,
)
from cmc.dialects.cmpipe.circles import expect_no_wait_for_itself
from cmc.dialects.cmpipe.objects import (
    Carrying,
    Channel,
    CrossbarOp,
    IterationScope,
    ObjectOp,
    ObjectScope,
    ObjectType,
    OfChannel,
    UsesObject,
    channel_properties,
    expect_count,
    find_crossbar,
    find_object,
    iteration_scope,
    object_type,
    target_of,
    vector_length,
    vector_shape,
)
from cmc.dialects.cmpipe.pipeline import (
    ChannelOp,
    CoreOp,
    InputOp,
    OutputOp,
    PipelineOp,
    Placed,
    StageOp,
    StageScope,
    StreamsCallable,
    Writer,
    expect_own_names,
    expect_partition,
    expect_places,
    expect_ports,
    fed_back,
    read_by,
    read_from,
    stages_before,
    states_of,
    turns_of,
    writers_of,
)
from cmc.dialects.cmpipe.target import TargetAttr
from cmc.dialects.cmpipe.units import Unit, UnitsAttr

__all__ = [
    "Carrying",
    "Channel",
    "ChannelOp",
    "Cmpipe",
    "CompareOp",
    "ConstantOp",
    "CoreOp",
    "CrossbarOp",
    "ElementwiseOp",
    "EqualOp",
    "InputOp",
    "IterationScope",
    "JoinOp",
    "LessEqualOp",
    "LessOp",
    "MxvOp",
    "ObjectOp",
    "ObjectScope",
    "ObjectType",
    "OfChannel",
    "OutputOp",
    "PipelineOp",
    "Placed",
    "ReadOp",
    "ReduceOp",
    "ReductionKind",
    "ReductionKindAttr",
    "RemainderOp",
    "SelectOp",
    "SliceOp",
    "StageOp",
    "StageScope",
    "StreamsCallable",
    "TargetAttr",
    "Unit",
    "UnitsAttr",
    "UsesObject",
    "WriteOp",
    "Writer",
    "channel_properties",
    "computed_elements",
    "expect_count",
    "expect_no_wait_for_itself",
    "expect_own_names",
    "expect_partition",
    "expect_places",
    "expect_ports",
    "fed_back",
    "find_crossbar",
    "find_object",
    "iteration_scope",
    "object_type",
    "read_by",
    "read_from",
    "stages_before",
    "states_of",
    "stored_floats",
    "target_of",
    "turns_of",
    "vector_length",
    "vector_shape",
    "writers_of",
]

Cmpipe = Dialect(
    "cmpipe",
    [
        PipelineOp,
        ObjectOp,
        InputOp,
        OutputOp,
        CoreOp,
        CrossbarOp,
        StageOp,
        ReadOp,
        MxvOp,
        JoinOp,
        SliceOp,
        ReduceOp,
        LessOp,
        LessEqualOp,
        EqualOp,
        RemainderOp,
        SelectOp,
        ConstantOp,
        WriteOp,
        ChannelOp,
    ],
    [ReductionKindAttr, TargetAttr, UnitsAttr],
)
