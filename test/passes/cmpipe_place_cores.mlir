// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-place-cores | filecheck %s
// RUN: cmc-opt %s -p 'cmpipe-place-cores{report=true}' -o %t.mlir 2>&1 | filecheck %s --check-prefix=REPORT

// Four cores on a mesh of 2 x 2: places 0 and 1 above 2 and 3. Each convolution reads from the one
// before, and @last from @first as well. Of the four pairs that send something, all are neighbours
// if the cores stand in a circle. A vector is a float: 4 bytes, eight times an image, over 4 links.

// REPORT: @circle: 4 cores on 4 places: 128 bytes x hops an image, at least 128: gap 0.0%

// CHECK: cmpipe.core @core0 at 0 runs [@first]
// CHECK: cmpipe.core @core1 at 1 runs [@second]
// CHECK: cmpipe.core @core2 at 3 runs [@third]
// CHECK: cmpipe.core @core3 at 2 runs [@last]

cmpipe.pipeline @circle on #cmpipe.target<cores = 4, topology = "mesh", grid = [2, 2]> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.object @d : memref<8xvector<1xf32>>
  cmpipe.object @e : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.output "y" @e #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[2.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@first]
  cmpipe.stage @second in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[3.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@second]
  cmpipe.stage @third in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[4.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 runs [@third]
  cmpipe.stage @last in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %u = cmpipe.read @d #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = arith.addf %v, %u : vector<1xf32>
    cmpipe.write %y, @e #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core3 runs [@last]
}
