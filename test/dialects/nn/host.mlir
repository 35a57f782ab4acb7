// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// The cores add 1, and the host finds what is not 0 of that: its model is NonZero alone.

// CHECK: nn.interface ["x"] -> ["places"]
// CHECK: func.func @main(%x: tensor<1x2xf32> {nn.name = "x"}) -> (tensor<1x2xf32> {nn.name = "y"})
// CHECK: nn.host @host0 reads ["y"] writes ["places"] because [{operator = "NonZero", node = "n", reason = "operator 'NonZero' is not supported"}] model "CAg6
nn.interface ["x"] -> ["places"]
func.func @main(%x: tensor<1x2xf32> {nn.name = "x"}) -> (tensor<1x2xf32> {nn.name = "y"}) {
  %one = nn.constant #nn.weights<1.0> : tensor<f32>
  %y = nn.add %x, %one : (tensor<1x2xf32>, tensor<f32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
nn.host @host0 reads ["y"] writes ["places"]
  because [{operator = "NonZero", node = "n", reason = "operator 'NonZero' is not supported"}]
  model "CAg6TgoWCgF5EgZwbGFjZXMiB05vblplcm86ABIEaG9zdFoTCgF5Eg4KDAgBEggKAggBCgIIAmIZCgZwbGFjZXMSDwoNCAcSCQoCCAIKAxIBbkIECgAQEQ=="

// -----

// CHECK: error: 'nn.host' op has a model that is not ONNX in base64
nn.host @host0 reads [] writes [] because [] model "no base64"

// -----

// CHECK: error: 'nn.host' op reads other tensors than its model
nn.host @host0 reads ["z"] writes ["places"] because [] model "CAg6TgoWCgF5EgZwbGFjZXMiB05vblplcm86ABIEaG9zdFoTCgF5Eg4KDAgBEggKAggBCgIIAmIZCgZwbGFjZXMSDwoNCAcSCQoCCAIKAxIBbkIECgAQEQ=="

// -----

// CHECK: error: 'nn.host' op must give each node operator, node, reason
nn.host @host0 reads ["y"] writes ["places"] because [{operator = "NonZero"}] model "CAg6TgoWCgF5EgZwbGFjZXMiB05vblplcm86ABIEaG9zdFoTCgF5Eg4KDAgBEggKAggBCgIIAmIZCgZwbGFjZXMSDwoNCAcSCQoCCAIKAxIBbkIECgAQEQ=="
