// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p convert-nn-to-cmpipe | filecheck %s

// A convolution, its bias, the residual add and the activation are one stage, which holds the
// matrix; the padding is no data: the window is read beyond the border.
// CHECK-LABEL: cmpipe.pipeline @residual {
// CHECK-NEXT:    cmpipe.object @x : memref<6x6xvector<2xf32>>
// CHECK-NEXT:    cmpipe.object @conv_out : memref<6x6xvector<2xf32>>
// CHECK-NEXT:    cmpipe.input @x_stream "x" @x #poly.map<"{ [t0, t1, t2, t3] -> [t2, t3, t1] }"> : tensor<1x2x6x6xf32>
// CHECK-NEXT:    cmpipe.output "output0" @conv_out #poly.map<"{ [t0, t1, t2, t3] -> [t2, t3, t1] }"> : tensor<1x2x6x6xf32>
// CHECK-NEXT:    cmpipe.stage @conv in #poly.set<"{ [h, w] : 0 <= h <= 5 and 0 <= w <= 5 }"> {
// CHECK-NEXT:      cmpipe.crossbar @weights #nn.weights<{{.*}}> : tensor<18x2xf32>
// CHECK-NEXT:      %0 = cmpipe.read @x #poly.map<"{ [h, w, kh, kw, c] -> [-1 + h + kh, -1 + w + kw, c] }"> : vector<3x3x2xf32>
// CHECK-NEXT:      %1 = cmpipe.mxv @weights %0 : vector<3x3x2xf32> -> vector<2xf32>
// CHECK-NEXT:      %2 = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
// CHECK-NEXT:      %3 = arith.addf %1, %2 : vector<2xf32>
// CHECK-NEXT:      %4 = cmpipe.read @x #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<2xf32>
// CHECK-NEXT:      %5 = arith.addf %3, %4 : vector<2xf32>
// CHECK-NEXT:      %6 = arith.constant dense<0.000000e+00> : vector<2xf32>
// CHECK-NEXT:      %7 = arith.maximumf %5, %6 : vector<2xf32>
// CHECK-NEXT:      cmpipe.write %7, @conv_out #poly.map<"{ [h, w] -> [h, w] }"> : vector<2xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    cmpipe.core @core0 runs [@conv]
func.func @residual(%x: tensor<1x2x6x6xf32> {nn.name = "x"}) -> tensor<1x2x6x6xf32> {
  %w = nn.constant #nn.weights<splat 0.5 shape [2, 2, 3, 3]> : tensor<2x2x3x3xf32>
  %b = nn.constant #nn.weights<[1.0, 2.0]> : tensor<2xf32>
  %0 = nn.conv %x, %w, %b pads [1, 1, 1, 1] : (tensor<1x2x6x6xf32>, tensor<2x2x3x3xf32>, tensor<2xf32>) -> tensor<1x2x6x6xf32> loc("conv")
  %1 = nn.add %0, %x : (tensor<1x2x6x6xf32>, tensor<1x2x6x6xf32>) -> tensor<1x2x6x6xf32>
  %2 = nn.relu %1 : tensor<1x2x6x6xf32>
  func.return %2 : tensor<1x2x6x6xf32>
}

// Pooling has a domain of its own, and is a stage of its own. Its padding is the least number.
// CHECK-LABEL: cmpipe.pipeline @pooling {
// CHECK:         cmpipe.stage @relu in #poly.set<"{ [h, w] : 0 <= h <= 5 and 0 <= w <= 5 }"> {
// CHECK:         cmpipe.stage @pool in #poly.set<"{ [h, w] : 0 <= h <= 3 and 0 <= w <= 3 }"> {
// CHECK-NEXT:      %[[V:.*]] = cmpipe.read @relu_out #poly.map<"{ [h, w, kh, kw, c] -> [-1 + 2h + kh, -1 + 2w + kw, c] }"> pad -inf : vector<2x2x2xf32>
// CHECK-NEXT:      %[[M:.*]] = cmpipe.reduce max %[[V]] : vector<2x2x2xf32> -> vector<2xf32>
// CHECK-NEXT:      cmpipe.write %[[M]], @pool_out #poly.map<"{ [h, w] -> [h, w] }"> : vector<2xf32>
func.func @pooling(%x: tensor<1x2x6x6xf32>) -> tensor<1x2x4x4xf32> {
  %0 = nn.relu %x : tensor<1x2x6x6xf32> loc("relu")
  %1 = nn.max_pool %0 kernel [2, 2] strides [2, 2] pads [1, 1, 1, 1] : (tensor<1x2x6x6xf32>) -> tensor<1x2x4x4xf32> loc("pool")
  func.return %1 : tensor<1x2x4x4xf32>
}

