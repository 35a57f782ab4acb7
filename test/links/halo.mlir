// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Two stages on a mesh, each in two copies of four columns, and what goes from one to the other.
//
//   place 0: @left ---- place 1: @right
//        |                   |
//   place 2: @sum_left - place 3: @sum_right
//
// A window has three columns. So of what @right writes, @sum_left reads the first column and no more,
// and @sum_right of what @left writes the last one: this halo is all that their channels carry. Its
// slots, credits and machines count two elements an image, one for each row, and not eight.

// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal}' -o %t.pipeline.mlir
// RUN: filecheck %s --input-file %t.pipeline.mlir --check-prefix=PIPELINE
// RUN: cmc-opt %t.pipeline.mlir -p 'convert-cmpipe-to-cmctrl,cmctrl-verify-control' -o %t.mlir
// RUN: filecheck %s --input-file %t.mlir --check-prefix=CHIP
// RUN: cmc run %t.mlir --random 1 --images 2 --mode interpret | filecheck %s
// RUN: cmc run %t.mlir --random 1 --images 2 | filecheck %s

// PIPELINE:      cmpipe.channel @x from @x_stream to @left carries #poly.set<"{ [i0, i1] : 0 <= i0 <= 1 and 0 <= i1 <= 3 }"> slots 1
// PIPELINE-NEXT: cmpipe.channel @x from @x_stream to @right carries #poly.set<"{ [i0, i1] : 0 <= i0 <= 1 and 4 <= i1 <= 7 }"> slots 1
// PIPELINE-NEXT: cmpipe.channel @a from @left to @sum_left slots 3
// PIPELINE-NEXT: cmpipe.channel @a from @right to @sum_left carries #poly.set<"{ [i0, i1 = 4] : 0 <= i0 <= 1 }"> slots 1 ready #poly.map<"{ a[i0, i1] -> sum_left[1, 2 + i0] : i1 = 4 and 0 <= i0 <= 1 }"> from #poly.set<"{ sum_left[h = 0, w = 2] }"> free #poly.map<"{ sum_left[h, w] -> a[h, 4] : w = 3 and 0 <= h <= 1 }">
// PIPELINE-NEXT: cmpipe.channel @a from @left to @sum_right carries #poly.set<"{ [i0, i1 = 3] : 0 <= i0 <= 1 }"> slots 1
// PIPELINE-NEXT: cmpipe.channel @a from @right to @sum_right slots 3

// CHIP:      cmctrl.ring @a from @left to @sum_left at 0 slots 3
// CHIP-NEXT: cmctrl.ring @a from @right to @sum_left carries #poly.set<"{ [i0, i1 = 4] : 0 <= i0 <= 1 }"> at 12 slots 1
// CHIP:      cmctrl.machine ready @a from @right to @sum_left {
// CHIP-NEXT:   cmctrl.enable [0, 2]
// CHIP-NEXT:   affine.for %h = 0 to 2 {
// CHIP-NEXT:     cmctrl.await [%h, 4]
// CHIP-NEXT:     cmctrl.enable [1, %h + 2]
// CHIP-NEXT:   }
// CHIP-NEXT: }
// CHIP-NEXT: cmctrl.machine free @a from @right to @sum_left {
// CHIP-NEXT:   affine.for %h = 0 to 2 {
// CHIP-NEXT:     cmctrl.await [%h, 3]
// CHIP-NEXT:     cmctrl.release [%h, 4]
// CHIP-NEXT:   }
// CHIP-NEXT: }

// A copy sends eight vectors of four bytes an image to the one below, and two to the other one: from
// @right to @sum_left by way of @left, over the links 1 -> 0 and 0 -> 2, and from @left to @sum_right
// by way of @right, over 0 -> 1 and 1 -> 3.

// CHECK: busy links: link core 0 -> core 2 {{.*}} (40 bytes an image), link core 1 -> core 3 {{.*}} (40 bytes an image), link core 1 -> core 0 {{.*}} (8 bytes an image), 1 more
// CHECK: 96 bytes x links an image, 20.0% above a bound of 80 for these cores

cmpipe.pipeline @halo on #cmpipe.target<
    name = "square", cores = 4, topology = "mesh", grid = [2, 2], link_bytes_per_cycle = 4,
    hop = 1> {
  cmpipe.object @x : memref<2x8xvector<1xf32>>
  cmpipe.object @a : memref<2x8xvector<1xf32>>
  cmpipe.object @b : memref<2x8xvector<1xf32>>
  cmpipe.input @x_stream "x" @x #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x2x8xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x2x8xf32>
  cmpipe.stage @left in #poly.set<"{ [h, w] : 0 <= h < 2 and 0 <= w < 4 }"> {
    %v = cmpipe.read @x #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 at 0 runs [@left]
  cmpipe.stage @right in #poly.set<"{ [h, w] : 0 <= h < 2 and 0 <= w < 4 }"> {
    %v = cmpipe.read @x #poly.map<"{ [h, w, c] -> [h, 4 + w, c] }"> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [h, w] -> [h, 4 + w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 at 1 runs [@right]
  cmpipe.stage @sum_left in #poly.set<"{ [h, w] : 0 <= h < 2 and 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, w + k - 1, c] }"> : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 at 2 runs [@sum_left]
  cmpipe.stage @sum_right in #poly.set<"{ [h, w] : 0 <= h < 2 and 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, 3 + w + k, c] }"> : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [h, w] -> [h, 4 + w] }"> : vector<1xf32>
  }
  cmpipe.core @core3 at 3 runs [@sum_right]
}
