// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | cmc-opt | filecheck %s

// Every way to write an array, printed so that it reads back as the same bits.

// CHECK-LABEL: func.func @small
func.func @small() {
  // CHECK-NEXT: nn.constant #nn.weights<1.5> : tensor<f32>
  %0 = nn.constant #nn.weights<1.5> : tensor<f32>
  // Integers are taken for the numbers that they are.
  // CHECK-NEXT: nn.constant #nn.weights<[1.0, -2.0]> : tensor<2xf32>
  %1 = nn.constant #nn.weights<[1, -2]> : tensor<2xf32>
  // CHECK-NEXT: nn.constant #nn.weights<{{\[\[}}0.1, 1.0e-05, 1.2345679e+20], [-0.0, 0.5, 3.0e-45]]> : tensor<2x3xf32>
  %2 = nn.constant #nn.weights<[[0.1, 1.0e-05, 123456789012345678901.0], [-0.0, 0.5, 2.8e-45]]> : tensor<2x3xf32>
  // CHECK-NEXT: nn.constant #nn.weights<[nan, inf, -inf]> : tensor<3xf32>
  %3 = nn.constant #nn.weights<[nan, inf, -inf]> : tensor<3xf32>
  // A NaN that has no decimal.
  // CHECK-NEXT: nn.constant #nn.weights<hex "0x010080FF0000803F" shape [2]> : tensor<2xf32>
  %4 = nn.constant #nn.weights<hex "0x010080FF0000803F" shape [2]> : tensor<2xf32>
  // CHECK-NEXT: nn.constant #nn.weights<[3.5, 3.5]> : tensor<2xf32>
  %5 = nn.constant #nn.weights<splat 3.5 shape [2]> : tensor<2xf32>
  // CHECK-NEXT: nn.constant #nn.weights<[1.0, 2.0]> : tensor<2xf32>
  %6 = nn.constant #nn.weights<hex "0x0000803F00000040" shape [2]> : tensor<2xf32>
  func.return
}

// CHECK-LABEL: func.func @no_elements
func.func @no_elements() {
  // CHECK-NEXT: nn.constant #nn.weights<[]> : tensor<0xf32>
  %0 = nn.constant #nn.weights<[]> : tensor<0xf32>
  // CHECK-NEXT: nn.constant #nn.weights<hex "0x" shape [0, 3]> : tensor<0x3xf32>
  %1 = nn.constant #nn.weights<hex "0x" shape [0, 3]> : tensor<0x3xf32>
  // CHECK-NEXT: nn.constant #nn.weights<hex "0x" shape [2, 0]> : tensor<2x0xf32>
  %2 = nn.constant #nn.weights<[[], []]> : tensor<2x0xf32>
  func.return
}

// CHECK-LABEL: func.func @large
func.func @large() {
  // CHECK-NEXT: nn.constant #nn.weights<splat 0.02 shape [1000, 2048]> : tensor<1000x2048xf32>
  %0 = nn.constant #nn.weights<splat 0.02 shape [1000, 2048]> : tensor<1000x2048xf32>
  // CHECK-NEXT: nn.constant #nn.weights<splat -inf shape [100]> : tensor<100xf32>
  %1 = nn.constant #nn.weights<splat -inf shape [100]> : tensor<100xf32>
  // CHECK-NEXT: nn.constant #nn.weights<elided shape [64, 3, 7, 7] sha256 "{{(0123456789abcdef)+}}"> : tensor<64x3x7x7xf32>
  %2 = nn.constant #nn.weights<elided shape [64, 3, 7, 7] sha256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"> : tensor<64x3x7x7xf32>
  func.return
}