// Views cost nothing: whoever reads a tensor reads through them. A vector here is all of x.
// CHECK-LABEL: cmpipe.pipeline @flatten {
// CHECK:         cmpipe.object @x : memref<3x4xvector<2xf32>>
// CHECK:         cmpipe.stage @dense in #poly.set<"{ [] }"> {
// CHECK-NEXT:      cmpipe.crossbar @weights
// CHECK-NEXT:      cmpipe.read @x #poly.map<"{ [k] -> [floor((k)/8), floor((k)/2) - 4*floor((k)/8), (k) mod 2] }"> : vector<24xf32>
func.func @flatten(%x: tensor<1x2x3x4xf32> {nn.name = "x"}) -> tensor<1x5xf32> {
  %w = nn.constant #nn.weights<splat 0.5 shape [24, 5]> : tensor<24x5xf32>
  %0 = nn.transpose %x perm [0, 2, 3, 1] : (tensor<1x2x3x4xf32>) -> tensor<1x3x4x2xf32>
  %1 = nn.reshape %0 : tensor<1x3x4x2xf32> -> tensor<1x24xf32>
  %2 = nn.matmul %1, %w : (tensor<1x24xf32>, tensor<24x5xf32>) -> tensor<1x5xf32> loc("dense")
  func.return %2 : tensor<1x5xf32>
}

// CHECK-LABEL: cmpipe.pipeline @slice_and_pad {
// CHECK:         cmpipe.stage @relu in #poly.set<"{ [w] : 0 <= w <= 5 }"> {
// CHECK-NEXT:      cmpipe.read @x #poly.map<"{ [w, c] -> [9 - 2w, c] : 0 < w <= 4 and 0 <= c <= 1 }"> pad 3.0 : vector<2xf32>
func.func @slice_and_pad(%x: tensor<1x2x8xf32> {nn.name = "x"}) -> tensor<1x2x6xf32> {
  %0 = nn.slice %x starts [0, 0, 7] steps [1, 1, -2] : (tensor<1x2x8xf32>) -> tensor<1x2x4xf32>
  %1 = nn.pad %0 low [0, 0, 1] high [0, 0, 1] value 3.0 : (tensor<1x2x4xf32>) -> tensor<1x2x6xf32>
  %2 = nn.relu %1 : tensor<1x2x6xf32> loc("relu")
  func.return %2 : tensor<1x2x6xf32>
}

