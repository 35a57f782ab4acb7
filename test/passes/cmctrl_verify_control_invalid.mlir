// RUN: cmc-opt %s -p cmctrl-verify-control --split-input-file --verify-diagnostics | filecheck %s

// The control of a convolution of 3 with stride 2, and what is wrong with it.

// CHECK: cmctrl_verify_control_invalid.mlir:{{[0-9]+}}:5: error: the ready machine of @a for @conv enables @conv[1] once @a[1] is written, and @conv[1] reads @a[2], which comes later
cmctrl.chip @strided {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
    cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
    cmctrl.credits @a for @conv count 3
    cmctrl.program @stream over #poly.set<"{ [w] : 0 <= w < 8 }"> {
      affine.for %w = 0 to 8 {
        cmctrl.send @a [%w]
      }
    }
  }
  cmctrl.core @conv {
    cmctrl.ring @a for @conv at 0 slots 3
    cmctrl.machine ready @a for @conv {
      affine.for %i = 0 to 4 {
        cmctrl.await [%i]
        cmctrl.enable [%i]
      }
    }
    cmctrl.machine free @a for @conv {
      affine.for %i = 1 to 4 {
        cmctrl.await [%i]
        %last = arith.constant 3 : index
        %is_last = arith.cmpi eq, %i, %last : index
        scf.if %is_last {
          cmctrl.release [7]
        } else {
          cmctrl.release [2 * %i - 1]
        }
      }
    }
    cmctrl.program @conv over #poly.set<"{ [w] : 0 <= w < 4 }"> {
      affine.for %w = 0 to 4 {
        cmctrl.iteration [%w] {
          %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [2w + k - 2, c] }"> : vector<3x1xf32>
          %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
          cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
        }
      }
    }
  }
}

// -----

// CHECK: cmctrl_verify_control_invalid.mlir:{{[0-9]+}}:5: error: the free machine of @a for @conv does not release @a[0] until @conv[2] is done, and that reads neither it nor an element before it
cmctrl.chip @strided {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
    cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
    cmctrl.credits @a for @conv count 3
    cmctrl.program @stream over #poly.set<"{ [w] : 0 <= w < 8 }"> {
      affine.for %w = 0 to 8 {
        cmctrl.send @a [%w]
      }
    }
  }
  cmctrl.core @conv {
    cmctrl.ring @a for @conv at 0 slots 3
    cmctrl.machine ready @a for @conv {
      affine.for %i = 0 to 4 {
        cmctrl.await [2 * %i]
        cmctrl.enable [%i]
      }
    }
    cmctrl.machine free @a for @conv {
      affine.for %i = 2 to 4 {
        cmctrl.await [%i]
        %last = arith.constant 3 : index
        %is_last = arith.cmpi eq, %i, %last : index
        scf.if %is_last {
          cmctrl.release [7]
        } else {
          cmctrl.release [2 * %i - 3]
        }
      }
    }
    cmctrl.program @conv over #poly.set<"{ [w] : 0 <= w < 4 }"> {
      affine.for %w = 0 to 4 {
        cmctrl.iteration [%w] {
          %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [2w + k - 2, c] }"> : vector<3x1xf32>
          %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
          cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
        }
      }
    }
  }
}

// -----

// CHECK: cmctrl_verify_control_invalid.mlir:{{[0-9]+}}:5: error: the writer has 3 credits for the 4 slots of @a for @conv: it waits for room that is there
cmctrl.chip @strided {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
    cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
    cmctrl.credits @a for @conv count 3
    cmctrl.program @stream over #poly.set<"{ [w] : 0 <= w < 8 }"> {
      affine.for %w = 0 to 8 {
        cmctrl.send @a [%w]
      }
    }
  }
  cmctrl.core @conv {
    cmctrl.ring @a for @conv at 0 slots 4
    cmctrl.machine ready @a for @conv {
      affine.for %i = 0 to 4 {
        cmctrl.await [2 * %i]
        cmctrl.enable [%i]
      }
    }
    cmctrl.machine free @a for @conv {
      affine.for %i = 1 to 4 {
        cmctrl.await [%i]
        %last = arith.constant 3 : index
        %is_last = arith.cmpi eq, %i, %last : index
        scf.if %is_last {
          cmctrl.release [7]
        } else {
          cmctrl.release [2 * %i - 1]
        }
      }
    }
    cmctrl.program @conv over #poly.set<"{ [w] : 0 <= w < 4 }"> {
      affine.for %w = 0 to 4 {
        cmctrl.iteration [%w] {
          %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [2w + k - 2, c] }"> : vector<3x1xf32>
          %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
          cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
        }
      }
    }
  }
}
