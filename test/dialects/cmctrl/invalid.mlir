// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// Chips.

// CHECK: error: 'cmctrl.chip' op a chip has one GCU
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
}

// -----

// CHECK: error: 'cmctrl.chip' op object @b has no writer; every object is written by stages, or is an input
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op @one and @other both write @a[0]
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @one "one" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmpipe.input @other "other" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @one {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
    cmctrl.program @other {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op two things of the chip are named @in
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
  cmctrl.core @c {
    cmpipe.stage @in in #poly.set<"{ [] }"> {
      %v = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.program @in {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op there is a ring for @a from @s to @s, and @s reads nothing that @s writes of @a
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @s to @s at 0 slots 1
    cmctrl.machine ready @a from @s to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a from @s to @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmpipe.object' op an object with a value is a constant of a stage, and one without travels
cmctrl.chip @p {
  cmpipe.object @a : memref<vector<2xf32>>
  cmctrl.gcu {
    cmpipe.object @a #nn.weights<[1.0, 2.0]> : memref<vector<2xf32>>
    cmpipe.input @in "in" @a #poly.map<"{ [c] -> [c] }"> : tensor<2xf32>
    cmctrl.program @in {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op stage @s holds @a, and outside of it something else has that name
cmctrl.chip @p {
  cmpipe.object @a : memref<vector<2xf32>>
  cmpipe.object @b : memref<vector<2xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [c] -> [c] }"> : tensor<2xf32>
    cmctrl.program @in {
      cmctrl.start []
    }
  }
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      cmpipe.object @a #nn.weights<[1.0, 2.0]> : memref<vector<2xf32>>
      %v = cmpipe.read @a #poly.map<"{ [c] -> [c] }"> : vector<2xf32>
      cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<2xf32>
    }
    cmctrl.constants @s at 0
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op channel @a from @in to @s has no credits
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @in to @s at 0 slots 1
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a from @in to @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op @s reads @a, and has no ring for what @right writes of it
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @left "left" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<1x1xf32>
    cmpipe.input @right "right" @a #poly.map<"{ [w, c] -> [w + 1, c] }"> : tensor<1x1xf32>
    cmctrl.credits @a from @left to @s count 1
    cmctrl.program @left {
      cmctrl.start [0]
    }
    cmctrl.program @right {
      cmctrl.start [1]
    }
  }
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @left to @s at 0 slots 1
    cmctrl.machine ready @a from @left to @s {
      cmctrl.await [0]
      cmctrl.enable []
    }
    cmctrl.machine free @a from @left to @s {
      cmctrl.await []
      cmctrl.release [0]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op channel @a from @in to @s has no ring
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.credits @a from @in to @s count 1
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op there are two credits for channel @a from @in to @s
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.credits @a from @in to @s count 1
    cmctrl.credits @a from @in to @s count 2
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op credits for @b from @s to @s are in the GCU, where @s is not
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.credits @b from @s to @s count 1
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.credits' op the count of credits should be from 0 to 2147483647, and is
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.credits @a from @in to @s count -1
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
}

// -----

// Cores.

// CHECK: error: 'cmctrl.core' op there is a ready machine for @a from @in to @s, and no ring
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a from @in to @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op there is a ring for @a from @in to @s, and no free machine
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @in to @s at 0 slots 1
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op a superfluous ready machine for @a from @in to @s
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @in to @s at 0 slots 1
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a from @in to @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op a superfluous ring for @b from @in to @s
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @in to @s at 0 slots 1
    cmctrl.ring @b from @in to @s at 4 slots 1
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a from @in to @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op there is a ring for @a from @in to @s, and no ready machine
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @in to @s at 0 slots 1
    cmctrl.machine ready @a from @out to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a from @in to @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op the ring of @a from @in to @s and the ring of @b from @in to @s overlap in SRAM
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %u = cmpipe.read @b #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @in to @s at 0 slots 2
    cmctrl.ring @b from @in to @s at 4 slots 1
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a from @in to @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.machine ready @b from @in to @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @b from @in to @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.ring' op the number of slots should be from 1 to 2147483647, and is
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a from @in to @s at 0 slots 0
  }
}

// -----

// CHECK: error: 'cmctrl.ring' op the ring of @a from @in to @s should begin at a multiple of 4 bytes, not at 6
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a from @in to @s at 6 slots 1
  }
}

// -----

// CHECK: error: 'cmctrl.ring' op the ring of @a from @in to @s should lie between 0 and 4294967296, and lies from -4 to 0
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a from @in to @s at -4 slots 1
  }
}

// -----

// CHECK: error: 'cmctrl.ring' op the ring of @a from @in to @s should lie between 0 and 4294967296, and lies from 0 to 6000000000
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a from @in to @s at 0 slots 1500000000
  }
}

// -----