// A concatenation costs nothing either: whoever reads it reads its parts. A product takes its rows
// from both, each with its own rows of the matrix.
// CHECK-LABEL: cmpipe.pipeline @concat {
// CHECK:         cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w <= 3 }"> {
// CHECK-NEXT:      cmpipe.crossbar @weights #nn.weights<{{\[\[}}1.0], [2.0], [5.0], [6.0], [3.0], [7.0]]> : tensor<6x1xf32>
// CHECK-NEXT:      %[[X:.*]] = cmpipe.read @x #poly.map<"{ [w, kw, c] -> [-1 + w + kw, c] }"> : vector<2x2xf32>
// CHECK-NEXT:      %[[Y:.*]] = cmpipe.read @y #poly.map<"{ [w, kw, c] -> [-1 + w + kw, c] }"> : vector<2x1xf32>
// CHECK-NEXT:      cmpipe.mxv @weights %[[X]], %[[Y]] : vector<2x2xf32>, vector<2x1xf32> -> vector<1xf32>
// CHECK:         cmpipe.stage @pool in #poly.set<"{ [w] : 0 <= w <= 1 }"> {
// CHECK-NEXT:      %[[X:.*]] = cmpipe.read @x #poly.map<"{ [w, kw, c] -> [2w + kw, c] }"> : vector<2x2xf32>
// CHECK-NEXT:      %[[Y:.*]] = cmpipe.read @y #poly.map<"{ [w, kw, c] -> [2w + kw, c] }"> : vector<2x1xf32>
// CHECK-NEXT:      %[[MX:.*]] = cmpipe.reduce max %[[X]] : vector<2x2xf32> -> vector<2xf32>
// CHECK-NEXT:      %[[MY:.*]] = cmpipe.reduce max %[[Y]] : vector<2x1xf32> -> vector<1xf32>
// CHECK-NEXT:      cmpipe.join %[[MX]], %[[MY]] : vector<2xf32>, vector<1xf32> -> vector<3xf32>
func.func @concat(%x: tensor<1x2x4xf32> {nn.name = "x"}, %y: tensor<1x1x4xf32> {nn.name = "y"}) -> (tensor<1x1x4xf32>, tensor<1x3x2xf32>) {
  %w = nn.constant #nn.weights<[[[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]]]> : tensor<1x3x2xf32>
  %0 = nn.concat %x, %y axis 1 : (tensor<1x2x4xf32>, tensor<1x1x4xf32>) -> tensor<1x3x4xf32>
  %1 = nn.conv %0, %w pads [1, 0] : (tensor<1x3x4xf32>, tensor<1x3x2xf32>) -> tensor<1x1x4xf32> loc("conv")
  %2 = nn.max_pool %0 kernel [2] strides [2] : (tensor<1x3x4xf32>) -> tensor<1x3x2xf32> loc("pool")
  func.return %1, %2 : tensor<1x1x4xf32>, tensor<1x3x2xf32>
}

// A window may reach into both parts, and beyond them. It is cut where the parts lie side by side in
// it, in whatever order they do: here y[1], y[0], x[3], x[2], from the end.
// CHECK-LABEL: cmpipe.pipeline @straddle {
// CHECK:         cmpipe.stage @pool in #poly.set<"{ [w] : 0 <= w <= 3 }"> {
// CHECK-NEXT:      %[[X:.*]] = cmpipe.read @x #poly.map<"{ [w, kw, c] -> [-1 + 2w + kw, c] }"> pad -inf : vector<3x2xf32>
// CHECK-NEXT:      %[[V:.*]] = cmpipe.read @y #poly.map<"{ [w, kw, c] -> [-5 + 2w + kw, c] }"> over %[[X]] : vector<3x2xf32>
// CHECK-NEXT:      cmpipe.reduce max %[[V]] : vector<3x2xf32> -> vector<2xf32>
// CHECK:         cmpipe.stage @dense in #poly.set<"{ [] }"> {
// CHECK-NEXT:      cmpipe.crossbar @weights #nn.weights<{{.*}}> : tensor<8x1xf32>
// CHECK-NEXT:      %[[Y:.*]] = cmpipe.read @y #poly.map<"{ [k] -> [1 - k + floor((1 + k)/2), 1 - (1 + k) mod 2] }"> : vector<4xf32>
// CHECK-NEXT:      %[[X:.*]] = cmpipe.read @x #poly.map<"{ [k] -> [3 - k + floor((1 + k)/2), 1 - (1 + k) mod 2] }"> : vector<4xf32>
// CHECK-NEXT:      cmpipe.mxv @weights %[[Y]], %[[X]] : vector<4xf32>, vector<4xf32> -> vector<1xf32>
func.func @straddle(%x: tensor<1x2x4xf32> {nn.name = "x"}, %y: tensor<1x2x2xf32> {nn.name = "y"}) -> (tensor<1x2x4xf32>, tensor<1x1xf32>) {
  %w = nn.constant #nn.weights<splat 0.5 shape [8, 1]> : tensor<8x1xf32>
  %0 = nn.concat %x, %y axis 2 : (tensor<1x2x4xf32>, tensor<1x2x2xf32>) -> tensor<1x2x6xf32>
  %1 = nn.max_pool %0 kernel [3] strides [2] pads [1, 2] : (tensor<1x2x6xf32>) -> tensor<1x2x4xf32> loc("pool")
  %2 = nn.slice %0 starts [0, 0, 5] steps [1, 1, -1] : (tensor<1x2x6xf32>) -> tensor<1x2x4xf32>
  %3 = nn.transpose %2 perm [0, 2, 1] : (tensor<1x2x4xf32>) -> tensor<1x4x2xf32>
  %4 = nn.reshape %3 : tensor<1x4x2xf32> -> tensor<1x8xf32>
  %5 = nn.matmul %4, %w : (tensor<1x8xf32>, tensor<8x1xf32>) -> tensor<1x1xf32> loc("dense")
  func.return %1, %5 : tensor<1x2x4xf32>, tensor<1x1xf32>
}

