// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not cmc-opt %s -p convert-nn-to-cmpipe 2>&1 | filecheck %s

// A crossbar is programmed once: weights that are computed cannot be in one.

// CHECK: 'conv': error: a convolution needs constant weights, to hold them in a crossbar
func.func @computed_weights(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>) -> tensor<1x1x6xf32> {
  %0 = nn.conv %x, %w : (tensor<1x1x8xf32>, tensor<1x1x3xf32>) -> tensor<1x1x6xf32> loc("conv")
  func.return %0 : tensor<1x1x6xf32>
}
