// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-tile-crossbars | filecheck %s
// RUN: cmc-opt %s -p 'cmpipe-tile-crossbars{report=true}' 2>&1 >/dev/null | filecheck %s --check-prefix=REPORT
// RUN: cmc-opt %s -p 'cmpipe-tile-crossbars{target=ideal}' | filecheck %s --check-prefix=IDEAL

// Crossbars have four rows and four columns, and each core has one. A window of three rows of an
// image, two channels each, makes six rows of the matrix. Converters keep their ranges.
// IDEAL: cmpipe.pipeline @rows
// IDEAL: cmpipe.crossbar @w {{.*}} : tensor<6x2xf32>
// CHECK-LABEL: cmpipe.pipeline @rows
cmpipe.pipeline @rows on #cmpipe.target<name = "small", rows = 4, columns = 4> {
  cmpipe.object @a : memref<8x8xvector<2xf32>>
  // CHECK: cmpipe.object @conv_sum0 : memref<6x8xvector<2xf32>>
  cmpipe.object @b : memref<6x8xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x2x8x8xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x2x6x8xf32>

  // One stage reads two rows of the window, and writes a partial sum.
  // CHECK:      cmpipe.stage @conv_rows0 in #poly.set<"{ [h, w] : 0 <= h <= 5 and 0 <= w <= 7 }"> {
  // CHECK-NEXT:   cmpipe.crossbar @weights0 #nn.weights<{{\[}}[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]> : tensor<4x2xf32>
  // CHECK-NEXT:   %[[V:.*]] = cmpipe.read @a #poly.map<"{ [h, w, kh, c] -> [h + kh, w, c] }"> : vector<2x2xf32>
  // CHECK-NEXT:   %[[Y:.*]] = cmpipe.mxv @weights0 %[[V]] range 2.5 bound 3.0 : vector<2x2xf32> -> vector<2xf32>
  // CHECK-NEXT:   cmpipe.write %[[Y]], @conv_sum0 #poly.map<"{ [h, w] -> [h, w] }"> : vector<2xf32>
  // CHECK-NEXT: }

  // The other reads the third, needs but one row of the image at a time for that, and adds.
  // CHECK:      cmpipe.stage @conv in #poly.set<"{ [h, w] : 0 <= h <= 5 and 0 <= w <= 7 }"> {
  // CHECK-NEXT:   cmpipe.crossbar @weights0 #nn.weights<{{\[}}[9.0, 10.0], [11.0, 12.0]]> : tensor<2x2xf32>
  // CHECK-NEXT:   %[[S:.*]] = cmpipe.read @conv_sum0 #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<2xf32>
  // CHECK-NEXT:   %[[V:.*]] = cmpipe.read @a #poly.map<"{ [h, w, kh, c] -> [2 + h + kh, w, c] }"> : vector<1x2xf32>
  // CHECK-NEXT:   %[[Y:.*]] = cmpipe.mxv @weights0 %[[V]] range 2.5 bound 3.0 : vector<1x2xf32> -> vector<2xf32>
  // CHECK-NEXT:   %[[T:.*]] = arith.addf %[[S]], %[[Y]] : vector<2xf32>
  // CHECK-NEXT:   %[[B:.*]] = cmpipe.constant #nn.weights<[0.5, 1.5]> : vector<2xf32>
  // CHECK-NEXT:   %[[Z:.*]] = arith.addf %[[T]], %[[B]] : vector<2xf32>
  // CHECK-NEXT:   cmpipe.write %[[Z]], @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<2xf32>
  // CHECK-NEXT: }
  // REPORT: stage @conv: 6x2 in 2 crossbars of 4x4, rows 4+2; rings take 144 bytes, 1408 are sent an image: the best of 3 ways
  cmpipe.stage @conv in #poly.set<"{ [h, w] : 0 <= h < 6 and 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0], [11.0, 12.0]]> : tensor<6x2xf32>
    %v = cmpipe.read @a #poly.map<"{ [h, w, kh, c] -> [h + kh, w, c] }"> : vector<3x2xf32>
    %y = cmpipe.mxv @w %v range 2.5 bound 3.0 : vector<3x2xf32> -> vector<2xf32>
    %bias = cmpipe.constant #nn.weights<[0.5, 1.5]> : vector<2xf32>
    %z = arith.addf %y, %bias : vector<2xf32>
    cmpipe.write %z, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<2xf32>
  }
  // CHECK:      cmpipe.core @core0_1 runs [@conv_rows0]
  // CHECK-NEXT: cmpipe.core @core0 runs [@conv]
  cmpipe.core @core0 runs [@conv]
}

