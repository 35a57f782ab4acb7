// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p nn-canonicalize | filecheck %s
// RUN: cmc-opt %s -p canonicalize | filecheck %s

// Layout: what moves nothing is gone, and two moves are one.

// CHECK-LABEL: func.func @no_ops
func.func @no_ops(%x: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  // CHECK-NEXT: func.return %x
  %0 = nn.reshape %x : tensor<1x4x6xf32> -> tensor<1x4x6xf32>
  %1 = nn.transpose %0 perm [0, 1, 2] : (tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  %2 = nn.slice %1 starts [0, 0, 0] : (tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  %3 = nn.pad %2 low [0, 0, 0] high [0, 0, 0] : (tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  %4 = nn.concat %3 axis 1 : (tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  %5 = nn.clip %4 : tensor<1x4x6xf32>
  func.return %5 : tensor<1x4x6xf32>
}

// The same types, but elements move.
// CHECK-LABEL: func.func @not_no_ops
func.func @not_no_ops(%x: tensor<1x4x4xf32>) -> tensor<1x4x4xf32> {
  // CHECK-NEXT: nn.transpose %x perm [0, 2, 1]
  %0 = nn.transpose %x perm [0, 2, 1] : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  // CHECK-NEXT: nn.slice
  %1 = nn.slice %0 starts [0, 3, 0] steps [1, -1, 1] : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  // CHECK-NEXT: nn.pad
  %2 = nn.pad %1 low [0, 1, 0] high [0, -1, 0] : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  func.return %2 : tensor<1x4x4xf32>
}

// CHECK-LABEL: func.func @merge
func.func @merge(%x: tensor<1x4x6x2xf32>) -> (tensor<48xf32>, tensor<1x2x4x6xf32>) {
  // CHECK-NEXT: %0 = nn.reshape %x : tensor<1x4x6x2xf32> -> tensor<48xf32>
  %0 = nn.reshape %x : tensor<1x4x6x2xf32> -> tensor<1x48xf32>
  %1 = nn.reshape %0 : tensor<1x48xf32> -> tensor<48xf32>
  // CHECK-NEXT: %1 = nn.transpose %x perm [0, 3, 1, 2] : (tensor<1x4x6x2xf32>) -> tensor<1x2x4x6xf32>
  %2 = nn.transpose %x perm [0, 2, 3, 1] : (tensor<1x4x6x2xf32>) -> tensor<1x6x2x4xf32>
  %3 = nn.transpose %2 perm [0, 2, 3, 1] : (tensor<1x6x2x4xf32>) -> tensor<1x2x4x6xf32>
  // CHECK-NEXT: func.return %0, %1
  func.return %1, %3 : tensor<48xf32>, tensor<1x2x4x6xf32>
}

// Only axes of size one change places: the elements stay in order.
// CHECK-LABEL: func.func @transpose_to_reshape
func.func @transpose_to_reshape(%x: tensor<1x64x1x1xf32>) -> tensor<1x64xf32> {
  // CHECK-NEXT: nn.reshape %x : tensor<1x64x1x1xf32> -> tensor<1x64xf32>
  %0 = nn.transpose %x perm [0, 2, 3, 1] : (tensor<1x64x1x1xf32>) -> tensor<1x1x1x64xf32>
  %1 = nn.reshape %0 : tensor<1x1x1x64xf32> -> tensor<1x64xf32>
  // CHECK-NEXT: func.return
  func.return %1 : tensor<1x64xf32>
}

// Arithmetic.

// CHECK-LABEL: func.func @constants
func.func @constants() -> tensor<2x2xf32> {
  // CHECK-NEXT: %0 = nn.constant #nn.weights<{{\[\[}}1.5, 3.5], [2.5, 4.5]]> : tensor<2x2xf32>
  %0 = nn.constant #nn.weights<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %1 = nn.reshape %0 : tensor<4xf32> -> tensor<2x2xf32>
  %2 = nn.transpose %1 perm [1, 0] : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %3 = nn.constant #nn.weights<0.5> : tensor<f32>
  %4 = nn.add %2, %3 : (tensor<2x2xf32>, tensor<f32>) -> tensor<2x2xf32>
  // CHECK-NEXT: func.return
  func.return %4 : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @constants_without_axes
func.func @constants_without_axes(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK-NEXT: nn.constant #nn.weights<6.0> : tensor<f32>
  %0 = nn.constant #nn.weights<2.0> : tensor<f32>
  %1 = nn.constant #nn.weights<3.0> : tensor<f32>
  %2 = nn.mul %0, %1 : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %3 = nn.add %x, %2 : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x4xf32>
  func.return %3 : tensor<1x4xf32>
}

// CHECK-LABEL: func.func @elided_constants
func.func @elided_constants() -> tensor<2x32xf32> {
  // CHECK-NEXT: nn.constant #nn.weights<elided
  // CHECK-NEXT: nn.reshape
  %0 = nn.constant #nn.weights<elided shape [64] sha256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"> : tensor<64xf32>
  %1 = nn.reshape %0 : tensor<64xf32> -> tensor<2x32xf32>
  func.return %1 : tensor<2x32xf32>
}

// CHECK-LABEL: func.func @constant_on_the_right
func.func @constant_on_the_right(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK-NEXT: %c = nn.constant
  %c = nn.constant #nn.weights<2.0> : tensor<f32>
  // CHECK-NEXT: nn.mul %x, %c : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x4xf32>
  %0 = nn.mul %c, %x : (tensor<f32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  // CHECK-NEXT: nn.sub %c,
  %1 = nn.sub %c, %0 : (tensor<f32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %1 : tensor<1x4xf32>
}

// CHECK-LABEL: func.func @neutral
func.func @neutral(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK-NEXT: func.return %x
  %zero = nn.constant #nn.weights<[0.0, 0.0, 0.0, 0.0]> : tensor<4xf32>
  %one = nn.constant #nn.weights<1.0> : tensor<f32>
  %0 = nn.add %zero, %x : (tensor<4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = nn.sub %0, %zero : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  %2 = nn.mul %1, %one : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x4xf32>
  %3 = nn.div %2, %one : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x4xf32>
  %4 = nn.pow %3, %one : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x4xf32>
  func.return %4 : tensor<1x4xf32>
}

// A neutral element that broadcasts, or stands on the left, does something.
// CHECK-LABEL: func.func @not_neutral
func.func @not_neutral(%x: tensor<1x4xf32>) -> tensor<3x4xf32> {
  // CHECK: nn.add
  %zero = nn.constant #nn.weights<[[0.0], [0.0], [0.0]]> : tensor<3x1xf32>
  %0 = nn.add %x, %zero : (tensor<1x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  // CHECK: nn.sub
  %1 = nn.sub %zero, %0 : (tensor<3x1xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  func.return %1 : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @relu
func.func @relu(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK-NEXT: %0 = nn.relu %x
  %0 = nn.clip %x min 0.0 : tensor<1x4xf32>
  // CHECK-NEXT: %1 = nn.relu %0
  %zero = nn.constant #nn.weights<0.0> : tensor<f32>
  %1 = nn.maximum %zero, %0 : (tensor<f32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  // CHECK-NEXT: nn.clip %1 min 0.0 max 6.0
  %2 = nn.clip %1 min 0.0 max 6.0 : tensor<1x4xf32>
  func.return %2 : tensor<1x4xf32>
}

// Windows.

// CHECK-LABEL: func.func @bias
func.func @bias(%x: tensor<1x1x4x4xf32>, %w: tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32> {
  // CHECK-NEXT: %b = nn.constant #nn.weights<[1.0, 2.0]> : tensor<2xf32>
  // CHECK-NEXT: nn.conv %x, %w, %b :
  %0 = nn.conv %x, %w : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32>
  %b = nn.constant #nn.weights<[[[1.0]], [[2.0]]]> : tensor<2x1x1xf32>
  %1 = nn.add %0, %b : (tensor<1x2x4x4xf32>, tensor<2x1x1xf32>) -> tensor<1x2x4x4xf32>
  // CHECK-NEXT: func.return
  func.return %1 : tensor<1x2x4x4xf32>
}

// The convolution is read without the addition too.
// CHECK-LABEL: func.func @no_bias
func.func @no_bias(%x: tensor<1x1x4x4xf32>, %w: tensor<2x1x1x1xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) {
  // CHECK-NEXT: nn.conv %x, %w :
  %0 = nn.conv %x, %w : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32>
  %b = nn.constant #nn.weights<[[[1.0]], [[2.0]]]> : tensor<2x1x1xf32>
  // CHECK: nn.add
  %1 = nn.add %0, %b : (tensor<1x2x4x4xf32>, tensor<2x1x1xf32>) -> tensor<1x2x4x4xf32>
  func.return %0, %1 : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>
}

// CHECK-LABEL: func.func @pad_into_conv
func.func @pad_into_conv(%x: tensor<1x1x4x4xf32>, %w: tensor<2x1x3x3xf32>) -> tensor<1x2x4x6xf32> {
  // CHECK-NEXT: nn.conv %x, %w pads [1, 2, 1, 2] :
  %0 = nn.pad %x low [0, 0, 0, 1] high [0, 0, 1, 2] : (tensor<1x1x4x4xf32>) -> tensor<1x1x5x7xf32>
  %1 = nn.conv %0, %w pads [1, 1, 0, 0] : (tensor<1x1x5x7xf32>, tensor<2x1x3x3xf32>) -> tensor<1x2x4x6xf32>
  // CHECK-NEXT: func.return
  func.return %1 : tensor<1x2x4x6xf32>
}

// Padding of channels, by another value, of another mode, or that crops, is no padding of a window.
// CHECK-LABEL: func.func @pad_stays
func.func @pad_stays(%x: tensor<1x2x4x4xf32>, %w: tensor<2x3x3x3xf32>, %v: tensor<2x2x3x3xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>) {
  // CHECK-NEXT: nn.pad
  // CHECK-NEXT: nn.conv
  %0 = nn.pad %x low [0, 0, 0, 0] high [0, 1, 0, 0] : (tensor<1x2x4x4xf32>) -> tensor<1x3x4x4xf32>
  %1 = nn.conv %0, %w : (tensor<1x3x4x4xf32>, tensor<2x3x3x3xf32>) -> tensor<1x2x2x2xf32>
  // CHECK-NEXT: nn.pad
  // CHECK-NEXT: nn.conv
  %2 = nn.pad %x low [0, 0, 1, 1] high [0, 0, 0, 0] value 1.0 : (tensor<1x2x4x4xf32>) -> tensor<1x2x5x5xf32>
  %3 = nn.conv %2, %v : (tensor<1x2x5x5xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK-NEXT: nn.pad
  // CHECK-NEXT: nn.conv
  %4 = nn.pad %x low [0, 0, 1, 1] high [0, 0, 0, 0] mode edge : (tensor<1x2x4x4xf32>) -> tensor<1x2x5x5xf32>
  %5 = nn.conv %4, %v : (tensor<1x2x5x5xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  // CHECK-NEXT: nn.pad
  // CHECK-NEXT: nn.conv
  %6 = nn.pad %x low [0, 0, -1, -1] high [0, 0, 2, 2] : (tensor<1x2x4x4xf32>) -> tensor<1x2x5x5xf32>
  %7 = nn.conv %6, %v : (tensor<1x2x5x5xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  func.return %1, %3, %5, %7 : tensor<1x2x2x2xf32>, tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>
}

// CHECK-LABEL: func.func @pad_into_max_pool
func.func @pad_into_max_pool(%x: tensor<1x2x4x4xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) {
  // CHECK-NEXT: nn.max_pool %x kernel [2, 2] pads [1, 1, 0, 0] :
  %0 = nn.pad %x low [0, 0, 1, 1] high [0, 0, 0, 0] value -inf : (tensor<1x2x4x4xf32>) -> tensor<1x2x5x5xf32>
  %1 = nn.max_pool %0 kernel [2, 2] : (tensor<1x2x5x5xf32>) -> tensor<1x2x4x4xf32>
  // Zero is not neutral.
  // CHECK-NEXT: nn.pad
  // CHECK-NEXT: nn.max_pool
  %2 = nn.pad %x low [0, 0, 1, 1] high [0, 0, 0, 0] : (tensor<1x2x4x4xf32>) -> tensor<1x2x5x5xf32>
  %3 = nn.max_pool %2 kernel [2, 2] : (tensor<1x2x5x5xf32>) -> tensor<1x2x4x4xf32>
  func.return %1, %3 : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>
}

// With ceil_mode, a window that begins in padding does not count, but one that begins in zeros does.
// CHECK-LABEL: func.func @pad_and_ceil_mode
func.func @pad_and_ceil_mode(%x: tensor<1x1x4xf32>) -> tensor<1x1x4xf32> {
  // CHECK-NEXT: nn.pad
  // CHECK-NEXT: nn.average_pool
  %0 = nn.pad %x low [0, 0, 0] high [0, 0, 3] : (tensor<1x1x4xf32>) -> tensor<1x1x7xf32>
  %1 = nn.average_pool %0 kernel [2] strides [2] ceil_mode : (tensor<1x1x7xf32>) -> tensor<1x1x4xf32>
  func.return %1 : tensor<1x1x4xf32>
}

// CHECK-LABEL: func.func @pad_into_average_pool
func.func @pad_into_average_pool(%x: tensor<1x2x4x4xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x6x6xf32>) {
  // CHECK-NEXT: nn.average_pool %x kernel [2, 2] pads [1, 1, 0, 0] count_include_pad :
  %0 = nn.pad %x low [0, 0, 1, 1] high [0, 0, 0, 0] : (tensor<1x2x4x4xf32>) -> tensor<1x2x5x5xf32>
  %1 = nn.average_pool %0 kernel [2, 2] : (tensor<1x2x5x5xf32>) -> tensor<1x2x4x4xf32>
  // Zeros that count cannot be joined to padding that does not.
  // CHECK-NEXT: nn.pad
  // CHECK-NEXT: nn.average_pool
  %2 = nn.pad %x low [0, 0, 1, 1] high [0, 0, 0, 0] : (tensor<1x2x4x4xf32>) -> tensor<1x2x5x5xf32>
  %3 = nn.average_pool %2 kernel [2, 2] pads [1, 1, 1, 1] : (tensor<1x2x5x5xf32>) -> tensor<1x2x6x6xf32>
  func.return %1, %3 : tensor<1x2x4x4xf32>, tensor<1x2x6x6xf32>
}

// CHECK-LABEL: func.func @activation_of_parts
func.func @activation_of_parts(%x: tensor<1x2x4x4xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) {
  // CHECK:      %[[W:.*]] = nn.constant
  // CHECK-NEXT: %[[A:.*]] = nn.conv %x, %[[W]]
  // CHECK-NEXT: %[[B:.*]] = nn.max_pool %x
  // CHECK-NEXT: %[[C:.*]] = nn.clip %[[A]] min 0.5 : tensor<1x2x4x4xf32>
  // CHECK-NEXT: %[[D:.*]] = nn.clip %[[B]] min 0.5 : tensor<1x2x4x4xf32>
  // CHECK-NEXT: nn.concat %[[C]], %[[D]] axis 1
  %w = nn.constant #nn.weights<splat 1.0 shape [2, 2, 1, 1]> : tensor<2x2x1x1xf32>
  %0 = nn.conv %x, %w : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>
  %1 = nn.max_pool %x kernel [3, 3] pads [1, 1, 1, 1] : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %2 = nn.concat %0, %1 axis 1 : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x4x4x4xf32>
  %3 = nn.clip %2 min 0.5 : tensor<1x4x4x4xf32>
  // What nothing computes would need a stage of its own.
  // CHECK-NEXT: %[[E:.*]] = nn.conv %x, %[[W]]
  // CHECK-NEXT: %[[F:.*]] = nn.concat %[[E]], %x axis 1
  // CHECK-NEXT: nn.relu %[[F]]
  %4 = nn.conv %x, %w : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32>
  %5 = nn.concat %4, %x axis 1 : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x4x4x4xf32>
  %6 = nn.relu %5 : tensor<1x4x4x4xf32>
  func.return %3, %6 : tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>
}

// CHECK-LABEL: func.func @dead
func.func @dead(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK-NEXT: func.return %x
  %0 = nn.relu %x : tensor<1x4xf32>
  %1 = nn.add %0, %x : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  func.return %x : tensor<1x4xf32>
}
