// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | filecheck %s --check-prefix=GENERIC

// Every operation of the dialect, in the form in which it is printed.

// CHECK-LABEL: func.func @elements
func.func @elements(%x: tensor<1x8x4x4xf32>, %c: tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32> {
  // CHECK-NEXT: %0 = nn.relu %x : tensor<1x8x4x4xf32>
  // GENERIC: "nn.relu"(%x) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %0 = nn.relu %x : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %1 = nn.leaky_relu %0 alpha 0.1 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.leaky_relu"(%0) <{alpha = 1.000000e-01 : f32}> : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %1 = nn.leaky_relu %0 alpha 0.1 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %2 = nn.clip %1 min -1.0 max 6.0 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.clip"(%1) <{min = -1.000000e+00 : f32, max = 6.000000e+00 : f32}> : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %2 = nn.clip %1 min -1.0 max 6.0 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %3 = nn.clip %2 max 5.0 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.clip"(%2) <{max = 5.000000e+00 : f32}> : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %3 = nn.clip %2 max 5.0 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %4 = nn.sigmoid %3 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.sigmoid"(%3) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %4 = nn.sigmoid %3 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %5 = nn.tanh %4 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.tanh"(%4) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %5 = nn.tanh %4 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %6 = nn.exp %5 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.exp"(%5) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %6 = nn.exp %5 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %7 = nn.sqrt %6 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.sqrt"(%6) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %7 = nn.sqrt %6 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %8 = nn.neg %7 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.neg"(%7) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %8 = nn.neg %7 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %9 = nn.abs %8 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.abs"(%8) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %9 = nn.abs %8 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %10 = nn.add %9, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  // GENERIC: "nn.add"(%9, %c) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  %10 = nn.add %9, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %11 = nn.sub %c, %10 : (tensor<8x1x1xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // GENERIC: "nn.sub"(%c, %10) : (tensor<8x1x1xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %11 = nn.sub %c, %10 : (tensor<8x1x1xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %12 = nn.mul %11, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // GENERIC: "nn.mul"(%11, %x) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %12 = nn.mul %11, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %13 = nn.div %12, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // GENERIC: "nn.div"(%12, %x) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %13 = nn.div %12, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %14 = nn.maximum %13, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // GENERIC: "nn.maximum"(%13, %x) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %14 = nn.maximum %13, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %15 = nn.minimum %14, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // GENERIC: "nn.minimum"(%14, %x) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %15 = nn.minimum %14, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %16 = nn.pow %15, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  // GENERIC: "nn.pow"(%15, %c) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  %16 = nn.pow %15, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  func.return %16 : tensor<1x8x4x4xf32>
}

// CHECK-LABEL: func.func @windows
func.func @windows(%x: tensor<1x4x9x9xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<6xf32>, %d: tensor<4x1x3x3xf32>) -> tensor<1x4x2x2xf32> {
  // CHECK-NEXT: %0 = nn.conv %x, %w : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x7x7xf32>
  // GENERIC: "nn.conv"(%x, %w) <{group = 1 : i64}> : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x7x7xf32>
  %0 = nn.conv %x, %w : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x7x7xf32>
  // CHECK-NEXT: %1 = nn.conv %x, %w, %b strides [2, 2] pads [1, 1, 1, 1] dilations [2, 1] : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>, tensor<6xf32>) -> tensor<1x6x4x5xf32>
  // GENERIC: "nn.conv"(%x, %w, %b) <{strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 2, 1>, group = 1 : i64}> : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>, tensor<6xf32>) -> tensor<1x6x4x5xf32>
  %1 = nn.conv %x, %w, %b strides [2, 2] pads [1, 1, 1, 1] dilations [2, 1] : (tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>, tensor<6xf32>) -> tensor<1x6x4x5xf32>
  // CHECK-NEXT: %2 = nn.conv %x, %d pads [0, 1, 2, 1] group 4 : (tensor<1x4x9x9xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x9x9xf32>
  // GENERIC: "nn.conv"(%x, %d) <{pads = array<i64: 0, 1, 2, 1>, group = 4 : i64}> : (tensor<1x4x9x9xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x9x9xf32>
  %2 = nn.conv %x, %d pads [0, 1, 2, 1] group 4 : (tensor<1x4x9x9xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x9x9xf32>
  // CHECK-NEXT: %3 = nn.max_pool %2 kernel [2, 2] strides [2, 2] ceil_mode : (tensor<1x4x9x9xf32>) -> tensor<1x4x5x5xf32>
  // GENERIC: "nn.max_pool"(%2) <{kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, ceil_mode}> : (tensor<1x4x9x9xf32>) -> tensor<1x4x5x5xf32>
  %3 = nn.max_pool %2 kernel [2, 2] strides [2, 2] ceil_mode : (tensor<1x4x9x9xf32>) -> tensor<1x4x5x5xf32>
  // CHECK-NEXT: %4 = nn.max_pool %3 kernel [2, 2] pads [1, 1, 0, 0] dilations [2, 2] : (tensor<1x4x5x5xf32>) -> tensor<1x4x4x4xf32>
  // GENERIC: "nn.max_pool"(%3) <{kernel = array<i64: 2, 2>, pads = array<i64: 1, 1, 0, 0>, dilations = array<i64: 2, 2>}> : (tensor<1x4x5x5xf32>) -> tensor<1x4x4x4xf32>
  %4 = nn.max_pool %3 kernel [2, 2] pads [1, 1, 0, 0] dilations [2, 2] : (tensor<1x4x5x5xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: %5 = nn.average_pool %4 kernel [2, 2] pads [0, 0, 1, 1] count_include_pad : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  // GENERIC: "nn.average_pool"(%4) <{kernel = array<i64: 2, 2>, pads = array<i64: 0, 0, 1, 1>, count_include_pad}> : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %5 = nn.average_pool %4 kernel [2, 2] pads [0, 0, 1, 1] count_include_pad : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  // CHECK-NEXT: %6 = nn.average_pool %5 kernel [3, 3] strides [2, 2] ceil_mode : (tensor<1x4x4x4xf32>) -> tensor<1x4x2x2xf32>
  // GENERIC: "nn.average_pool"(%5) <{kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, ceil_mode}> : (tensor<1x4x4x4xf32>) -> tensor<1x4x2x2xf32>
  %6 = nn.average_pool %5 kernel [3, 3] strides [2, 2] ceil_mode : (tensor<1x4x4x4xf32>) -> tensor<1x4x2x2xf32>
  func.return %6 : tensor<1x4x2x2xf32>
}

// One spatial axis, and three.
// CHECK-LABEL: func.func @other_ranks
func.func @other_ranks(%x: tensor<1x2x10xf32>, %w: tensor<3x2x3xf32>, %v: tensor<1x2x4x5x6xf32>, %k: tensor<3x2x2x2x2xf32>) -> tensor<1x3x8xf32> {
  // CHECK-NEXT: %0 = nn.conv %x, %w : (tensor<1x2x10xf32>, tensor<3x2x3xf32>) -> tensor<1x3x8xf32>
  // GENERIC: "nn.conv"(%x, %w) <{group = 1 : i64}> : (tensor<1x2x10xf32>, tensor<3x2x3xf32>) -> tensor<1x3x8xf32>
  %0 = nn.conv %x, %w : (tensor<1x2x10xf32>, tensor<3x2x3xf32>) -> tensor<1x3x8xf32>
  // CHECK-NEXT: %1 = nn.conv %v, %k : (tensor<1x2x4x5x6xf32>, tensor<3x2x2x2x2xf32>) -> tensor<1x3x3x4x5xf32>
  // GENERIC: "nn.conv"(%v, %k) <{group = 1 : i64}> : (tensor<1x2x4x5x6xf32>, tensor<3x2x2x2x2xf32>) -> tensor<1x3x3x4x5xf32>
  %1 = nn.conv %v, %k : (tensor<1x2x4x5x6xf32>, tensor<3x2x2x2x2xf32>) -> tensor<1x3x3x4x5xf32>
  func.return %0 : tensor<1x3x8xf32>
}

// CHECK-LABEL: func.func @channels
func.func @channels(%x: tensor<1x8x4x4xf32>, %p: tensor<8xf32>) -> tensor<1x8x4x4xf32> {
  // CHECK-NEXT: %0 = nn.batch_norm %x, %p, %p, %p, %p epsilon 1.0e-05 : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
  // GENERIC: "nn.batch_norm"(%x, %p, %p, %p, %p) <{epsilon = 1.000000e-05 : f32}> : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
  %0 = nn.batch_norm %x, %p, %p, %p, %p epsilon 1.0e-05 : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %1 = nn.lrn %0 size 5 alpha 1.0e-04 beta 0.75 bias 1.0 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.lrn"(%0) <{size = 5 : i64, alpha = 1.000000e-04 : f32, beta = 7.500000e-01 : f32, bias = 1.000000e+00 : f32}> : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %1 = nn.lrn %0 size 5 alpha 1.0e-04 beta 0.75 bias 1.0 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %2 = nn.softmax %1 axis 1 : tensor<1x8x4x4xf32>
  // GENERIC: "nn.softmax"(%1) <{axis = 1 : i64}> : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %2 = nn.softmax %1 axis 1 : tensor<1x8x4x4xf32>
  func.return %2 : tensor<1x8x4x4xf32>
}

// CHECK-LABEL: func.func @matrices
func.func @matrices(%x: tensor<1x3x5xf32>, %w: tensor<5x4xf32>, %b: tensor<2x5x4xf32>, %v: tensor<5xf32>) -> tensor<1x3x4xf32> {
  // CHECK-NEXT: %0 = nn.matmul %x, %w : (tensor<1x3x5xf32>, tensor<5x4xf32>) -> tensor<1x3x4xf32>
  // GENERIC: "nn.matmul"(%x, %w) : (tensor<1x3x5xf32>, tensor<5x4xf32>) -> tensor<1x3x4xf32>
  %0 = nn.matmul %x, %w : (tensor<1x3x5xf32>, tensor<5x4xf32>) -> tensor<1x3x4xf32>
  // CHECK-NEXT: %1 = nn.matmul %x, %b : (tensor<1x3x5xf32>, tensor<2x5x4xf32>) -> tensor<2x3x4xf32>
  // GENERIC: "nn.matmul"(%x, %b) : (tensor<1x3x5xf32>, tensor<2x5x4xf32>) -> tensor<2x3x4xf32>
  %1 = nn.matmul %x, %b : (tensor<1x3x5xf32>, tensor<2x5x4xf32>) -> tensor<2x3x4xf32>
  // CHECK-NEXT: %2 = nn.matmul %x, %v : (tensor<1x3x5xf32>, tensor<5xf32>) -> tensor<1x3xf32>
  // GENERIC: "nn.matmul"(%x, %v) : (tensor<1x3x5xf32>, tensor<5xf32>) -> tensor<1x3xf32>
  %2 = nn.matmul %x, %v : (tensor<1x3x5xf32>, tensor<5xf32>) -> tensor<1x3xf32>
  // CHECK-NEXT: %3 = nn.matmul %v, %w : (tensor<5xf32>, tensor<5x4xf32>) -> tensor<4xf32>
  // GENERIC: "nn.matmul"(%v, %w) : (tensor<5xf32>, tensor<5x4xf32>) -> tensor<4xf32>
  %3 = nn.matmul %v, %w : (tensor<5xf32>, tensor<5x4xf32>) -> tensor<4xf32>
  func.return %0 : tensor<1x3x4xf32>
}

// CHECK-LABEL: func.func @layout
func.func @layout(%x: tensor<1x4x6x6xf32>) -> tensor<1x144xf32> {
  // CHECK-NEXT: %0 = nn.transpose %x perm [0, 2, 3, 1] : (tensor<1x4x6x6xf32>) -> tensor<1x6x6x4xf32>
  // GENERIC: "nn.transpose"(%x) <{perm = array<i64: 0, 2, 3, 1>}> : (tensor<1x4x6x6xf32>) -> tensor<1x6x6x4xf32>
  %0 = nn.transpose %x perm [0, 2, 3, 1] : (tensor<1x4x6x6xf32>) -> tensor<1x6x6x4xf32>
  // CHECK-NEXT: %1 = nn.slice %0 starts [0, 5, 0, 1] steps [1, -1, 2, 1] : (tensor<1x6x6x4xf32>) -> tensor<1x6x3x2xf32>
  // GENERIC: "nn.slice"(%0) <{starts = array<i64: 0, 5, 0, 1>, steps = array<i64: 1, -1, 2, 1>}> : (tensor<1x6x6x4xf32>) -> tensor<1x6x3x2xf32>
  %1 = nn.slice %0 starts [0, 5, 0, 1] steps [1, -1, 2, 1] : (tensor<1x6x6x4xf32>) -> tensor<1x6x3x2xf32>
  // CHECK-NEXT: %2 = nn.slice %1 starts [0, 1, 0, 0] : (tensor<1x6x3x2xf32>) -> tensor<1x4x3x2xf32>
  // GENERIC: "nn.slice"(%1) <{starts = array<i64: 0, 1, 0, 0>}> : (tensor<1x6x3x2xf32>) -> tensor<1x4x3x2xf32>
  %2 = nn.slice %1 starts [0, 1, 0, 0] : (tensor<1x6x3x2xf32>) -> tensor<1x4x3x2xf32>
  // CHECK-NEXT: %3 = nn.pad %2 low [0, 1, 0, -1] high [0, 0, 0, 1] : (tensor<1x4x3x2xf32>) -> tensor<1x5x3x2xf32>
  // GENERIC: "nn.pad"(%2) <{low = array<i64: 0, 1, 0, -1>, high = array<i64: 0, 0, 0, 1>, mode = #nn<pad_mode constant>, value = 0.000000e+00 : f32}> : (tensor<1x4x3x2xf32>) -> tensor<1x5x3x2xf32>
  %3 = nn.pad %2 low [0, 1, 0, -1] high [0, 0, 0, 1] : (tensor<1x4x3x2xf32>) -> tensor<1x5x3x2xf32>
  // CHECK-NEXT: %4 = nn.pad %3 low [0, 0, 0, 0] high [0, 0, 0, 1] mode edge : (tensor<1x5x3x2xf32>) -> tensor<1x5x3x3xf32>
  // GENERIC: "nn.pad"(%3) <{low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 0, 0, 1>, mode = #nn<pad_mode edge>, value = 0.000000e+00 : f32}> : (tensor<1x5x3x2xf32>) -> tensor<1x5x3x3xf32>
  %4 = nn.pad %3 low [0, 0, 0, 0] high [0, 0, 0, 1] mode edge : (tensor<1x5x3x2xf32>) -> tensor<1x5x3x3xf32>
  // CHECK-NEXT: %5 = nn.pad %4 low [0, 0, 0, 0] high [0, 0, 0, 1] mode reflect : (tensor<1x5x3x3xf32>) -> tensor<1x5x3x4xf32>
  // GENERIC: "nn.pad"(%4) <{low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 0, 0, 1>, mode = #nn<pad_mode reflect>, value = 0.000000e+00 : f32}> : (tensor<1x5x3x3xf32>) -> tensor<1x5x3x4xf32>
  %5 = nn.pad %4 low [0, 0, 0, 0] high [0, 0, 0, 1] mode reflect : (tensor<1x5x3x3xf32>) -> tensor<1x5x3x4xf32>
  // CHECK-NEXT: %6 = nn.pad %5 low [0, 0, 0, 0] high [0, 1, 0, 0] value 0.5 : (tensor<1x5x3x4xf32>) -> tensor<1x6x3x4xf32>
  // GENERIC: "nn.pad"(%5) <{low = array<i64: 0, 0, 0, 0>, high = array<i64: 0, 1, 0, 0>, value = 5.000000e-01 : f32, mode = #nn<pad_mode constant>}> : (tensor<1x5x3x4xf32>) -> tensor<1x6x3x4xf32>
  %6 = nn.pad %5 low [0, 0, 0, 0] high [0, 1, 0, 0] value 0.5 : (tensor<1x5x3x4xf32>) -> tensor<1x6x3x4xf32>
  // CHECK-NEXT: %7 = nn.concat %6, %6 axis 2 : (tensor<1x6x3x4xf32>, tensor<1x6x3x4xf32>) -> tensor<1x6x6x4xf32>
  // GENERIC: "nn.concat"(%6, %6) <{axis = 2 : i64}> : (tensor<1x6x3x4xf32>, tensor<1x6x3x4xf32>) -> tensor<1x6x6x4xf32>
  %7 = nn.concat %6, %6 axis 2 : (tensor<1x6x3x4xf32>, tensor<1x6x3x4xf32>) -> tensor<1x6x6x4xf32>
  // CHECK-NEXT: %8 = nn.concat %7 axis 0 : (tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  // GENERIC: "nn.concat"(%7) <{axis = 0 : i64}> : (tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  %8 = nn.concat %7 axis 0 : (tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  // CHECK-NEXT: %9 = nn.reshape %8 : tensor<1x6x6x4xf32> -> tensor<1x144xf32>
  // GENERIC: "nn.reshape"(%8) : (tensor<1x6x6x4xf32>) -> tensor<1x144xf32>
  %9 = nn.reshape %8 : tensor<1x6x6x4xf32> -> tensor<1x144xf32>
  func.return %9 : tensor<1x144xf32>
}

// CHECK-LABEL: func.func @choices
func.func @choices(%x: tensor<1x8x4x4xf32>, %c: tensor<8x1x1xf32>) -> tensor<1x8x7x22xf32> {
  // CHECK-NEXT: %0 = nn.log %x : tensor<1x8x4x4xf32>
  %0 = nn.log %x : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %1 = nn.erf %0 : tensor<1x8x4x4xf32>
  %1 = nn.erf %0 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %2 = nn.floor %1 : tensor<1x8x4x4xf32>
  %2 = nn.floor %1 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %3 = nn.ceil %2 : tensor<1x8x4x4xf32>
  %3 = nn.ceil %2 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %4 = nn.round %3 : tensor<1x8x4x4xf32>
  %4 = nn.round %3 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %5 = nn.sign %4 : tensor<1x8x4x4xf32>
  %5 = nn.sign %4 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %6 = nn.less %5, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  %6 = nn.less %5, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %7 = nn.less_equal %6, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  %7 = nn.less_equal %6, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %8 = nn.equal %7, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  %8 = nn.equal %7, %c : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %9 = nn.where %8, %x, %c : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  %9 = nn.where %8, %x, %c : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %10 = nn.gather %9 axis 3 indices [0, 0, 1, 1, 2, 2, 3, 3] : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x8xf32>
  %10 = nn.gather %9 axis 3 indices [0, 0, 1, 1, 2, 2, 3, 3] : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x8xf32>
  // GENERIC: "nn.gather"(%9) <{axis = 3 : i64, indices = array<i64: 0, 0, 1, 1, 2, 2, 3, 3>}>
  // CHECK-NEXT: %11 = nn.dilate %10 steps [1, 1, 2, 3] : (tensor<1x8x4x8xf32>) -> tensor<1x8x7x22xf32>
  %11 = nn.dilate %10 steps [1, 1, 2, 3] : (tensor<1x8x4x8xf32>) -> tensor<1x8x7x22xf32>
  func.return %11 : tensor<1x8x7x22xf32>
}

// CHECK-LABEL: func.func @angles
func.func @angles(%x: tensor<1x8x4x4xf32>) -> tensor<1x8x2x2xf32> {
  // CHECK-NEXT: %0 = nn.sin %x : tensor<1x8x4x4xf32>
  %0 = nn.sin %x : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %1 = nn.cos %0 : tensor<1x8x4x4xf32>
  %1 = nn.cos %0 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %2 = nn.tan %1 : tensor<1x8x4x4xf32>
  %2 = nn.tan %1 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %3 = nn.asin %2 : tensor<1x8x4x4xf32>
  %3 = nn.asin %2 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %4 = nn.acos %3 : tensor<1x8x4x4xf32>
  %4 = nn.acos %3 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %5 = nn.atan %4 : tensor<1x8x4x4xf32>
  %5 = nn.atan %4 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %6 = nn.sinh %5 : tensor<1x8x4x4xf32>
  %6 = nn.sinh %5 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %7 = nn.cosh %6 : tensor<1x8x4x4xf32>
  %7 = nn.cosh %6 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %8 = nn.asinh %7 : tensor<1x8x4x4xf32>
  %8 = nn.asinh %7 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %9 = nn.acosh %8 : tensor<1x8x4x4xf32>
  %9 = nn.acosh %8 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %10 = nn.atanh %9 : tensor<1x8x4x4xf32>
  %10 = nn.atanh %9 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %11 = nn.trunc %10 : tensor<1x8x4x4xf32>
  %11 = nn.trunc %10 : tensor<1x8x4x4xf32>
  // CHECK-NEXT: %12 = nn.remainder %11, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  %12 = nn.remainder %11, %x : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
  // CHECK-NEXT: %13 = nn.sum_pool %12 kernel [2, 2] strides [2, 2] : (tensor<1x8x4x4xf32>) -> tensor<1x8x2x2xf32>
  %13 = nn.sum_pool %12 kernel [2, 2] strides [2, 2] : (tensor<1x8x4x4xf32>) -> tensor<1x8x2x2xf32>
  func.return %13 : tensor<1x8x2x2xf32>
}

// Numbers are shortest decimals; infinite ones have names.
// CHECK-LABEL: func.func @numbers
func.func @numbers(%x: tensor<1x4xf32>) -> tensor<1x6xf32> {
  // CHECK-NEXT: %0 = nn.clip %x min -inf max 0.1 : tensor<1x4xf32>
  // GENERIC: "nn.clip"(%x) <{min = 0xff800000 : f32, max = 1.000000e-01 : f32}> : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %0 = nn.clip %x min -inf max 0.1 : tensor<1x4xf32>
  // CHECK-NEXT: %1 = nn.leaky_relu %0 alpha 2.0 : tensor<1x4xf32>
  %1 = nn.leaky_relu %0 alpha 2 : tensor<1x4xf32>
  // CHECK-NEXT: %2 = nn.pad %1 low [0, 1] high [0, 1] value -inf : (tensor<1x4xf32>) -> tensor<1x6xf32>
  %2 = nn.pad %1 low [0, 1] high [0, 1] value -inf : (tensor<1x4xf32>) -> tensor<1x6xf32>
  func.return %2 : tensor<1x6xf32>
}

// Names of the ONNX model's inputs and outputs.
// CHECK-LABEL: func.func @names(%x: tensor<1x4xf32> {nn.name = "input.1"}) -> (tensor<1x4xf32> {nn.name = "195"})
func.func @names(%x: tensor<1x4xf32> {nn.name = "input.1"}) -> (tensor<1x4xf32> {nn.name = "195"}) {
  func.return %x : tensor<1x4xf32>
}

// CHECK-LABEL: func.func @recurrence
func.func @recurrence(%x: tensor<5x1x8xf32>, %r: tensor<8x8xf32>, %h: tensor<1x1x8xf32>) -> tensor<5x1x8xf32> {
  // CHECK-NEXT: %0 = nn.recurrence %before from %h : tensor<1x1x8xf32> -> tensor<5x1x8xf32> {
  // CHECK-NEXT:   %1 = nn.matmul %before, %r : (tensor<5x1x8xf32>, tensor<8x8xf32>) -> tensor<5x1x8xf32>
  // CHECK-NEXT:   %2 = nn.add %1, %x : (tensor<5x1x8xf32>, tensor<5x1x8xf32>) -> tensor<5x1x8xf32>
  // CHECK-NEXT:   nn.yield %2 : tensor<5x1x8xf32>
  // CHECK-NEXT: }
  // GENERIC: "nn.recurrence"(%h) ({
  // GENERIC: "nn.yield"(%2) : (tensor<5x1x8xf32>) -> ()
  %0 = nn.recurrence %before from %h : tensor<1x1x8xf32> -> tensor<5x1x8xf32> {
    %1 = nn.matmul %before, %r : (tensor<5x1x8xf32>, tensor<8x8xf32>) -> tensor<5x1x8xf32>
    %2 = nn.add %1, %x : (tensor<5x1x8xf32>, tensor<5x1x8xf32>) -> tensor<5x1x8xf32>
    nn.yield %2 : tensor<5x1x8xf32>
  }
  func.return %0 : tensor<5x1x8xf32>
}
