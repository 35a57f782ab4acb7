// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An object with two writers, level by level: a matrix of four columns, cut into two of two.
//
// The block of columns is one more index of the object: @left writes all @b[w, 0], and @right all
// @b[w, 1]. @sum reads both blocks of two elements as vectors of four.

// RUN: cmc-opt %s -p cmpipe-derive-control,cmpipe-size-buffers{policy=minimal} | filecheck %s --check-prefix=PIPELINE
// RUN: cmc-opt %s -p cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl,cmctrl-verify-control | filecheck %s --check-prefix=CHIP

// Each writer has a channel of its own to the reader, with what waits for its elements alone.

// PIPELINE:      cmpipe.channel @b from @left to @sum slots 2
// PIPELINE-SAME:   ready #poly.map<"{ b[i0, i1] -> sum[-1 + i0] : i1 = 0 and 0 < i0 <= 3 }">
// PIPELINE-SAME:   free #poly.map<"{ sum[w] -> b[w, 0] : 0 <= w <= 1; sum[w] -> b[3, 0] : w = 2 }">
// PIPELINE-NEXT: cmpipe.channel @b from @right to @sum slots 2
// PIPELINE-SAME:   ready #poly.map<"{ b[i0, i1] -> sum[-1 + i0] : i1 = 1 and 0 < i0 <= 3 }">
// PIPELINE-SAME:   free #poly.map<"{ sum[w] -> b[w, 1] : 0 <= w <= 1; sum[w] -> b[3, 1] : w = 2 }">

// Channels become rings: one of vectors @b[w, 0], and one of vectors @b[w, 1]. The element that a
// read names says in which of them it lies. @sum waits for both ready machines.

// CHIP:      cmctrl.core @core2 {
// CHIP:        %v = cmpipe.read @b
// CHIP:        cmctrl.ring @b from @left to @sum at 0 slots 2
// CHIP-NEXT:   cmctrl.ring @b from @right to @sum at 16 slots 2
// CHIP-NEXT:   cmctrl.machine ready @b from @left to @sum {
// CHIP-NEXT:     affine.for %w = 1 to 4 {
// CHIP-NEXT:       cmctrl.await [%w, 0]
// CHIP-NEXT:       cmctrl.enable [%w - 1]
// CHIP-NEXT:     }
// CHIP-NEXT:   }
// CHIP-NEXT:   cmctrl.machine free @b from @left to @sum {
// CHIP-NEXT:     affine.for %w = 0 to 2 {
// CHIP-NEXT:       cmctrl.await [%w]
// CHIP-NEXT:       cmctrl.release [%w, 0]
// CHIP-NEXT:     }
// CHIP-NEXT:     cmctrl.await [2]
// CHIP-NEXT:     cmctrl.release [3, 0]
// CHIP-NEXT:   }
// CHIP-NEXT:   cmctrl.machine ready @b from @right to @sum {
// CHIP-NEXT:     affine.for %w = 1 to 4 {
// CHIP-NEXT:       cmctrl.await [%w, 1]
// CHIP-NEXT:       cmctrl.enable [%w - 1]
// CHIP-NEXT:     }
// CHIP-NEXT:   }
// CHIP-NEXT:   cmctrl.machine free @b from @right to @sum {
// CHIP:            cmctrl.release [3, 1]

cmpipe.pipeline @columns {
  cmpipe.object @a : memref<4xvector<2xf32>>
  cmpipe.object @b : memref<4x2xvector<2xf32>>
  cmpipe.object @c : memref<3xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x4xf32>
  cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x3xf32>
  cmpipe.stage @left in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0], [5.0, 6.0]]> : tensor<2x2xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    %y = cmpipe.mxv @w %v : vector<2xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w, 0] }"> : vector<2xf32>
  }
  cmpipe.core @core0 runs [@left]
  cmpipe.stage @right in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    cmpipe.crossbar @w #nn.weights<[[3.0, 4.0], [7.0, 8.0]]> : tensor<2x2xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    %y = cmpipe.mxv @w %v : vector<2xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w, 1] }"> : vector<2xf32>
  }
  cmpipe.core @core1 runs [@right]
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 3 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k, floor(c/2), c mod 2] }"> : vector<2x4xf32>
    %y = cmpipe.reduce add %v : vector<2x4xf32> -> vector<4xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core2 runs [@sum]
}
