// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl,cmctrl-verify-control' -o %t.mlir
// RUN: cmc run %t.mlir --random 1 --images 5 --mode interpret | filecheck %s
// RUN: cmc run %t.mlir --random 1 --images 5 | filecheck %s
// RUN: cmc run %t.mlir --random 1 --images 1 --mode interpret | filecheck %s --check-prefix=ONE
// RUN: cmc run %t.mlir --random 1 --images 1 | filecheck %s --check-prefix=ONE

// Two pipelines that take turns with images: even ones go through @double, odd ones through @double_turn1,
// each of which needs two cycles for a vector. Both are sent through the port of the GCU, a vector a
// cycle; so it sends to them by turns, and is as fast as both together: an image every 4 cycles.
// Of five images the second pipeline has two. With all images through, both stop.

// CHECK:      GCU a_stream, a_stream_turn1 100% 100%

// CHECK:      images 0 to 4, cycles 0 to 23
// CHECK-NEXT: a_stream       |0.0.0.0.2.2.2.2.4.4.4.4.|
// CHECK-NEXT: a_stream_turn1 |.1.1.1.1.3.3.3.3........|
// CHECK-NEXT: double         |.0.0.0.0.2.2.2.2.4.4.4.4|
// CHECK-NEXT: double_turn1   |..1.1.1.1.3.3.3.3.......|

// CHECK:      5 images in 24 cycles, 4 cycles per image in steady state; 2 pipelines take turns with images
// CHECK-NEXT: latency 0.008 µs, 8 cycles
// CHECK:      bound by @double, 100% busy

// ONE:      image 0, cycles 0 to 7
// ONE-NEXT: a_stream |0.0.0.0.|
// ONE-NEXT: double   |.0.0.0.0|
// ONE:      1 image in 8 cycles
cmpipe.pipeline @two_pipelines {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> turn 0 of 2 occupies <port = 1> : tensor<1x1x4xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> turn 0 of 2 : tensor<1x1x4xf32>
  cmpipe.stage @double in #poly.set<"{ [w] : 0 <= w < 4 }"> interval 2 {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = arith.addf %v, %v : vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@double]

  cmpipe.object @a_turn1 : memref<4xvector<1xf32>>
  cmpipe.object @b_turn1 : memref<4xvector<1xf32>>
  cmpipe.input @a_stream_turn1 "x" @a_turn1 #poly.map<"{ [n, c, w] -> [w, c] }"> turn 1 of 2 occupies <port = 1> : tensor<1x1x4xf32>
  cmpipe.output "y" @b_turn1 #poly.map<"{ [n, c, w] -> [w, c] }"> turn 1 of 2 : tensor<1x1x4xf32>
  cmpipe.stage @double_turn1 in #poly.set<"{ [w] : 0 <= w < 4 }"> interval 2 {
    %v = cmpipe.read @a_turn1 #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = arith.addf %v, %v : vector<1xf32>
    cmpipe.write %y, @b_turn1 #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@double_turn1]
}
