// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=whole},convert-cmpipe-to-cmctrl' -o %t.mlir
// RUN: cmc run %t.mlir --random 1 --images 2 --mode interpret | filecheck %s
// RUN: cmc run %t.mlir --random 1 --images 2 | filecheck %s

// Two poolings on one core, which has one digital unit. They read the same eight pixels in pairs,
// and write four results each. An iteration has the digital unit to itself from its start on: that
// of @max for 3 cycles, that of @sum for 2.
//
// The GCU sends pixel i in cycle i, and it can be used from cycle i + 1 on: the pair w is there from
// cycle 2w + 2 on. Both poolings wait for the same pixels. The core serves them by turns, @max first:
//
//   cycle  2  pair 0 is there. Both could begin; none was served yet, so the turn is @max's: max[0]
//   cycle  5  the unit is free again, pair 1 is there. @max was served last: sum[0], not max[1]
//   cycle  7  the unit is free: max[1], which could have begun in cycle 4
//   cycle 10  sum[1]
//   cycle 12  max[2], whose pair is there since cycle 6
//   cycle 15  sum[2]
//   cycle 17  max[3]
//   cycle 20  sum[3], until cycle 21
//
// The rings have eight slots each. Pixels 0 and 1 of image 1 take those of pair 0, which @sum, the
// later one, has done with in cycle 7: they are sent in cycles 8 and 9, the next ones in 12 and 13, in
// 17 and 18, in 22 and 23, and that is soon enough: max[0] of image 1 begins in cycle 22, and so on.
//
// An image takes 4 x (3 + 2) = 20 cycles: the digital unit never rests, and nothing else matters.
//
// By itself @max could begin an iteration every 3 cycles, @sum every 2. From one start to the next are
// 5 cycles: for the unit @max waits 2 of these and @sum 3, 7 times each, which is 35 together.

// CHECK:      GCU x_stream {{.*}} room in @x from @x_stream to @sum 8
// CHECK-NEXT: pool max, sum {{.*}} the digital unit 35

// From cycle 0 to cycle 40: who begins an iteration of which image.
// CHECK:      x_stream |0000000011..11...11...11.................|
// CHECK-NEXT: max      |..0....0....0....0....1....1....1....1...|
// CHECK-NEXT: sum      |.....0....0....0....0....1....1....1....1|
// CHECK:      2 images in 42 cycles
cmpipe.pipeline @poolings {
  cmpipe.object @x : memref<8xvector<1xf32>>
  cmpipe.object @largest : memref<4xvector<1xf32>>
  cmpipe.object @sums : memref<4xvector<1xf32>>
  cmpipe.input @x_stream "x" @x #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.output "largest" @largest #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
  cmpipe.output "sums" @sums #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
  cmpipe.stage @max in #poly.set<"{ [w] : 0 <= w < 4 }"> latency 3 occupies <digital = 3> {
    %v = cmpipe.read @x #poly.map<"{ [w, k, c] -> [2w + k, c] }"> : vector<2x1xf32>
    %y = cmpipe.reduce max %v : vector<2x1xf32> -> vector<1xf32>
    cmpipe.write %y, @largest #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 4 }"> latency 2 occupies <digital = 2> {
    %v = cmpipe.read @x #poly.map<"{ [w, k, c] -> [2w + k, c] }"> : vector<2x1xf32>
    %y = cmpipe.reduce add %v : vector<2x1xf32> -> vector<1xf32>
    cmpipe.write %y, @sums #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @pool runs [@max, @sum]
}