// An output is collected from one object: where it has several parts, a stage joins them.
// CHECK-LABEL: cmpipe.pipeline @collected {
// CHECK:         cmpipe.output "output0" @concat_out
// CHECK:         cmpipe.stage @concat in #poly.set<"{ [w] : 0 <= w <= 3 }"> {
// CHECK-NEXT:      cmpipe.object @constant0 #nn.weights<[{{\[}}[1.0, 1.0, 1.0, 1.0]]]> : memref<1x1xvector<4xf32>>
// CHECK-NEXT:      %[[X:.*]] = cmpipe.read @x #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
// CHECK-NEXT:      %[[K:.*]] = cmpipe.read @constant0 #poly.map<"{ [w, c] -> [0, c, w] }"> : vector<1xf32>
// CHECK-NEXT:      %[[Z:.*]] = cmpipe.read @x #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
// CHECK-NEXT:      %[[V:.*]] = cmpipe.join %[[X]], %[[K]], %[[Z]] : vector<2xf32>, vector<1xf32>, vector<2xf32> -> vector<5xf32>
// CHECK-NEXT:      cmpipe.write %[[V]], @concat_out
func.func @collected(%x: tensor<1x2x4xf32> {nn.name = "x"}) -> tensor<1x5x4xf32> {
  %k = nn.constant #nn.weights<splat 1.0 shape [1, 1, 4]> : tensor<1x1x4xf32>
  %0 = nn.concat %x, %k, %x axis 1 : (tensor<1x2x4xf32>, tensor<1x1x4xf32>, tensor<1x2x4xf32>) -> tensor<1x5x4xf32> loc("concat")
  func.return %0 : tensor<1x5x4xf32>
}

// What broadcasts is read at fewer coordinates. A constant per channel is part of the body, one
// that varies from iteration to iteration an object of the stage.
// CHECK-LABEL: cmpipe.pipeline @broadcast {
// CHECK:         cmpipe.stage @mul in #poly.set<"{ [w] : 0 <= w <= 3 }"> {
// CHECK-NEXT:      cmpipe.object @constant0 #nn.weights<[1.0, 2.0, 3.0, 4.0]> : memref<vector<4xf32>>
// CHECK-NEXT:      cmpipe.read @x #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
// CHECK-NEXT:      cmpipe.read @y #poly.map<"{ [w, c] -> [0, c] }"> : vector<2xf32>
// CHECK-NEXT:      arith.mulf
// CHECK-NEXT:      cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
// CHECK-NEXT:      arith.addf
// CHECK-NEXT:      cmpipe.read @constant0 #poly.map<"{ [w, c] -> [w] }"> : vector<2xf32>
// CHECK-NEXT:      arith.addf
func.func @broadcast(%x: tensor<1x2x4xf32> {nn.name = "x"}, %y: tensor<1x2x1xf32> {nn.name = "y"}) -> tensor<1x2x4xf32> {
  %channels = nn.constant #nn.weights<[[1.0], [2.0]]> : tensor<2x1xf32>
  %pixels = nn.constant #nn.weights<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = nn.mul %x, %y : (tensor<1x2x4xf32>, tensor<1x2x1xf32>) -> tensor<1x2x4xf32> loc("mul")
  %1 = nn.add %0, %channels : (tensor<1x2x4xf32>, tensor<2x1xf32>) -> tensor<1x2x4xf32>
  %2 = nn.add %1, %pixels : (tensor<1x2x4xf32>, tensor<4xf32>) -> tensor<1x2x4xf32>
  func.return %2 : tensor<1x2x4xf32>
}

