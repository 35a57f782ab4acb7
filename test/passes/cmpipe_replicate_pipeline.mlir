// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-replicate-pipeline{copies=2}' | filecheck %s
// RUN: cmc-opt %s -p 'cmpipe-replicate-pipeline{copies=1}' | filecheck %s --check-prefix=ONE

// All that there is, under names of its own; the tensors of the network keep theirs. The copy's control
// is that of the pipeline. A matrix has its name within its stage. A core has a place that no other has.

// CHECK:      cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> turn 0 of 2 : tensor<1x1x10xf32>
// CHECK:      cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> turn 0 of 2 : tensor<1x1x8xf32>

// CHECK:      cmpipe.channel @a from @a_stream to @conv ready
// CHECK-NEXT: cmpipe.object @a_turn1 : memref<10xvector<1xf32>>
// CHECK-NEXT: cmpipe.object @b_turn1_1 : memref<8xvector<1xf32>>
// CHECK-NEXT: cmpipe.input @a_stream_turn1 "x" @a_turn1 #poly.map<"{ [n, c, w] -> [w, c] }"> turn 1 of 2 : tensor<1x1x10xf32>
// CHECK-NEXT: cmpipe.output "y" @b_turn1_1 #poly.map<"{ [n, c, w] -> [w, c] }"> turn 1 of 2 : tensor<1x1x8xf32>
// CHECK-NEXT: cmpipe.stage @conv_turn1 copy of "conv" in #poly.set<"{ [w] : 0 <= w <= 7 }"> {
// CHECK-NEXT:   cmpipe.crossbar @b_turn1 #nn.weights<{{\[\[}}1.0], [2.0], [1.0]]> : tensor<3x1xf32>
// CHECK-NEXT:   %v = cmpipe.read @a_turn1
// CHECK-NEXT:   %y = cmpipe.mxv @b_turn1 %v
// CHECK-NEXT:   cmpipe.write %y, @b_turn1_1
// CHECK-NEXT: }
// CHECK-NEXT: cmpipe.core @core0_turn1 runs [@conv_turn1]
// CHECK-NEXT: cmpipe.channel @a_turn1 from @a_stream_turn1 to @conv_turn1 ready #poly.map<"{ a_turn1[i0] -> conv_turn1[-2 + i0] : 2 <= i0 <= 9 }"> free #poly.map<"{ conv_turn1[w] -> a_turn1[w] : 0 <= w <= 6; conv_turn1[w] -> a_turn1[9] : w = 7 }">

// ONE-NOT: turn 0
cmpipe.pipeline @convolution {
  cmpipe.object @a : memref<10xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x10xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @b_turn1 #nn.weights<[[1.0], [2.0], [1.0]]> : tensor<3x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
    %y = cmpipe.mxv @b_turn1 %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 at 3 runs [@conv]
}
