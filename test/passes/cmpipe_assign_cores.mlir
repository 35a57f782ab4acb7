// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-assign-cores --split-input-file | filecheck %s
// RUN: cmc-opt %s -p 'cmpipe-assign-cores{report=true}' --split-input-file -o %t.mlir 2>&1 | filecheck %s --check-prefix=REPORT

// Two convolutions, each before a pooling, and a sum over all that keeps its digital unit busy for
// 80 cycles an image: as long as no other unit. A pooling goes to the core of its convolution,
// whose port has more to do than its digital unit. The sum would find pooling and convolution there:
// 96 cycles. It goes to a core of its own.

// CHECK-LABEL: cmpipe.pipeline @three_cores
// CHECK: cmpipe.core @core0 runs [@conv1, @pool1]
// CHECK: cmpipe.core @core1 runs [@conv2, @pool2]
// CHECK: cmpipe.core @core2 runs [@sum]
// CHECK-NOT: cmpipe.core

cmpipe.pipeline @three_cores on #cmpipe.target<cores = 3> {
  cmpipe.object @a : memref<16xvector<1xf32>>
  cmpipe.object @b : memref<16xvector<2xf32>>
  cmpipe.object @c : memref<8xvector<2xf32>>
  cmpipe.object @d : memref<8xvector<2xf32>>
  cmpipe.object @e : memref<4xvector<2xf32>>
  cmpipe.object @f : memref<4xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x16xf32>
  cmpipe.output "y" @f #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x4xf32>

  cmpipe.stage @conv1 in #poly.set<"{ [w] : 0 <= w < 16 }"> occupies <digital = 1, port = 4> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0]]> : tensor<1x2xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.core @core0 runs [@conv1]

  cmpipe.stage @pool1 in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <digital = 2> {
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [2w + k, c] }"> : vector<2x2xf32>
    %y = cmpipe.reduce max %v : vector<2x2xf32> -> vector<2xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.core @core1 runs [@pool1]

  cmpipe.stage @conv2 in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <digital = 1, port = 4> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    %y = cmpipe.mxv @w %v : vector<2xf32> -> vector<2xf32>
    cmpipe.write %y, @d #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.core @core2 runs [@conv2]

  cmpipe.stage @pool2 in #poly.set<"{ [w] : 0 <= w < 4 }"> occupies <digital = 2> {
    %v = cmpipe.read @d #poly.map<"{ [w, k, c] -> [2w + k, c] }"> : vector<2x2xf32>
    %y = cmpipe.reduce max %v : vector<2x2xf32> -> vector<2xf32>
    cmpipe.write %y, @e #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.core @core3 runs [@pool2]

  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 4 }"> occupies <digital = 20> {
    %v = cmpipe.read @e #poly.map<"{ [w, k, c] -> [k, c] }"> : vector<4x2xf32>
    %y = cmpipe.reduce add %v : vector<4x2xf32> -> vector<2xf32>
    cmpipe.write %y, @f #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.core @core4 runs [@sum]
}

// -----

// Two crossbars in a core: what drives its crossbar most shares a core with what drives its own
// least. The stage that is listed nowhere goes where there is room, too.

// CHECK-LABEL: cmpipe.pipeline @two_crossbars
// CHECK: cmpipe.core @left runs [@many, @few]
// CHECK: cmpipe.core @core0 runs [@some]
// CHECK-NOT: cmpipe.core

cmpipe.pipeline @two_crossbars on #cmpipe.target<cores = 2, crossbars = 2> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<8xvector<2xf32>>
  cmpipe.object @c : memref<4xvector<2xf32>>
  cmpipe.object @d : memref<2xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x2xf32>

  cmpipe.stage @many in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <port = 4> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    %y = cmpipe.mxv @w %v : vector<2xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.stage @some in #poly.set<"{ [w] : 0 <= w < 4 }"> occupies <port = 4> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    cmpipe.crossbar @w2 #nn.weights<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [2w, c] }"> : vector<2xf32>
    %z = cmpipe.mxv @w %v : vector<2xf32> -> vector<2xf32>
    %y = cmpipe.mxv @w2 %z : vector<2xf32> -> vector<2xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.stage @few in #poly.set<"{ [w] : 0 <= w < 2 }"> occupies <port = 4> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [2w, c] }"> : vector<2xf32>
    %y = cmpipe.mxv @w %v : vector<2xf32> -> vector<2xf32>
    cmpipe.write %y, @d #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.core @left runs [@many, @few]
}

// -----

// A bus that takes four cycles for a vector. Whichever two stages share a core, each core has 16
// cycles of work; if that is every other stage, all 24 vectors cross the bus, which takes 96 cycles.
// With the first two together and the last two, 8 vectors do.

// CHECK-LABEL: cmpipe.pipeline @bus
// CHECK: cmpipe.core @core0 runs [@first, @second]
// CHECK: cmpipe.core @core1 runs [@third, @fourth]
// CHECK-NOT: cmpipe.core

// REPORT: @bus: 4 stages on 2 cores: the busiest has 16 cycles of work an image, at least 16: gap 0.0%; 32 of 96 cycles of the bus from core to core; both take 32, at least 32: gap 0.0%

cmpipe.pipeline @bus on #cmpipe.target<cores = 2, crossbars = 4, topology = "bus", link_bytes_per_cycle = 1.0> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.object @d : memref<8xvector<1xf32>>
  cmpipe.object @e : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.output "y" @e #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <port = 1> {
    cmpipe.crossbar @w #nn.weights<[[2.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @second in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <port = 1> {
    cmpipe.crossbar @w #nn.weights<[[2.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @third in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <port = 1> {
    cmpipe.crossbar @w #nn.weights<[[2.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @fourth in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <port = 1> {
    cmpipe.crossbar @w #nn.weights<[[2.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @d #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @e #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}
