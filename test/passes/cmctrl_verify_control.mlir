// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmctrl-verify-control | cmc-opt -p canonicalize,cse,cmctrl-verify-control | filecheck %s

// A convolution of 3 with stride 2 and 2 of padding, whose last element nothing reads. Its machines
// are written as a person would.

// CHECK:       cmctrl.machine ready @a from @a_stream to @conv {
// CHECK-NEXT:    affine.for %i = 0 to 4 {
// CHECK-NEXT:      cmctrl.await [%i * 2]
// CHECK-NEXT:      cmctrl.enable [%i]
cmctrl.chip @strided {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmctrl.gcu {
    cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
    cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
    cmctrl.credits @a from @a_stream to @conv count 3
    cmctrl.program @a_stream {
      affine.for %w = 0 to 8 {
        cmctrl.start [%w]
      }
    }
  }
  cmctrl.core @core0 {
    cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 4 }"> {
      %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [2w + k - 2, c] }"> : vector<3x1xf32>
      %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
      cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @a_stream to @conv at 0 slots 3
    cmctrl.machine ready @a from @a_stream to @conv {
      affine.for %i = 0 to 4 {
        cmctrl.await [2 * %i]
        cmctrl.enable [%i]
      }
    }
    cmctrl.machine free @a from @a_stream to @conv {
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
    cmctrl.program @conv {
      affine.for %w = 0 to 4 {
        cmctrl.start [%w]
      }
    }
  }
}
