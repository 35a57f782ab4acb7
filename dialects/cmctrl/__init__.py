# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a chip is configured with: SRAM maps, crossbars, iteration programs and state machines.

```mlir
cmctrl.core @core1 {
  cmpipe.stage @conv2 in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [1.0]]> : tensor<3x1xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
    %y = cmpipe.mxv @w %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmctrl.ring @b from @conv1 to @conv2 at 0 slots 3
  cmctrl.machine ready @b from @conv1 to @conv2 {
    affine.for %j = 2 to 8 {
      cmctrl.await [%j]
      cmctrl.enable [%j - 2]
    }
  }
  cmctrl.machine free @b from @conv1 to @conv2 {
    affine.for %w = 0 to 5 {
      cmctrl.await [%w]
      cmctrl.release [%w]
    }
    cmctrl.await [5]
    cmctrl.release [7]
  }
  cmctrl.program @conv2 {
    affine.for %w = 0 to 6 {
      cmctrl.start [%w]
    }
  }
}
```

A core holds the stages that it runs as they stand in the pipeline, and a *program* for each: the
loop nest that starts its iterations. An iteration starts as soon as every ready machine of the
stage has enabled it and every reader of what it writes has room. A *machine* is a sequence of
`await`s and of what may happen then; it runs through once an image, and starts again at once.
A *ready* machine snoops the writes of an object that arrive in its core, and enables iterations.
A *free* machine watches the iterations of its own core, and releases slots of a ring; each
released slot travels back to the writer as a *credit*. A core's SRAM is one array of bytes, in
which every *ring*, and the *constants* of every stage, have their address.
"""

from xdsl.ir import Dialect

from cmc.dialects.cmctrl.chip import (
    ChipOp,
    ConstantsOp,
    CoreOp,
    CreditsOp,
    GcuOp,
    InSram,
    MachineKind,
    MachineKindAttr,
    MachineOp,
    ProgramOp,
    RingOp,
)
from cmc.dialects.cmctrl.points import AwaitOp, EnableOp, PointOp, ReleaseOp, StartOp

__all__ = [
    "AwaitOp",
    "ChipOp",
    "Cmctrl",
    "ConstantsOp",
    "CoreOp",
    "CreditsOp",
    "EnableOp",
    "GcuOp",
    "InSram",
    "MachineKind",
    "MachineKindAttr",
    "MachineOp",
    "PointOp",
    "ProgramOp",
    "ReleaseOp",
    "RingOp",
    "StartOp",
]

Cmctrl = Dialect(
    "cmctrl",
    [
        ChipOp,
        GcuOp,
        CoreOp,
        RingOp,
        ConstantsOp,
        CreditsOp,
        ProgramOp,
        StartOp,
        MachineOp,
        AwaitOp,
        EnableOp,
        ReleaseOp,
    ],
    [MachineKindAttr],
)
