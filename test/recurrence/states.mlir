// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics -p convert-nn-to-cmpipe | filecheck %s

// What an output was for the image before.

// CHECK: cmpipe.input @h_stream "h" @h #poly.map<"{ [t0, t1] -> [t1] }"> state "hn" : tensor<1x4xf32>
func.func @sums(%x: tensor<1x4xf32> {nn.name = "x"}, %h: tensor<1x4xf32> {nn.name = "h", nn.state = "hn"}) -> (tensor<1x4xf32> {nn.name = "hn"}) {
  %y = nn.add %x, %h : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %y : tensor<1x4xf32>
}

// -----

// CHECK: input "h" is the state "hm", and there is no output
func.func @sums(%x: tensor<1x4xf32> {nn.name = "x"}, %h: tensor<1x4xf32> {nn.name = "h", nn.state = "hm"}) -> (tensor<1x4xf32> {nn.name = "hn"}) {
  %y = nn.add %x, %h : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %y : tensor<1x4xf32>
}
