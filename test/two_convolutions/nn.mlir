// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p convert-nn-to-cmpipe | filecheck %s

// Two 1-D convolutions, 10 -> 8 -> 6 pixels with one filter of 3, as a network.

// CHECK-LABEL: cmpipe.pipeline @two_convolutions {
// CHECK-NEXT:    cmpipe.object @x : memref<10xvector<1xf32>>
// CHECK-NEXT:    cmpipe.object @conv1_out : memref<8xvector<1xf32>>
// CHECK-NEXT:    cmpipe.object @conv2_out : memref<6xvector<1xf32>>
// CHECK-NEXT:    cmpipe.input @x_stream "x" @x #poly.map<"{ [t0, t1, t2] -> [t2, t1] }"> : tensor<1x1x10xf32>
// CHECK-NEXT:    cmpipe.output "y" @conv2_out #poly.map<"{ [t0, t1, t2] -> [t2, t1] }"> : tensor<1x1x6xf32>
// CHECK-NEXT:    cmpipe.stage @conv1 in #poly.set<"{ [w] : 0 <= w <= 7 }"> {
// CHECK-NEXT:      cmpipe.crossbar @weights #nn.weights<{{\[\[}}1.0], [2.0], [3.0]]> : tensor<3x1xf32>
// CHECK-NEXT:      %0 = cmpipe.read @x #poly.map<"{ [w, kw, c] -> [w + kw, c] }"> : vector<3x1xf32>
// CHECK-NEXT:      %1 = cmpipe.mxv @weights %0 : vector<3x1xf32> -> vector<1xf32>
// CHECK-NEXT:      cmpipe.write %1, @conv1_out #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    cmpipe.stage @conv2 in #poly.set<"{ [w] : 0 <= w <= 5 }"> {
// CHECK-NEXT:      cmpipe.crossbar @weights #nn.weights<{{\[\[}}4.0], [5.0], [6.0]]> : tensor<3x1xf32>
// CHECK-NEXT:      %0 = cmpipe.read @conv1_out #poly.map<"{ [w, kw, c] -> [w + kw, c] }"> : vector<3x1xf32>
// CHECK-NEXT:      %1 = cmpipe.mxv @weights %0 : vector<3x1xf32> -> vector<1xf32>
// CHECK-NEXT:      cmpipe.write %1, @conv2_out #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    cmpipe.core @core0 runs [@conv1]
// CHECK-NEXT:    cmpipe.core @core1 runs [@conv2]
// CHECK-NEXT:  }
func.func @two_convolutions(%x: tensor<1x1x10xf32> {nn.name = "x"}) -> (tensor<1x1x6xf32> {nn.name = "y"}) {
  %w1 = nn.constant #nn.weights<[[[1.0, 2.0, 3.0]]]> : tensor<1x1x3xf32>
  %w2 = nn.constant #nn.weights<[[[4.0, 5.0, 6.0]]]> : tensor<1x1x3xf32>
  %b = nn.conv %x, %w1 : (tensor<1x1x10xf32>, tensor<1x1x3xf32>) -> tensor<1x1x8xf32> loc("conv1")
  %y = nn.conv %b, %w2 : (tensor<1x1x8xf32>, tensor<1x1x3xf32>) -> tensor<1x1x6xf32> loc("conv2")
  func.return %y : tensor<1x1x6xf32>
}
