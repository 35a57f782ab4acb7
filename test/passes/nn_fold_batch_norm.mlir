// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p nn-fold-batch-norm | filecheck %s

// scale / sqrt(variance + epsilon) is 1/2 and 3, so the factor is known to the last digit.

// CHECK-LABEL: func.func @into_conv
func.func @into_conv(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  // CHECK-NEXT: %w = nn.constant #nn.weights<{{\[\[\[\[}}5.0]]], [[[60.0]]]]> : tensor<2x1x1x1xf32>
  // CHECK-NEXT: %b = nn.constant #nn.weights<[5.0, 4.0]> : tensor<2xf32>
  // CHECK-NEXT: %y = nn.conv %x, %w, %b strides [2, 2] pads [1, 1, 2, 2] : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  // CHECK-NEXT: func.return %y
  %w = nn.constant #nn.weights<[[[[10.0]]], [[[20.0]]]]> : tensor<2x1x1x1xf32>
  %b = nn.constant #nn.weights<[10.0, 2.0]> : tensor<2xf32>
  %0 = nn.conv %x, %w, %b strides [2, 2] pads [1, 1, 2, 2] : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %scale = nn.constant #nn.weights<[1.0, 3.0]> : tensor<2xf32>
  %bias = nn.constant #nn.weights<[1.0, 1.0]> : tensor<2xf32>
  %mean = nn.constant #nn.weights<[2.0, 1.0]> : tensor<2xf32>
  %variance = nn.constant #nn.weights<[3.75, 0.75]> : tensor<2xf32>
  %y = nn.batch_norm %0, %scale, %bias, %mean, %variance epsilon 0.25 : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  func.return %y : tensor<1x2x4x4xf32>
}

