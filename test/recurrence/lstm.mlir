// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p convert-nn-to-cmpipe | filecheck %s

// An LSTM of two steps: one stage for the product with the state before, and one for all gates, which
// writes both states side by side.

func.func @lstm(%x: tensor<2x1x8xf32> {nn.name = "gates"}) -> (tensor<1x1x2xf32> {nn.name = "h"}) {
  %zero = nn.constant #nn.weights<[[[0.0, 0.0, 0.0, 0.0]]]> : tensor<1x1x4xf32>
  %r = nn.constant #nn.weights<[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]]> : tensor<2x8xf32>
  // CHECK:      cmpipe.object @lstm_state : memref<2x1xvector<4xf32>>
  // CHECK:      cmpipe.output "h" @lstm_state #poly.map<"{ [t0, t1, t2] -> [1 + t0, t1, t2] }"> : tensor<1x1x2xf32>
  %states = nn.recurrence %before from %zero : tensor<1x1x4xf32> -> tensor<2x1x4xf32> {
    // CHECK:      cmpipe.stage @product in #poly.set<"{ [h, w = 0] : 0 <= h <= 1 }"> {
    // CHECK:        %0 = cmpipe.read @lstm_state #poly.map<"{ [h, w, k] -> [-1 + h, w, k] }"> : vector<2xf32>
    // CHECK-NEXT:   %1 = cmpipe.mxv @weights %0 : vector<2xf32> -> vector<8xf32>
    // CHECK-NEXT:   %2 = cmpipe.read @gates #poly.map<"{ [h, w, c] -> [h, 0, c] }"> : vector<8xf32>
    // CHECK-NEXT:   %3 = arith.addf %1, %2 : vector<8xf32>
    // CHECK-NEXT:   cmpipe.write %3, @product_out
    // CHECK-NEXT: }
    %h = nn.slice %before starts [0, 0, 0] : (tensor<2x1x4xf32>) -> tensor<2x1x2xf32>
    %c = nn.slice %before starts [0, 0, 2] : (tensor<2x1x4xf32>) -> tensor<2x1x2xf32>
    %p = nn.matmul %h, %r : (tensor<2x1x2xf32>, tensor<2x8xf32>) -> tensor<2x1x8xf32> loc("product")
    %g = nn.add %p, %x : (tensor<2x1x8xf32>, tensor<2x1x8xf32>) -> tensor<2x1x8xf32>
    // CHECK-NEXT: cmpipe.stage @gates_2 in
    // CHECK:        cmpipe.read @lstm_state #poly.map<"{ [h, w, c] -> [-1 + h, 0, 2 + c] }"> : vector<2xf32>
    // CHECK:        [[JOINED:%[0-9]+]] = cmpipe.join
    // CHECK-SAME:     vector<2xf32>, vector<2xf32> -> vector<4xf32>
    // CHECK-NEXT:   cmpipe.write [[JOINED]], @lstm_state #poly.map<"{ [h, w] -> [h, w] }"> : vector<4xf32>
    // CHECK-NEXT: }
    // CHECK-NOT:  cmpipe.stage
    %gi = nn.slice %g starts [0, 0, 0] : (tensor<2x1x8xf32>) -> tensor<2x1x2xf32>
    %go = nn.slice %g starts [0, 0, 2] : (tensor<2x1x8xf32>) -> tensor<2x1x2xf32>
    %gf = nn.slice %g starts [0, 0, 4] : (tensor<2x1x8xf32>) -> tensor<2x1x2xf32>
    %gc = nn.slice %g starts [0, 0, 6] : (tensor<2x1x8xf32>) -> tensor<2x1x2xf32>
    %i = nn.sigmoid %gi : tensor<2x1x2xf32> loc("gates")
    %f = nn.sigmoid %gf : tensor<2x1x2xf32>
    %n = nn.tanh %gc : tensor<2x1x2xf32>
    %kept = nn.mul %f, %c : (tensor<2x1x2xf32>, tensor<2x1x2xf32>) -> tensor<2x1x2xf32>
    %new = nn.mul %i, %n : (tensor<2x1x2xf32>, tensor<2x1x2xf32>) -> tensor<2x1x2xf32>
    %cell = nn.add %kept, %new : (tensor<2x1x2xf32>, tensor<2x1x2xf32>) -> tensor<2x1x2xf32>
    %o = nn.sigmoid %go : tensor<2x1x2xf32>
    %t = nn.tanh %cell : tensor<2x1x2xf32>
    %hidden = nn.mul %o, %t : (tensor<2x1x2xf32>, tensor<2x1x2xf32>) -> tensor<2x1x2xf32>
    %both = nn.concat %hidden, %cell axis 2 : (tensor<2x1x2xf32>, tensor<2x1x2xf32>) -> tensor<2x1x4xf32>
    nn.yield %both : tensor<2x1x4xf32>
  } loc("lstm")
  %last = nn.slice %states starts [1, 0, 0] : (tensor<2x1x4xf32>) -> tensor<1x1x2xf32>
  func.return %last : tensor<1x1x2xf32>
}
