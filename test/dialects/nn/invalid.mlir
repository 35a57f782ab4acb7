// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// Convolutions.

// CHECK: error: 'nn.conv' op the input has 4 channels per group, but the weight of shape [6, 3, 3, 3] takes 3
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x3x3x3xf32>) {
  %0 = nn.conv %x, %w : (tensor<1x4x9x9xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x7x7xf32>
  func.return
}

// -----

// CHECK: error: 'nn.conv' op 3 groups do not divide 4 input and 6 output channels
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x2x3x3xf32>) {
  %0 = nn.conv %x, %w group 3 : (tensor<1x4x9x9xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x7x7xf32>
  func.return
}

// -----

// CHECK: error: 'nn.conv' op the result has shape [1, 6, 9, 9], but must have [1, 6, 7, 7]
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3x3xf32>) {
  %0 = nn.conv %x, %w : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x9x9xf32>
  func.return
}

// -----

// CHECK: error: 'nn.conv' op 2 spatial axes need 2 values in strides, not 1
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3x3xf32>) {
  %0 = nn.conv %x, %w strides [2] : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x7x7xf32>
  func.return
}

// -----

// CHECK: error: 'nn.conv' op dilations must be positive: [1, 0]
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3x3xf32>) {
  %0 = nn.conv %x, %w dilations [1, 0] : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x7x7xf32>
  func.return
}

// -----

// CHECK: error: 'nn.conv' op the bias has shape [4], but there are 6 output channels
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<4xf32>) {
  %0 = nn.conv %x, %w, %b : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>, tensor<4xf32>) -> tensor<1x6x7x7xf32>
  func.return
}

// -----

// CHECK: error: 'nn.conv' op an input of shape [1, 4, 9, 9] and a weight of shape [6, 4, 3] make no convolution: both need 1 to 3 spatial axes
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3xf32>) {
  %0 = nn.conv %x, %w : (tensor<1x4x9x9xf32>, tensor<6x4x3xf32>) -> tensor<1x6x7x7xf32>
  func.return
}

// -----

// CHECK: error: 'nn.conv' op a window of 11 does not fit into 0 + 9 + 0 elements along spatial axis 0
func.func @f(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x11x3xf32>) {
  %0 = nn.conv %x, %w : (tensor<1x4x9x9xf32>, tensor<6x4x11x3xf32>) -> tensor<1x6x1x7xf32>
  func.return
}

// -----

// Pools.

// CHECK: error: 'nn.max_pool' op the window has 3 axes but the input 2
func.func @f(%x: tensor<1x4x9x9xf32>) {
  %0 = nn.max_pool %x kernel [2, 2, 2] : (tensor<1x4x9x9xf32>) -> tensor<1x4x8x8xf32>
  func.return
}

// -----