// Where a core has two crossbars, its stage adds up what they compute.
// CHECK-LABEL: cmpipe.pipeline @in_one_core
cmpipe.pipeline @in_one_core on #cmpipe.target<name = "two", rows = 4, columns = 4, crossbars = 2> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<6xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x6xf32>
  // CHECK:      cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w <= 5 }"> {
  // CHECK-NEXT:   cmpipe.crossbar @weights0 #nn.weights<{{\[}}[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]> : tensor<4x2xf32>
  // CHECK-NEXT:   cmpipe.crossbar @weights1 #nn.weights<{{\[}}[9.0, 10.0], [11.0, 12.0]]> : tensor<2x2xf32>
  // CHECK-NEXT:   %[[V:.*]] = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<2x2xf32>
  // CHECK-NEXT:   %[[Y:.*]] = cmpipe.mxv @weights0 %[[V]] : vector<2x2xf32> -> vector<2xf32>
  // CHECK-NEXT:   %[[U:.*]] = cmpipe.read @a #poly.map<"{ [w, k, c] -> [2 + w + k, c] }"> : vector<1x2xf32>
  // CHECK-NEXT:   %[[Z:.*]] = cmpipe.mxv @weights1 %[[U]] : vector<1x2xf32> -> vector<2xf32>
  // CHECK-NEXT:   %[[T:.*]] = arith.addf %[[Y]], %[[Z]] : vector<2xf32>
  // CHECK-NEXT:   cmpipe.write %[[T]], @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  // CHECK-NEXT: }
  cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0], [11.0, 12.0]]> : tensor<6x2xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x2xf32>
    %y = cmpipe.mxv @w %v : vector<3x2xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  // CHECK:      cmpipe.core @core0 runs [@conv]
  // CHECK-NOT:  cmpipe.core
  cmpipe.core @core0 runs [@conv]
}

// Of a depthwise convolution each channel has a matrix of its own. Two of two rows fit into a
// crossbar of four, side by side; each crossbar is given the channels that it needs.
// CHECK-LABEL: cmpipe.pipeline @depthwise
cmpipe.pipeline @depthwise on #cmpipe.target<name = "two", rows = 4, columns = 4, crossbars = 2> {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.object @b : memref<7xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x8xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x7xf32>
  // CHECK:      cmpipe.stage @conv in
  // CHECK-NEXT:   cmpipe.crossbar @weights0 #nn.weights<{{\[\[}}[1.0], [2.0]], {{\[}}[3.0], [4.0]]]> : tensor<2x2x1xf32>
  // CHECK-NEXT:   cmpipe.crossbar @weights1 #nn.weights<{{\[\[}}[5.0], [6.0]], {{\[}}[7.0], [8.0]]]> : tensor<2x2x1xf32>
  // CHECK-NEXT:   %[[V:.*]] = cmpipe.read @a #poly.map<"{ [w, g, k, c] -> [w + k, g + c] }"> : vector<2x2x1xf32>
  // CHECK-NEXT:   %[[Y:.*]] = cmpipe.mxv @weights0 %[[V]] : vector<2x2x1xf32> -> vector<2xf32>
  // CHECK-NEXT:   %[[U:.*]] = cmpipe.read @a #poly.map<"{ [w, g, k, c] -> [w + k, 2 + g + c] }"> : vector<2x2x1xf32>
  // CHECK-NEXT:   %[[Z:.*]] = cmpipe.mxv @weights1 %[[U]] : vector<2x2x1xf32> -> vector<2xf32>
  // CHECK-NEXT:   %[[J:.*]] = cmpipe.join %[[Y]], %[[Z]] : vector<2xf32>, vector<2xf32> -> vector<4xf32>
  // CHECK-NEXT:   cmpipe.write %[[J]], @b
  // REPORT: stage @conv: 8x4 in 2 crossbars of 4x4, rows 2
  cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 7 }"> {
    cmpipe.crossbar @w #nn.weights<[[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]], [[7.0], [8.0]]]> : tensor<4x2x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, g, k, c] -> [w + k, g + c] }"> : vector<4x2x1xf32>
    %y = cmpipe.mxv @w %v : vector<4x2x1xf32> -> vector<4xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core0 runs [@conv]
}

