// RUN: cmc-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// Chips.

// CHECK: error: 'cmctrl.chip' op a chip has one GCU
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
}

// -----

// CHECK: error: 'cmctrl.chip' op object @b has no writer
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op object @a has two writers
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.program @one over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
    cmctrl.program @other over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op two programs are named @in
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
  cmctrl.core @c {
    cmctrl.program @in over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %v, @b #poly.map<"{ [] -> [0] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op channel @a for @s has no credits
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
  cmctrl.core @c {
    cmctrl.ring @a for @s at 0 slots 1
    cmctrl.machine ready @a for @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a for @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
        %c = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %c, @b #poly.map<"{ [] -> [0] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op channel @a for @s has no ring
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.credits @a for @s count 1
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op there are two credits for channel @a for @s
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.credits @a for @s count 1
    cmctrl.credits @a for @s count 2
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.chip' op credits for @b are in the GCU, which does not write it
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.credits @b for @s count 1
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
  cmctrl.core @c {
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %v, @b #poly.map<"{ [] -> [0] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.credits' op a count of credits is not negative
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.credits @a for @s count -1
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
}

// -----

// Cores.

// CHECK: error: 'cmctrl.core' op @s reads @a, and has no ring for it
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmctrl.machine ready @a for @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a for @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
        %c = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op @s reads @a, and has no free machine for it
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a for @s at 0 slots 1
    cmctrl.machine ready @a for @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
        %c = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op a superfluous ready machine for @a for @s
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a for @s at 0 slots 1
    cmctrl.machine ready @a for @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine ready @a for @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a for @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
        %c = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op a superfluous ring for @b for @s
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a for @s at 0 slots 1
    cmctrl.ring @b for @s at 4 slots 1
    cmctrl.machine ready @a for @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a for @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
        %c = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.core' op the rings @a for @s and @b for @s overlap in SRAM
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.object @y : memref<vector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a for @s at 0 slots 2
    cmctrl.ring @b for @s at 4 slots 1
    cmctrl.machine ready @a for @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @a for @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.machine ready @b for @s {
      cmctrl.await [1]
      cmctrl.enable []
    }
    cmctrl.machine free @b for @s {
      cmctrl.await []
      cmctrl.release [1]
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
        %u = cmpipe.read @b #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
        %c = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %c, @y #poly.map<"{ [] -> [] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.ring' op a ring has at least 1 slot, at an address of at least 0
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.ring @a for @s at 0 slots 0
  }
}

// -----

// CHECK: error: 'cmctrl.ring' op there is no object @a
cmctrl.chip @p {
  cmctrl.core @c {
    cmctrl.ring @a for @s at 0 slots 1
  }
}

// -----

// Programs.

// CHECK: error: 'cmctrl.program' op a program starts no iteration
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.program' op a core runs iterations, and the GCU sends
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.program' op the program has 0 dimensions, and the point has 1
cmctrl.chip @p {
  cmctrl.core @c {
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [0] {
        %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.program' op the latency of a program is at least 1 cycle
cmctrl.chip @p {
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.program @s over #poly.set<"{ [] }"> latency 0 {
      cmctrl.iteration [] {
        %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
        cmpipe.write %v, @b #poly.map<"{ [] -> [0] }"> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.program' op an iteration writes exactly one vector
cmctrl.chip @p {
  cmctrl.core @c {
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.send' op @a has 1 dimensions, and the point has 2
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      affine.for %w = 0 to 2 {
        cmctrl.send @a [%w, 0]
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.iteration' op expects ancestor op 'cmctrl.program'
cmctrl.chip @p {
  cmctrl.core @c {
    cmctrl.iteration [] {
      %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    }
  }
}

// -----

// CHECK: error: 'cmctrl.program' op a program writes exactly one object
cmctrl.chip @p {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmctrl.gcu {
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      cmctrl.send @a []
      cmctrl.send @b []
    }
  }
}

// -----

// CHECK: error: 'cmctrl.send' op the point's map has as many dimensions as there are indices
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.program @in over #poly.set<"{ [w] : 0 <= w < 2 }"> {
      "cmctrl.send"() <{object = @a, point = affine_map<(d0) -> (d0)>}> : () -> ()
    }
  }
}

// -----

// Machines.

// CHECK: error: 'cmctrl.machine' op there is no program @t in this core
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.machine ready @a for @t {
      cmctrl.await [0]
      cmctrl.enable [0]
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op @a has 1 dimensions, and the point has 2
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.machine ready @a for @s {
      cmctrl.await [0, 0]
      cmctrl.enable []
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op program @s has 0 dimensions, and the point has 1
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.machine ready @a for @s {
      cmctrl.await [0]
      cmctrl.enable [0]
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op a free machine releases, and enables nothing
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.machine free @a for @s {
      cmctrl.await []
      cmctrl.enable []
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op a ready machine enables, and releases nothing
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.machine ready @a for @s {
      cmctrl.await [1]
      cmctrl.release [1]
    }
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      }
    }
  }
}

// -----

// CHECK: error: 'cmctrl.machine' op expects parent op 'cmctrl.core'
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.gcu {
    cmctrl.machine ready @a for @s {
      cmctrl.await [0]
      cmctrl.enable [0]
    }
  }
}

// -----

// CHECK: error: 'cmctrl.await' op expects ancestor op 'cmctrl.machine'
cmctrl.chip @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmctrl.core @c {
    cmctrl.await [1]
    cmctrl.program @s over #poly.set<"{ [] }"> {
      cmctrl.iteration [] {
        %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<2x1xf32>
      }
    }
  }
}