// CHECK: error: 'nn.average_pool' op an input of shape [1, 4] has no spatial axes
func.func @f(%x: tensor<1x4xf32>) {
  %0 = nn.average_pool %x kernel [2, 2] : (tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return
}

// -----

// Matrices and channels.

// CHECK: error: 'nn.matmul' op operands of shapes [1, 5] and [4, 5] do not multiply: 5 columns meet 4 rows
func.func @f(%x: tensor<1x5xf32>, %w: tensor<4x5xf32>) {
  %0 = nn.matmul %x, %w : (tensor<1x5xf32>, tensor<4x5xf32>) -> tensor<1x5xf32>
  func.return
}

// -----

// CHECK: error: 'nn.batch_norm' op the mean has shape [4], but the input has 8 channels
func.func @f(%x: tensor<1x8x4x4xf32>, %p: tensor<8xf32>, %q: tensor<4xf32>) {
  %0 = nn.batch_norm %x, %p, %p, %q, %p epsilon 1.0e-05 : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<4xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
  func.return
}

// -----

// CHECK: error: 'nn.softmax' op a tensor of shape [1, 8] has no axis 2
func.func @f(%x: tensor<1x8xf32>) {
  %0 = nn.softmax %x axis 2 : tensor<1x8xf32>
  func.return
}

// -----

// CHECK: error: 'nn.lrn' op a neighbourhood of 0 channels holds none
func.func @f(%x: tensor<1x8xf32>) {
  %0 = nn.lrn %x size 0 alpha 1.0 beta 1.0 bias 1.0 : tensor<1x8xf32>
  func.return
}

// -----

// Elements.

// CHECK: error: 'nn.add' op operands of shapes [1, 8, 4] and [1, 6, 1] do not broadcast
func.func @f(%x: tensor<1x8x4xf32>, %y: tensor<1x6x1xf32>) {
  %0 = nn.add %x, %y : (tensor<1x8x4xf32>, tensor<1x6x1xf32>) -> tensor<1x8x4xf32>
  func.return
}

// -----

// CHECK: error: 'nn.mul' op the result has shape [8, 4], but must have [1, 8, 4]
func.func @f(%x: tensor<1x8x4xf32>, %y: tensor<8x4xf32>) {
  %0 = nn.mul %x, %y : (tensor<1x8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  func.return
}

// -----

// CHECK: error: 'nn.relu' op tensor<1x?xf32> is not static: all dimensions must be given
func.func @f(%x: tensor<1x?xf32>) {
  %0 = nn.relu %x : tensor<1x?xf32>
  func.return
}

// -----

// CHECK: error: f64 should be of base attribute f32
func.func @f(%x: tensor<1x8xf64>) {
  %0 = nn.relu %x : tensor<1x8xf64>
  func.return
}

// -----

// Layout.

// CHECK: error: 'nn.reshape' op shape [1, 8, 4] has 32 elements, but [1, 33] has 33
func.func @f(%x: tensor<1x8x4xf32>) {
  %0 = nn.reshape %x : tensor<1x8x4xf32> -> tensor<1x33xf32>
  func.return
}

// -----

// CHECK: error: 'nn.transpose' op perm [0, 2, 2] does not name each axis of [1, 8, 4] once
func.func @f(%x: tensor<1x8x4xf32>) {
  %0 = nn.transpose %x perm [0, 2, 2] : (tensor<1x8x4xf32>) -> tensor<1x4x4xf32>
  func.return
}

// -----

// CHECK: error: 'nn.concat' op shapes [1, 8, 4] and [1, 8, 3] differ elsewhere than along axis 1
func.func @f(%x: tensor<1x8x4xf32>, %y: tensor<1x8x3xf32>) {
  %0 = nn.concat %x, %y axis 1 : (tensor<1x8x4xf32>, tensor<1x8x3xf32>) -> tensor<1x16x4xf32>
  func.return
}

// -----

// CHECK: error: 'nn.slice' op elements 3 to 9 along axis 1 are not all within its 8
func.func @f(%x: tensor<1x8x4xf32>) {
  %0 = nn.slice %x starts [0, 3, 0] steps [1, 2, 1] : (tensor<1x8x4xf32>) -> tensor<1x4x4xf32>
  func.return
}

// -----

// CHECK: error: 'nn.slice' op a slice of [1, 8, 4] needs 3 starts, steps and sizes, not 2, 2 and 3
func.func @f(%x: tensor<1x8x4xf32>) {
  %0 = nn.slice %x starts [0, 3] : (tensor<1x8x4xf32>) -> tensor<1x4x4xf32>
  func.return
}

// -----

// CHECK: error: 'nn.pad' op padding [1, 8, 4] needs 3 low and high pads, not 2 and 2
func.func @f(%x: tensor<1x8x4xf32>) {
  %0 = nn.pad %x low [0, 0] high [0, 0] : (tensor<1x8x4xf32>) -> tensor<1x8x4xf32>
  func.return
}

// -----

// CHECK: error: 'nn.pad' op axis 2 has 4 elements, too few to mirror 4 of them
func.func @f(%x: tensor<1x8x4xf32>) {
  %0 = nn.pad %x low [0, 0, 4] high [0, 0, 0] mode reflect : (tensor<1x8x4xf32>) -> tensor<1x8x8xf32>
  func.return
}

// -----

// Weights.

// CHECK: error: 'nn.constant' op the result has shape [3], but must have [2]
func.func @f() {
  %0 = nn.constant #nn.weights<[1.0, 2.0]> : tensor<3xf32>
  func.return
}

// -----

// CHECK: error: the lists in an array must all have the same length
func.func @f() {
  %0 = nn.constant #nn.weights<[[1.0, 2.0], [3.0]]> : tensor<2x2xf32>
  func.return
}

// -----

// CHECK: error: 1e+39 does not fit into a float32
func.func @f() {
  %0 = nn.constant #nn.weights<[1.0e39]> : tensor<1xf32>
  func.return
}

// -----

// CHECK: error: expected a number, inf or nan
func.func @f() {
  %0 = nn.constant #nn.weights<[1.0, true]> : tensor<2xf32>
  func.return
}

// -----

// CHECK: error: shape [2] takes 8 bytes, but 4 are given
func.func @f() {
  %0 = nn.constant #nn.weights<hex "0x0000803F" shape [2]> : tensor<2xf32>
  func.return
}

// -----

// CHECK: error: not a string of hexadecimal digits
func.func @f() {
  %0 = nn.constant #nn.weights<hex "0xzz" shape [1]> : tensor<1xf32>
  func.return
}

// -----

// CHECK: error: a SHA-256 is 64 lower-case hexadecimal digits
func.func @f() {
  %0 = nn.constant #nn.weights<elided shape [2] sha256 "12"> : tensor<2xf32>
  func.return
}

// -----

// CHECK: error: 'nn.gather' op index 4 along axis 1 is not one of its 4 elements
func.func @f(%x: tensor<1x4xf32>) {
  %0 = nn.gather %x axis 1 indices [0, 4] : (tensor<1x4xf32>) -> tensor<1x2xf32>
  func.return
}

// -----

// CHECK: error: 'nn.gather' op a tensor of shape [1, 4] has no axis 2
func.func @f(%x: tensor<1x4xf32>) {
  %0 = nn.gather %x axis 2 indices [0] : (tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return
}

// -----

// Recurrences.

// CHECK: error: 'nn.recurrence' op nn.slice mixes steps: the state after one follows from it
func.func @f(%h: tensor<1x1x8xf32>) {
  %0 = nn.recurrence %before from %h : tensor<1x1x8xf32> -> tensor<5x1x8xf32> {
    %1 = nn.slice %before starts [4, 0, 0] steps [-1, 1, 1] : (tensor<5x1x8xf32>) -> tensor<5x1x8xf32>
    nn.yield %1 : tensor<5x1x8xf32>
  }
  func.return
}

// -----

// CHECK: error: 'nn.recurrence' op the initial state has shape [2, 1, 8], and its first axis, which counts steps, must have one
func.func @f(%h: tensor<2x1x8xf32>) {
  %0 = nn.recurrence %before from %h : tensor<2x1x8xf32> -> tensor<5x1x8xf32> {
    nn.yield %before : tensor<5x1x8xf32>
  }
  func.return
}

// -----

// CHECK: error: 'nn.recurrence' op the body gives its steps along axis 1
func.func @f(%h: tensor<1x5x8xf32>) {
  %0 = nn.recurrence %before from %h : tensor<1x5x8xf32> -> tensor<5x5x8xf32> {
    %1 = nn.transpose %before perm [1, 0, 2] : (tensor<5x5x8xf32>) -> tensor<5x5x8xf32>
    nn.yield %1 : tensor<5x5x8xf32>
  }
  func.return
}