// Columns are cut into blocks of one width. Each is written by a stage of its own, and the object
// has an index more, that of the block.
// CHECK-LABEL: cmpipe.pipeline @columns
cmpipe.pipeline @columns on #cmpipe.target<name = "small", rows = 8, columns = 2> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  // CHECK: cmpipe.object @b : memref<8x2xvector<2xf32>>
  cmpipe.object @b : memref<8xvector<4xf32>>
  cmpipe.object @c : memref<7xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  // CHECK: cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, floor((c)/2), (c) mod 2] }"> : tensor<1x4x8xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x8xf32>
  cmpipe.output "z" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x7xf32>

  // What comes after the product is computed block by block, with constants cut as it is.
  // CHECK:      cmpipe.stage @first_block0 in #poly.set<"{ [w] : 0 <= w <= 7 }"> {
  // CHECK-NEXT:   cmpipe.crossbar @weights0 #nn.weights<{{\[}}[1.0, 2.0], [5.0, 6.0]]> : tensor<2x2xf32>
  // CHECK-NEXT:   %[[V:.*]] = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
  // CHECK-NEXT:   %[[Y:.*]] = cmpipe.mxv @weights0 %[[V]] : vector<2xf32> -> vector<2xf32>
  // CHECK-NEXT:   %[[B:.*]] = cmpipe.constant #nn.weights<[0.1, 0.2]> : vector<2xf32>
  // CHECK-NEXT:   %[[Z:.*]] = arith.addf %[[Y]], %[[B]] : vector<2xf32>
  // CHECK-NEXT:   cmpipe.write %[[Z]], @b #poly.map<"{ [w] -> [w, 0] }"> : vector<2xf32>
  // CHECK-NEXT: }
  // CHECK:      cmpipe.stage @first_block1 in #poly.set<"{ [w] : 0 <= w <= 7 }"> {
  // CHECK-NEXT:   cmpipe.crossbar @weights0 #nn.weights<{{\[}}[3.0, 4.0], [7.0, 8.0]]> : tensor<2x2xf32>
  // CHECK-NEXT:   %[[V:.*]] = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
  // CHECK-NEXT:   %[[Y:.*]] = cmpipe.mxv @weights0 %[[V]] : vector<2xf32> -> vector<2xf32>
  // CHECK-NEXT:   %[[B:.*]] = cmpipe.constant #nn.weights<[0.3, 0.4]> : vector<2xf32>
  // CHECK-NEXT:   %[[Z:.*]] = arith.addf %[[Y]], %[[B]] : vector<2xf32>
  // CHECK-NEXT:   cmpipe.write %[[Z]], @b #poly.map<"{ [w] -> [w, 1] }"> : vector<2xf32>
  // CHECK-NEXT: }
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @m #nn.weights<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    %y = cmpipe.mxv @m %v : vector<2xf32> -> vector<4xf32>
    %bias = cmpipe.constant #nn.weights<[0.1, 0.2, 0.3, 0.4]> : vector<4xf32>
    %z = arith.addf %y, %bias : vector<4xf32>
    cmpipe.write %z, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  // A window of whole vectors gets an axis more.
  // CHECK: cmpipe.stage @second in
  // CHECK: cmpipe.read @b #poly.map<"{ [w, k, b, c] -> [w + k, b, c] }"> : vector<2x2x2xf32>
  cmpipe.stage @second in #poly.set<"{ [w] : 0 <= w < 7 }"> {
    cmpipe.crossbar @m #nn.weights<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0], [11.0, 12.0], [13.0, 14.0], [15.0, 16.0]]> : tensor<8x2xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<2x4xf32>
    %y = cmpipe.mxv @m %v : vector<2x4xf32> -> vector<2xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  // CHECK:      cmpipe.core @core0_1 runs [@first_block0]
  // CHECK-NEXT: cmpipe.core @core0 runs [@first_block1]
  cmpipe.core @core0 runs [@first]
  cmpipe.core @core1 runs [@second]
}

