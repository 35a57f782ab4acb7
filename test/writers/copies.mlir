// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An object with two writers, level by level: a slow stage, twice, for even elements and for odd.
//
// Both copies hold the same matrix. @even writes @b[0], @b[2], ..., and @odd @b[1], @b[3], ...; so
// they work on neighbours at the same time. The window of @sum reaches across both.

// RUN: cmc-opt %s -p cmpipe-derive-control,cmpipe-size-buffers{policy=minimal} | filecheck %s --check-prefix=PIPELINE
// RUN: cmc-opt %s -p cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl,cmctrl-verify-control | filecheck %s --check-prefix=CHIP

// Each writer has a channel of its own to the reader. Once @b[4] is there, all is that
// @sum[3] and @sum[4] read of even elements; so @even enables even iterations, and @odd odd ones.

// PIPELINE:      cmpipe.channel @a from @a_stream to @even
// PIPELINE-NEXT: cmpipe.channel @a from @a_stream to @odd
// PIPELINE-NEXT: cmpipe.channel @b from @even to @sum slots 2 ready #poly.map<"{ b[i0] -> sum[i0] : (i0) mod 2 = 0 and 0 <= i0 <= 6 }">
// PIPELINE-NEXT: cmpipe.channel @b from @odd to @sum slots 2

// CHIP:      cmctrl.core @core2 {
// CHIP:        cmctrl.ring @b from @even to @sum at 0 slots 2
// CHIP-NEXT:   cmctrl.ring @b from @odd to @sum at 8 slots 2
// CHIP-NEXT:   cmctrl.machine ready @b from @even to @sum {
// CHIP-NEXT:     affine.for %w = 0 to 4 {
// CHIP-NEXT:       cmctrl.await [%w * 2]
// CHIP-NEXT:       cmctrl.enable [%w * 2]
// CHIP-NEXT:     }
// CHIP-NEXT:   }
// CHIP:        cmctrl.machine ready @b from @odd to @sum {
// CHIP-NEXT:     affine.for %w = 0 to 2 {
// CHIP-NEXT:       cmctrl.await [%w * 2 + 1]
// CHIP-NEXT:       cmctrl.enable [%w * 2 + 1]
// CHIP-NEXT:     }
// CHIP-NEXT:     cmctrl.await [5]
// CHIP-NEXT:     cmctrl.enable [6]
// CHIP-NEXT:   }
// CHIP-NEXT:   cmctrl.machine free @b from @odd to @sum {
// CHIP-NEXT:     affine.for %w = 2 to 7 step 2 {
// CHIP-NEXT:       cmctrl.await [%w]
// CHIP-NEXT:       cmctrl.release [%w - 1]
// CHIP-NEXT:     }
// CHIP-NEXT:   }

cmpipe.pipeline @copies {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<7xvector<1xf32>>
  cmpipe.object @c : memref<7xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x7xf32>
  cmpipe.stage @even in #poly.set<"{ [w] : 0 <= w < 4 }"> interval 2 {
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0]]> : tensor<2x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [2w + k, c] }"> : vector<2x1xf32>
    %y = cmpipe.mxv @w %v : vector<2x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [2w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@even]
  cmpipe.stage @odd in #poly.set<"{ [w] : 0 <= w < 3 }"> interval 2 {
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0]]> : tensor<2x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [2w + 1 + k, c] }"> : vector<2x1xf32>
    %y = cmpipe.mxv @w %v : vector<2x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [2w + 1] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@odd]
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 7 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k - 1, c] }"> : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 runs [@sum]
}
