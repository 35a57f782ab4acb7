// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-annotate-timing | filecheck %s
// RUN: cmc-opt %s -p 'cmpipe-annotate-timing{target=ideal}' | filecheck %s --check-prefix=IDEAL

// The target: numbers of two bytes. A product takes 100 cycles; a crossbar begins one every 80, the
// issue port every 20. The digital unit works on 4 elements in 2 cycles; the SRAM moves 8 bytes a cycle,
// the GCU 4.
cmpipe.pipeline @annotated on #cmpipe.target<name = "small", activation_bits = 16, crossbars = 4, mxv = 100, mxv_interval = 80, issue_interval = 20, lanes = 4, lane_cycles = 2, sram_bytes_per_cycle = 8, gcu_bytes_per_cycle = 4> {
  cmpipe.object @a : memref<8xvector<8xf32>>
  cmpipe.object @b : memref<6xvector<8xf32>>
  cmpipe.object @c : memref<4xvector<6xf32>>
  cmpipe.object @d : memref<2xvector<6xf32>>
  cmpipe.object @e : memref<6xvector<8xf32>>
  cmpipe.object @f : memref<6xvector<8xf32>>

  // A vector has 16 bytes: 4 cycles.
  // CHECK: cmpipe.input @a_stream {{.*}} latency 4 occupies <port = 4> : tensor<1x8x8xf32>
  // IDEAL: cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x8x8xf32>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x8x8xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x6x2xf32>

  // Two crossbars with other columns for the same vector: one issue. To add and to compare are 8
  // elements each, 4 cycles; to join is no arithmetic. Read are a window of 24 numbers and the bias of
  // 8, written 8, which is 80 bytes, 10 cycles. All in all 10 + 100 + 8.
  // CHECK: cmpipe.stage @columns {{.*}} latency 118 interval 80 occupies <digital = 8, port = 20, memory = 10> {
  // IDEAL: cmpipe.stage @columns in #poly.set<"{ [w] : 0 <= w <= 5 }"> {
  cmpipe.stage @columns in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    cmpipe.crossbar @w0 #nn.weights<splat 0.5 shape [24, 4]> : tensor<24x4xf32>
    cmpipe.crossbar @w1 #nn.weights<splat 0.25 shape [24, 4]> : tensor<24x4xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x8xf32>
    %left = cmpipe.mxv @w0 %v : vector<3x8xf32> -> vector<4xf32>
    %right = cmpipe.mxv @w1 %v : vector<3x8xf32> -> vector<4xf32>
    %y = cmpipe.join %left, %right : vector<4xf32>, vector<4xf32> -> vector<8xf32>
    %bias = cmpipe.constant #nn.weights<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : vector<8xf32>
    %sum = arith.addf %y, %bias : vector<8xf32>
    %zero = arith.constant dense<0.0> : vector<8xf32>
    %relu = arith.maximumf %sum, %zero : vector<8xf32>
    cmpipe.write %relu, @b #poly.map<"{ [w] -> [w] }"> : vector<8xf32>
  }

  // Two crossbars with other rows, each for a vector of its own: two issues, the second 20 cycles
  // later. To add 6 elements takes 2 times 2 cycles. 30 numbers are moved, 60 bytes: 8 cycles.
  // CHECK: cmpipe.stage @rows {{.*}} latency 132 interval 80 occupies <digital = 4, port = 40, memory = 8> {
  cmpipe.stage @rows in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    cmpipe.crossbar @w2 #nn.weights<splat 0.5 shape [16, 6]> : tensor<16x6xf32>
    cmpipe.crossbar @w3 #nn.weights<splat 0.5 shape [8, 6]> : tensor<8x6xf32>
    %u = cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<2x8xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w + 2, c] }"> : vector<8xf32>
    %upper = cmpipe.mxv @w2 %u : vector<2x8xf32> -> vector<6xf32>
    %lower = cmpipe.mxv @w3 %v : vector<8xf32> -> vector<6xf32>
    %y = arith.addf %upper, %lower : vector<6xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<6xf32>
  }

  // A reduction of 12 elements, and no product. 18 numbers are moved, 36 bytes: 5 cycles.
  // CHECK: cmpipe.stage @pool {{.*}} latency 11 occupies <digital = 6, memory = 5> {
  cmpipe.stage @pool in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, k, ch] -> [2w + k, ch] }"> : vector<2x6xf32>
    %m = cmpipe.reduce max %v : vector<2x6xf32> -> vector<6xf32>
    cmpipe.write %m, @d #poly.map<"{ [w] -> [w] }"> : vector<6xf32>
  }

  // One crossbar, driven twice, by its own result: 2 x 100 cycles, and an iteration every 2 x 80.
  // CHECK: cmpipe.stage @twice {{.*}} latency 204 interval 160 occupies <port = 40, memory = 4> {
  cmpipe.stage @twice in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    cmpipe.crossbar @w4 #nn.weights<splat 0.5 shape [8, 8]> : tensor<8x8xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<8xf32>
    %y = cmpipe.mxv @w4 %v : vector<8xf32> -> vector<8xf32>
    %z = cmpipe.mxv @w4 %y : vector<8xf32> -> vector<8xf32>
    cmpipe.write %z, @e #poly.map<"{ [w] -> [w] }"> : vector<8xf32>
  }

  // Half of the window is padding: 4 numbers are read, and 8 written. What was said
  // before is gone, but for a target that says nothing else.
  // CHECK: cmpipe.stage @half in #poly.set<"{ [w] : 0 <= w <= 5 }"> latency 3 occupies <memory = 3> {
  // IDEAL: cmpipe.stage @half in #poly.set<"{ [w] : 0 <= w <= 5 }"> latency 7 interval 9 occupies <digital = 5> {
  cmpipe.stage @half in #poly.set<"{ [w] : 0 <= w < 6 }"> latency 7 interval 9 occupies <digital = 5> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] : c < 4 }"> : vector<8xf32>
    cmpipe.write %v, @f #poly.map<"{ [w] -> [w] }"> : vector<8xf32>
  }
}
