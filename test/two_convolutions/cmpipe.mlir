// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-derive-control,cmpipe-size-buffers{policy=minimal} | filecheck %s

// The same two convolutions as a pipeline: conv2 may run iteration j - 2 once b[j] is written.

// CHECK:       cmpipe.channel @a from @a_stream to @conv1 slots 3 ready #poly.map<"{ a[i0] -> conv1[-2 + i0] : 2 <= i0 <= 9 }">
// CHECK-SAME:    free #poly.map<"{ conv1[w] -> a[w] : 0 <= w <= 6; conv1[w] -> a[9] : w = 7 }">
// CHECK-NEXT:  cmpipe.channel @b from @conv1 to @conv2 slots 3 ready #poly.map<"{ b[i0] -> conv2[-2 + i0] : 2 <= i0 <= 7 }">
// CHECK-SAME:    free #poly.map<"{ conv2[w] -> b[w] : 0 <= w <= 4; conv2[w] -> b[7] : w = 5 }">
cmpipe.pipeline @two_convolutions {
  cmpipe.object @a : memref<10xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<6xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x10xf32>
  cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x6xf32>
  cmpipe.stage @conv1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
    %y = cmpipe.mxv @w %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @conv2 in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    cmpipe.crossbar @w #nn.weights<[[4.0], [5.0], [6.0]]> : tensor<3x1xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
    %y = cmpipe.mxv @w %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@conv1]
  cmpipe.core @core1 runs [@conv2]
}
