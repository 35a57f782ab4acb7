// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-balance | filecheck %s
// RUN: cmc-opt %s -p 'cmpipe-balance{report=true}' 2>&1 >/dev/null | filecheck %s --check-prefix=REPORT
// RUN: cmc-opt %s -p 'cmpipe-balance{interval=144 report=true}' 2>&1 >/dev/null | filecheck %s --check-prefix=ENOUGH
// RUN: cmc-opt %s -p 'cmpipe-balance{copies=none}' | filecheck %s --check-prefix=NONE
// RUN: cmc-opt %s -p 'cmpipe-balance{target=ideal}' | filecheck %s --check-prefix=NONE

// Eight crossbars: one for @last, six of the others for @first, which has six times its iterations,
// and one that is of no use: with seven copies of @first some still run six iterations.

// REPORT: @main: an image every 72 cycles at best; copies: 6 of @first
// ENOUGH: @main: an image every 72 cycles at best; copies: 3 of @first
// NONE-NOT: copy of

// CHECK-COUNT-6: cmpipe.stage @first_copy{{[0-5]}} copy of "first" at #poly.map<"{ [h, w] -> [h, {{.*}}w] }"> in #poly.set<"{ [h, 0] : 0 <= h <= 5 }"> interval 12 {
// CHECK:         cmpipe.stage @last in

cmpipe.pipeline @main on #cmpipe.target<name = "eight", cores = 8> {
  cmpipe.object @a : memref<6x6xvector<1xf32>>
  cmpipe.object @b : memref<6x6xvector<1xf32>>
  cmpipe.object @c : memref<6xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x6x6xf32>
  cmpipe.output "y" @c #poly.map<"{ [n, c, h] -> [h, c] }"> : tensor<1x1x6xf32>
  cmpipe.stage @first in #poly.set<"{ [h, w] : 0 <= h < 6 and 0 <= w < 6 }"> interval 12 {
    cmpipe.crossbar @m #nn.weights<[[2.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @m %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@first]
  cmpipe.stage @last in #poly.set<"{ [h] : 0 <= h < 6 }"> interval 12 {
    cmpipe.crossbar @m #nn.weights<[[1.0], [1.0], [1.0], [1.0], [1.0], [1.0]]> : tensor<6x1xf32>
    %v = cmpipe.read @b #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<6x1xf32>
    %y = cmpipe.mxv @m %v : vector<6x1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [h] -> [h] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@last]
}
