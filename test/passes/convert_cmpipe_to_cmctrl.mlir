// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p convert-cmpipe-to-cmctrl | filecheck %s

// A core of two stages, which move there as they are: rings and constants stand behind each other in
// SRAM, and the writer of an object has the credits of each of its readers.
// CHECK-LABEL: cmctrl.chip @shared {
// CHECK:         cmctrl.gcu {
// CHECK:           cmctrl.credits @a from @a_stream to @scale count 2
// CHECK-NEXT:      cmctrl.credits @a from @a_stream to @add count 3
// CHECK-NEXT:      cmctrl.program @a_stream {
// CHECK:         cmctrl.core @core0 {
// CHECK-NEXT:      cmpipe.stage @scale in #poly.set<"{ [w] : 0 <= w <= 7 }"> latency 3 interval 2 occupies <digital = 4> {
// CHECK-NEXT:        cmpipe.object @scales
// CHECK-NEXT:        %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
// CHECK:           cmpipe.stage @add in #poly.set<"{ [w] : 0 <= w <= 7 }"> occupies <digital = 3, memory = 6> {
// CHECK:           cmctrl.ring @a from @a_stream to @scale at 0 slots 2
// CHECK-NEXT:      cmctrl.ring @a from @a_stream to @add at 32 slots 3
// CHECK-NEXT:      cmctrl.ring @b from @scale to @add at 80 slots 1
// CHECK-NEXT:      cmctrl.constants @scale at 96
// CHECK:           cmctrl.credits @b from @scale to @add count 1
// CHECK-NEXT:      cmctrl.program @scale {
// CHECK-NEXT:        affine.for %[[W:.*]] = 0 to 8 {
// CHECK-NEXT:          cmctrl.start [%[[W]]]
// CHECK-NEXT:        }
// CHECK-NEXT:      }
// CHECK:           cmctrl.program @add {
cmpipe.pipeline @shared {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.object @b : memref<8xvector<4xf32>>
  cmpipe.object @c : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x8xf32>
  cmpipe.stage @scale in #poly.set<"{ [w] : 0 <= w < 8 }"> latency 3 interval 2 occupies <digital = 4> {
    cmpipe.object @scales #nn.weights<splat 0.5 shape [8, 4]> : memref<8xvector<4xf32>>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %s = cmpipe.read @scales #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %y = arith.mulf %v, %s : vector<4xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.stage @add in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <digital = 3, memory = 6> {
    %u = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %y = arith.addf %u, %v : vector<4xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core0 runs [@scale, @add]
  cmpipe.channel @a from @a_stream to @scale slots 2 ready #poly.map<"{ a[i] -> scale[i] : 0 <= i < 8 }"> free #poly.map<"{ scale[i] -> a[i] : 0 <= i < 8 }">
  cmpipe.channel @a from @a_stream to @add slots 3 ready #poly.map<"{ a[i] -> add[i] : 0 <= i < 8 }"> free #poly.map<"{ add[i] -> a[i] : 0 <= i < 8 }">
  cmpipe.channel @b from @scale to @add slots 1 ready #poly.map<"{ b[i] -> add[i] : 0 <= i < 8 }"> free #poly.map<"{ add[i] -> b[i] : 0 <= i < 8 }">
}

// What holds from the start of an image stands before the loops of a machine; steps follow in the
// order in which elements are written, here by columns; several pieces become several loops.
// CHECK-LABEL: cmctrl.chip @machines {
// CHECK:           cmctrl.machine ready @b from @columns to @shift {
// CHECK-NEXT:        cmctrl.enable [0]
// CHECK-NEXT:        affine.for %[[W:.*]] = 0 to 3 {
// CHECK-NEXT:          cmctrl.await [1, %[[W]]]
// CHECK-NEXT:          cmctrl.enable [%[[W]] + 1]
// CHECK-NEXT:        }
// CHECK-NEXT:      }
// CHECK-NEXT:      cmctrl.machine free @b from @columns to @shift {
// CHECK-NEXT:        affine.for %[[W:.*]] = 1 to 3 {
// CHECK-NEXT:          cmctrl.await [%[[W]]]
// CHECK-NEXT:          cmctrl.release [1, %[[W]] - 1]
// CHECK-NEXT:        }
// CHECK-NEXT:        cmctrl.await [3]
// CHECK-NEXT:        cmctrl.release [1, 3]
// CHECK-NEXT:      }
// CHECK:           cmctrl.program @columns {
// CHECK-NEXT:        affine.for %[[W:.*]] = 0 to 4 {
// CHECK-NEXT:          affine.for %[[H:.*]] = 0 to 2 {
// CHECK-NEXT:            cmctrl.start [%[[W]], %[[H]]]
cmpipe.pipeline @machines {
  cmpipe.object @a : memref<2x4xvector<1xf32>>
  cmpipe.object @b : memref<2x4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x2x4xf32>
  cmpipe.stage @shift in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, h, c] -> [h, w - 1, c] }"> : vector<2x1xf32>
    %y = cmpipe.reduce add %v : vector<2x1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@shift]
  cmpipe.stage @columns in #poly.set<"{ [w, h] : 0 <= w < 4 and 0 <= h < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, h, c] -> [h, w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w, h] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@columns]
  cmpipe.channel @b from @columns to @shift slots 4
    ready #poly.map<"{ b[h, w] -> shift[w + 1] : h = 1 and 0 <= w < 3 }"> from #poly.set<"{ shift[0] }">
    free #poly.map<"{ shift[w] -> b[1, w - 1] : 1 <= w < 3; shift[3] -> b[1, 3] }">
  cmpipe.channel @a from @a_stream to @columns slots 8
    ready #poly.map<"{ a[1, w] -> columns[w, 1] : 0 <= w < 4 }">
    free #poly.map<"{ columns[3, 1] -> a[1, 3] }">
}
