// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl' -o %t.mlir
// RUN: cmc run %t.mlir --random 1 --images 2 --mode interpret | filecheck %s
// RUN: cmc run %t.mlir --random 1 --images 2 | filecheck %s

// Two inputs that the GCU sends through one port: a vector of @a takes it for 2 cycles, one of @b for
// 1. The ring of @a has one slot, that of @b, too, and @add takes one vector of each.
//
//   cycle 0  the port is @a's first: a[0], there from cycle 2 on
//   cycle 2  the port is free: b[0], there from cycle 3 on
//   cycle 3  add[0] begins; the port is free, but neither ring
//   cycle 4  add[0] is done. Both slots are free, and @b was served last: a[1], there from cycle 6 on
//   cycle 6  b[1], and so on: an iteration of @add every 4 cycles
//
// So @a waits for its slot each time, 2 cycles longer than for its own last vector. @b has its slot in
// cycle 4 as well, and waits for the port last: 3 cycles from one vector's end to the next one's start.

// CHECK:      GCU a_stream, b_stream {{.*}} the port 21, room in @a from @a_stream to @add 14
// CHECK-NEXT: core0 add {{.*}} data in @b from @b_stream to @add 21

// CHECK:      a_stream |0...0...0...0...1...1...1...1...|
// CHECK-NEXT: b_stream |..0...0...0...0...1...1...1...1.|
// CHECK-NEXT: add      |...0...0...0...0...1...1...1...1|
cmpipe.pipeline @two_inputs {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.input @a_stream "a" @a #poly.map<"{ [n, c, w] -> [w, c] }"> latency 2 occupies <port = 2> : tensor<1x1x4xf32>
  cmpipe.input @b_stream "b" @b #poly.map<"{ [n, c, w] -> [w, c] }"> occupies <port = 1> : tensor<1x1x4xf32>
  cmpipe.output "c" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
  cmpipe.stage @add in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %u = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = arith.addf %u, %v : vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@add]
}
