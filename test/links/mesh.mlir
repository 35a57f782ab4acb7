// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=whole},convert-cmpipe-to-cmctrl' -o %t.mlir
// RUN: filecheck %s --input-file %t.mlir --check-prefix=CHIP
// RUN: cmc run %t.mlir --random 1 --images 2 --mode interpret | filecheck %s
// RUN: cmc run %t.mlir --random 1 --images 2 | filecheck %s

// Four cores on a mesh of two rows and two columns:
//
//   place 0: @start --- place 1: @left
//        |                   |
//   place 2: @right --- place 3: @sum
//
// @left and @right read what @start writes, and @sum reads all three. What @start sends to @sum goes
// first along the row, over place 1. A vector has four numbers of four bytes, and a link is eight
// bytes wide: a vector holds it for two cycles. Its head comes to the next link one cycle after it
// began on this one. So over one free link it is there after 1 + 2 cycles, over two after 2 + 2.
//
// The GCU sends pixel 0 in cycle 0, @start begins in cycle 1, and its result leaves in cycle 2:
//
//   cycle  2  for @left on the link 0 -> 1, and for @right on the link 0 -> 2
//   cycle  4  the link 0 -> 1 is free again: for @sum, which had to wait
//   cycle  5  left[0] and right[0]. For @sum on the link 1 -> 3
//   cycle  6  both end. From @right on the link 2 -> 3, and it arrives in cycle 9
//   cycle  7  the link 1 -> 3 is free again: from @left, which had to wait. From @start it arrived
//             in cycle 8
//   cycle 10  from @left it has arrived as well: sum[0]
//
// The link 0 -> 1 has two vectors for each pixel, which takes four cycles, and so has 1 -> 3: all goes
// on from pixel to pixel four cycles later, and sum[7], pixel 3 of image 1, begins in cycle 38. From
// one start to the next @sum waits 3 cycles for what @left has sent, which waits for the link 1 -> 3.
//
// Rings hold an image. Pixel 0 of image 1 takes the slot of that of image 0, which @sum frees last, in
// cycle 11. The credit comes back over two links, in cycle 13: start[4] begins, and no link rests.

// CHIP: cmctrl.core @core0 at 0 {
// CHIP: cmctrl.core @core1 at 1 {
// CHIP: cmctrl.core @core2 at 2 {
// CHIP: cmctrl.core @core3 at 3 {

// CHECK:      core0 start {{.*}} room in @a from @start to @sum 17
// CHECK-NEXT: core1 left {{.*}} links for @a from @start to @left 21
// CHECK-NEXT: core2 right
// CHECK-NEXT: core3 sum {{.*}} links for @b from @left to @sum 21

// From cycle 0 to cycle 38: who begins an iteration of which image.
// CHECK:      x_stream |00001111...............................|
// CHECK-NEXT: start    |.0000........1...1...1...1.............|
// CHECK-NEXT: left     |.....0...0...0...0...1...1...1...1.....|
// CHECK-NEXT: right    |.....0.0.0.0.....1...1...1...1.........|
// CHECK-NEXT: sum      |..........0...0...0...0...1...1...1...1|
// CHECK:      2 images in 39 cycles
// CHECK:      interval 0.016 µs, 16 cycles
// CHECK-NEXT: bound by link core 0 -> core 1, 100% busy
// CHECK-NEXT: busy links: link core 0 -> core 1 100% (128 bytes an image), link core 1 -> core 3 100% (128 bytes an image), link core 0 -> core 2 50% (64 bytes an image), 1 more
cmpipe.pipeline @square on #cmpipe.target<
    name = "square", cores = 4, topology = "mesh", grid = [2, 2], link_bytes_per_cycle = 8,
    hop = 1> {
  cmpipe.object @x : memref<4xvector<4xf32>>
  cmpipe.object @a : memref<4xvector<4xf32>>
  cmpipe.object @b : memref<4xvector<4xf32>>
  cmpipe.object @c : memref<4xvector<4xf32>>
  cmpipe.object @d : memref<4xvector<4xf32>>
  cmpipe.input @x_stream "x" @x #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x4xf32>
  cmpipe.output "d" @d #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x4xf32>
  cmpipe.stage @start in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %x = cmpipe.read @x #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %y = arith.addf %x, %x : vector<4xf32>
    cmpipe.write %y, @a #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.stage @left in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %a = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %y = arith.mulf %a, %a : vector<4xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.stage @right in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %a = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %y = arith.negf %a : vector<4xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %b = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %c = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %a = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %s = arith.addf %b, %c : vector<4xf32>
    %y = arith.addf %s, %a : vector<4xf32>
    cmpipe.write %y, @d #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core0 at 0 runs [@start]
  cmpipe.core @core1 at 1 runs [@left]
  cmpipe.core @core2 at 2 runs [@right]
  cmpipe.core @core3 at 3 runs [@sum]
}