// The groups of a convolution lie on the diagonal of one crossbar.
// CHECK-LABEL: cmpipe.pipeline @depthwise {
// CHECK:         cmpipe.crossbar @weights #nn.weights<{{.*}}> : tensor<2x3x1xf32>
// CHECK:         cmpipe.read @x #poly.map<"{ [w, g, kw, c] -> [w + kw, g + c] }"> : vector<2x3x1xf32>
// CHECK-NEXT:    cmpipe.mxv @weights %{{.*}} : vector<2x3x1xf32> -> vector<2xf32>
func.func @depthwise(%x: tensor<1x2x4xf32> {nn.name = "x"}) -> tensor<1x2x2xf32> {
  %w = nn.constant #nn.weights<[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]> : tensor<2x1x3xf32>
  %0 = nn.conv %x, %w group 2 : (tensor<1x2x4xf32>, tensor<2x1x3xf32>) -> tensor<1x2x2xf32> loc("depthwise")
  func.return %0 : tensor<1x2x2xf32>
}

// Branches of elementwise operators that meet again are one stage.
// CHECK-LABEL: cmpipe.pipeline @swish {
// CHECK:         cmpipe.stage @conv in
// CHECK:         arith.divf
// CHECK-NEXT:    arith.mulf
// CHECK-NEXT:    cmpipe.write
// CHECK-NOT:     cmpipe.stage
func.func @swish(%x: tensor<1x2x4xf32>) -> tensor<1x2x4xf32> {
  %w = nn.constant #nn.weights<splat 0.5 shape [2, 2, 1]> : tensor<2x2x1xf32>
  %0 = nn.conv %x, %w : (tensor<1x2x4xf32>, tensor<2x2x1xf32>) -> tensor<1x2x4xf32> loc("conv")
  %1 = nn.sigmoid %0 : tensor<1x2x4xf32>
  %2 = nn.mul %0, %1 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  func.return %2 : tensor<1x2x4xf32>
}

// Each square is computed once, for all of its neighbours.
// CHECK-LABEL: cmpipe.pipeline @neighbours {
// CHECK:         %0 = cmpipe.read @x #poly.map<"{ [w, c] -> [w, -1 + c] }"> : vector<6xf32>
// CHECK-NEXT:    %1 = arith.mulf %0, %0 : vector<6xf32>
// CHECK-NEXT:    %2 = cmpipe.slice %1 from 0 : vector<6xf32> -> vector<4xf32>
// CHECK-NEXT:    %3 = cmpipe.slice %1 from 1 : vector<6xf32> -> vector<4xf32>
// CHECK-NEXT:    %4 = cmpipe.slice %1 from 2 : vector<6xf32> -> vector<4xf32>
// CHECK-NEXT:    %5 = arith.addf %2, %3 : vector<4xf32>
// CHECK-NEXT:    %6 = arith.addf %5, %4 : vector<4xf32>
// CHECK-NEXT:    %7 = cmpipe.slice %0 from 1 : vector<6xf32> -> vector<4xf32>
// CHECK:         %{{.*}} = arith.divf %7, %{{.*}} : vector<4xf32>
func.func @neighbours(%x: tensor<1x4x3xf32> {nn.name = "x"}) -> tensor<1x4x3xf32> {
  %0 = nn.lrn %x size 3 alpha 3.0 beta 7.5e-01 bias 1.0 : tensor<1x4x3xf32>
  func.return %0 : tensor<1x4x3xf32>
}