// CHECK: error: 'cmctrl.constants' op there is no stage @s in this core
cmctrl.chip @p {
  cmctrl.core @c {
    cmctrl.constants @s at 0
  }
}

// -----

// CHECK: error: 'cmctrl.core' op the constants of @s have 0 places in SRAM
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<2xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %c = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<2xf32>
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op the constants of @s and the constants of @t overlap in SRAM
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<2xf32>>
  cmpipe.object @z : memref<vector<2xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %c = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<2xf32>
    }
    cmpipe.stage @t in #poly.set<"{ [] }"> {
      cmpipe.object @c #nn.weights<[1.0, 2.0]> : memref<vector<2xf32>>
      %c = cmpipe.read @c #poly.map<"{ [c] -> [c] }"> : vector<2xf32>
      cmpipe.write %c, @z #poly.map<"{ [] -> [] }"> : vector<2xf32>
    }
    cmctrl.constants @s at 0
    cmctrl.constants @t at 4
    cmctrl.program @s {
      cmctrl.start []
    }
    cmctrl.program @t {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.ring' op there is no object @a
cmctrl.chip @p {
  cmctrl.core @c {
    cmctrl.ring @a from @in to @s at 0 slots 1
  }
}

// -----

// Programs.

// CHECK: error: 'cmctrl.program' op a program starts no iteration
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "x" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.program' op there is no stage or input @in here
cmctrl.chip @p {
  cmctrl.core @c {
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op no program runs @s
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %v, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
  }
}

// -----

// CHECK: error: 'cmctrl.gcu' op two programs run @in
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "x" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.program' op @s has 0 dimensions, and the point has 1
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %v, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.program @s {
      cmctrl.start [0]
    }
  }
}

// -----

// CHECK: error: 'cmctrl.program' op @in has 1 dimensions, and the point has 2
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @in {
      affine.for %w = 0 to 2 {
        cmctrl.start [%w, 0]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.start' op expects ancestor op 'cmctrl.program'
cmctrl.chip @p {
  cmctrl.core @c {
    cmctrl.start []
  }
}

// -----

// CHECK: error: 'cmctrl.start' op the point's map has as many dimensions as there are indices
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "x" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<2x1xf32>
    cmctrl.program @in {
      "cmctrl.start"() <{point = affine_map<(d0) -> (d0)>}> : () -> ()
    }
  }
}

// -----

// Machines.

// CHECK: error: 'cmctrl.machine' op there is no stage @t in this core
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.machine ready @a from @in to @t {
      cmctrl.await [0]
      cmctrl.enable [0]
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op @a has 1 dimensions, and the point has 2
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<1xf32>>
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [0, 0]
      cmctrl.enable []
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op stage @s has 0 dimensions, and the point has 1
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<1xf32>>
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [0]
      cmctrl.enable [0]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op a free machine releases, and enables nothing
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<1xf32>>
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.machine free @a from @in to @s {
      cmctrl.await []
      cmctrl.enable []
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op a ready machine enables, and releases nothing
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<1xf32>>
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [1]
      cmctrl.release [1]
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op expects parent op 'cmctrl.core'
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.machine ready @a from @in to @s {
      cmctrl.await [0]
      cmctrl.enable [0]
    }
  }
}

// -----

// CHECK: error: 'cmctrl.await' op expects ancestor op 'cmctrl.machine'
cmctrl.chip @p {
  cmpipe.object @y : memref<vector<1xf32>>
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      %c = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.await [1]
    cmctrl.program @s {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op core @c and core @d are both at 1
cmctrl.chip @p on #cmpipe.target<name = "small", cores = 4, topology = "mesh", grid = [2, 2]> {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmpipe.object @x : memref<vector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @x #poly.map<"{ [c] -> [c] }"> : tensor<1xf32>
    cmctrl.program @in {
      cmctrl.start []
    }
  }
  cmctrl.core @c at 1 {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %v, @a #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
  cmctrl.core @d at 1 {
    cmpipe.stage @t in #poly.set<"{ [] }"> {
      %v = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.program @t {
      cmctrl.start []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op core @d is at 4, and target small has places from 0 to 3
cmctrl.chip @p on #cmpipe.target<name = "small", cores = 4, topology = "mesh", grid = [2, 2]> {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmpipe.object @x : memref<vector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @in "in" @x #poly.map<"{ [c] -> [c] }"> : tensor<1xf32>
    cmctrl.program @in {
      cmctrl.start []
    }
  }
  cmctrl.core @c at 0 {
    cmpipe.stage @s in #poly.set<"{ [] }"> {
      %v = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %v, @a #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.program @s {
      cmctrl.start []
    }
  }
  cmctrl.core @d at 4 {
    cmpipe.stage @t in #poly.set<"{ [] }"> {
      %v = arith.constant dense<1.0> : vector<1xf32>
      cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
    }
    cmctrl.program @t {
      cmctrl.start []
    }
  }
}