// Six rows and three columns, on crossbars of four and two: a chain of stages for each block. The
// last place of the second block is unused. It is zero, and nobody reads it.
// CHECK-LABEL: cmpipe.pipeline @both
cmpipe.pipeline @both on #cmpipe.target<name = "small", rows = 4, columns = 2> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  // CHECK: cmpipe.object @conv_sum0 : memref<6x2xvector<2xf32>>
  // CHECK: cmpipe.object @b : memref<6x2xvector<2xf32>>
  cmpipe.object @b : memref<6xvector<3xf32>>
  cmpipe.object @c : memref<6xvector<3xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x3x6xf32>
  // CHECK:      cmpipe.stage @conv_rows0_block0 in
  // CHECK-NEXT:   cmpipe.crossbar @weights0 #nn.weights<{{\[}}[1.0, 2.0], [4.0, 5.0], [7.0, 8.0], [10.0, 11.0]]> : tensor<4x2xf32>
  // CHECK:        cmpipe.write %{{.*}}, @conv_sum0 #poly.map<"{ [w] -> [w, 0] }"> : vector<2xf32>
  // CHECK:      cmpipe.stage @conv_rows0_block1 in
  // CHECK-NEXT:   cmpipe.crossbar @weights0 #nn.weights<{{\[}}[3.0], [6.0], [9.0], [12.0]]> : tensor<4x1xf32>
  // CHECK-NEXT:   %[[V:.*]] = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<2x2xf32>
  // CHECK-NEXT:   %[[Y:.*]] = cmpipe.mxv @weights0 %[[V]] : vector<2x2xf32> -> vector<1xf32>
  // CHECK-NEXT:   %[[O:.*]] = arith.constant dense<0.000000e+00> : vector<1xf32>
  // CHECK-NEXT:   %[[J:.*]] = cmpipe.join %[[Y]], %[[O]] : vector<1xf32>, vector<1xf32> -> vector<2xf32>
  // CHECK-NEXT:   cmpipe.write %[[J]], @conv_sum0 #poly.map<"{ [w] -> [w, 1] }"> : vector<2xf32>
  // CHECK:      cmpipe.stage @conv_block0 in
  // CHECK:        cmpipe.read @conv_sum0 #poly.map<"{ [w, c] -> [w, 0, c] }"> : vector<2xf32>
  // CHECK:        cmpipe.write %{{.*}}, @b #poly.map<"{ [w] -> [w, 0] }"> : vector<2xf32>
  // CHECK:      cmpipe.stage @conv_block1 in
  // CHECK:        cmpipe.read @conv_sum0 #poly.map<"{ [w, c] -> [w, 1, c] : c <= 0 }"> : vector<2xf32>
  // CHECK:        cmpipe.write %{{.*}}, @b #poly.map<"{ [w] -> [w, 1] }"> : vector<2xf32>
  cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0], [10.0, 11.0, 12.0], [13.0, 14.0, 15.0], [16.0, 17.0, 18.0]]> : tensor<6x3xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x2xf32>
    %y = cmpipe.mxv @w %v : vector<3x2xf32> -> vector<3xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<3xf32>
  }
  // CHECK: cmpipe.stage @negate in
  // CHECK: cmpipe.read @b #poly.map<"{ [w, c] -> [w, floor((c)/2), (c) mod 2] }"> : vector<3xf32>
  cmpipe.stage @negate in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<3xf32>
    %y = arith.negf %v : vector<3xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<3xf32>
  }
  cmpipe.core @core0 runs [@conv]
  cmpipe.core @core1 runs [@negate]
}