// An addition before it, a multiplication and an addition after it: all of them go.
// CHECK-LABEL: func.func @chain
func.func @chain(%x: tensor<1x1x4xf32>) -> tensor<1x2x4xf32> {
  // CHECK-NEXT: %w = nn.constant #nn.weights<{{\[\[\[}}50.0]], [[600.0]]]> : tensor<2x1x1xf32>
  // CHECK-NEXT: %c = nn.constant #nn.weights<[57.0, 47.0]> : tensor<2xf32>
  // CHECK-NEXT: nn.conv %x, %w, %c :
  // CHECK-NEXT: func.return
  %w = nn.constant #nn.weights<[[[10.0]], [[20.0]]]> : tensor<2x1x1xf32>
  %0 = nn.conv %x, %w : (tensor<1x1x4xf32>, tensor<2x1x1xf32>) -> tensor<1x2x4xf32>
  %c = nn.constant #nn.weights<[[10.0], [2.0]]> : tensor<2x1xf32>
  %1 = nn.add %0, %c : (tensor<1x2x4xf32>, tensor<2x1xf32>) -> tensor<1x2x4xf32>
  %scale = nn.constant #nn.weights<[1.0, 3.0]> : tensor<2xf32>
  %bias = nn.constant #nn.weights<[1.0, 1.0]> : tensor<2xf32>
  %mean = nn.constant #nn.weights<[2.0, 1.0]> : tensor<2xf32>
  %variance = nn.constant #nn.weights<[3.75, 0.75]> : tensor<2xf32>
  %2 = nn.batch_norm %1, %scale, %bias, %mean, %variance epsilon 0.25 : (tensor<1x2x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4xf32>
  %ten = nn.constant #nn.weights<10.0> : tensor<f32>
  %3 = nn.mul %2, %ten : (tensor<1x2x4xf32>, tensor<f32>) -> tensor<1x2x4xf32>
  %seven = nn.constant #nn.weights<7.0> : tensor<f32>
  %4 = nn.add %3, %seven : (tensor<1x2x4xf32>, tensor<f32>) -> tensor<1x2x4xf32>
  func.return %4 : tensor<1x2x4xf32>
}

// CHECK-LABEL: func.func @into_matmul
func.func @into_matmul(%x: tensor<1x1xf32>) -> tensor<1x2xf32> {
  // CHECK-NEXT: %w = nn.constant #nn.weights<{{\[\[}}5.0, 60.0]]> : tensor<1x2xf32>
  // CHECK-NEXT: %[[P:.+]] = nn.matmul %x, %w :
  // CHECK-NEXT: %b = nn.constant #nn.weights<[5.0, 4.0]> : tensor<2xf32>
  // CHECK-NEXT: nn.add %[[P]], %b
  // CHECK-NEXT: func.return
  %w = nn.constant #nn.weights<[[10.0, 20.0]]> : tensor<1x2xf32>
  %0 = nn.matmul %x, %w : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %b = nn.constant #nn.weights<[10.0, 2.0]> : tensor<2xf32>
  %1 = nn.add %0, %b : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %scale = nn.constant #nn.weights<[1.0, 3.0]> : tensor<2xf32>
  %bias = nn.constant #nn.weights<[1.0, 1.0]> : tensor<2xf32>
  %mean = nn.constant #nn.weights<[2.0, 1.0]> : tensor<2xf32>
  %variance = nn.constant #nn.weights<[3.75, 0.75]> : tensor<2xf32>
  %2 = nn.batch_norm %1, %scale, %bias, %mean, %variance epsilon 0.25 : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  func.return %2 : tensor<1x2xf32>
}

// Of three axes the channels are the middle one: not the matrix's columns.
// CHECK-LABEL: func.func @rows_of_matmul
func.func @rows_of_matmul(%x: tensor<1x2x1xf32>) -> tensor<1x2x2xf32> {
  // CHECK-NEXT: %w = nn.constant #nn.weights<{{\[\[}}10.0, 20.0]]> : tensor<1x2xf32>
  // CHECK-NEXT: nn.matmul %x, %w
  // CHECK-NEXT: nn.constant #nn.weights<{{\[\[}}0.5], [3.0]]> : tensor<2x1xf32>
  // CHECK-NEXT: nn.mul
  // CHECK-NEXT: nn.constant #nn.weights<{{\[\[}}0.0], [-2.0]]> : tensor<2x1xf32>
  // CHECK-NEXT: nn.add
  %w = nn.constant #nn.weights<[[10.0, 20.0]]> : tensor<1x2xf32>
  %0 = nn.matmul %x, %w : (tensor<1x2x1xf32>, tensor<1x2xf32>) -> tensor<1x2x2xf32>
  %scale = nn.constant #nn.weights<[1.0, 3.0]> : tensor<2xf32>
  %bias = nn.constant #nn.weights<[1.0, 1.0]> : tensor<2xf32>
  %mean = nn.constant #nn.weights<[2.0, 1.0]> : tensor<2xf32>
  %variance = nn.constant #nn.weights<[3.75, 0.75]> : tensor<2xf32>
  %1 = nn.batch_norm %0, %scale, %bias, %mean, %variance epsilon 0.25 : (tensor<1x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2xf32>
  func.return %1 : tensor<1x2x2xf32>
}

// The convolution is read elsewhere too: its weights must stay.
// CHECK-LABEL: func.func @shared_conv
func.func @shared_conv(%x: tensor<1x1x4xf32>) -> tensor<1x2x4xf32> {
  // CHECK-NEXT: %w = nn.constant #nn.weights<{{\[\[\[}}10.0]], [[20.0]]]>
  // CHECK-NEXT: %[[Y:.+]] = nn.conv %x, %w
  // CHECK-NEXT: %scale = nn.constant #nn.weights<{{\[\[}}0.5], [3.0]]> : tensor<2x1xf32>
  // CHECK-NEXT: %[[S:.+]] = nn.mul %[[Y]], %scale
  // CHECK-NEXT: %bias = nn.constant #nn.weights<{{\[\[}}0.0], [-2.0]]> : tensor<2x1xf32>
  // CHECK-NEXT: %[[N:.+]] = nn.add %[[S]], %bias
  // CHECK-NEXT: nn.add %[[N]], %[[Y]]
  %w = nn.constant #nn.weights<[[[10.0]], [[20.0]]]> : tensor<2x1x1xf32>
  %0 = nn.conv %x, %w : (tensor<1x1x4xf32>, tensor<2x1x1xf32>) -> tensor<1x2x4xf32>
  %scale = nn.constant #nn.weights<[1.0, 3.0]> : tensor<2xf32>
  %bias = nn.constant #nn.weights<[1.0, 1.0]> : tensor<2xf32>
  %mean = nn.constant #nn.weights<[2.0, 1.0]> : tensor<2xf32>
  %variance = nn.constant #nn.weights<[3.75, 0.75]> : tensor<2xf32>
  %1 = nn.batch_norm %0, %scale, %bias, %mean, %variance epsilon 0.25 : (tensor<1x2x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4xf32>
  %2 = nn.add %1, %0 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  func.return %2 : tensor<1x2x4xf32>
}

// A scale that is computed is not known when compiling.
// CHECK-LABEL: func.func @unknown_scale
func.func @unknown_scale(%x: tensor<1x2xf32>, %scale: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: nn.batch_norm %x, %scale
  %c = nn.constant #nn.weights<[1.0, 1.0]> : tensor<2xf32>
  %0 = nn.batch_norm %x, %scale, %c, %c, %c epsilon 0.25 : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}

// Weights of a quantised network stay the integers that they are: their scale is a multiplication.
// CHECK-LABEL: func.func @integers
func.func @integers(%x: tensor<1x1x4xf32>) -> tensor<1x2x4xf32> {
  // CHECK-NEXT: %w = nn.constant #nn.weights<{{\[\[\[}}-100.0]], [[27.0]]]>
  // CHECK-NEXT: %0 = nn.conv %x, %w :
  // CHECK-NEXT: %scale = nn.constant
  // CHECK-NEXT: %y = nn.mul %0, %scale
  // CHECK-NEXT: func.return %y
  %w = nn.constant #nn.weights<[[[-100.0]], [[27.0]]]> : tensor<2x1x1xf32>
  %0 = nn.conv %x, %w : (tensor<1x1x4xf32>, tensor<2x1x1xf32>) -> tensor<1x2x4xf32>
  %scale = nn.constant #nn.weights<[[0.5], [0.25]]> : tensor<2x1xf32>
  %y = nn.mul %0, %scale : (tensor<1x2x4xf32>, tensor<2x1xf32>) -> tensor<1x2x4xf32>
  func.return %y : tensor<1x2x4xf32>
}
