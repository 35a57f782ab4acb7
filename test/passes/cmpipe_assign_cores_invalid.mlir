// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-derive-control,cmpipe-assign-cores --split-input-file --verify-diagnostics | filecheck %s

// Stages that need more of a resource than a core or the chip has.

// CHECK: pipeline @main on target tiny: error: a core has 2 crossbars, and @second needs 3
cmpipe.pipeline @main on #cmpipe.target<name = "tiny", cores = 4, crossbars = 2> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @second in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w0 #nn.weights<[[1.0]]> : tensor<1x1xf32>
    cmpipe.crossbar @w1 #nn.weights<[[1.0]]> : tensor<1x1xf32>
    cmpipe.crossbar @w2 #nn.weights<[[1.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w0 %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: pipeline @main on target tiny: error: 4 crossbars are needed, and the chip has 3: 3 for @second, 1 for @first; it takes 2 such chips, more crossbars, or larger ones
cmpipe.pipeline @main on #cmpipe.target<name = "tiny", cores = 1, crossbars = 3> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @second in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w0 #nn.weights<[[1.0]]> : tensor<1x1xf32>
    cmpipe.crossbar @w1 #nn.weights<[[1.0]]> : tensor<1x1xf32>
    cmpipe.crossbar @w2 #nn.weights<[[1.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w0 %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// Rings of three vectors of two floats, and of one.

// CHECK: pipeline @main on target tiny: error: 24 bytes of SRAM are needed, and a core has 23: 24 for the ring of @a from @a_stream to @window; it takes more SRAM
cmpipe.pipeline @main on #cmpipe.target<name = "tiny", cores = 1, sram_bytes = 23> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<6xvector<2xf32>>
  cmpipe.object @c : memref<6xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  cmpipe.stage @window in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x2xf32>
    %y = cmpipe.reduce add %v : vector<3x2xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.stage @after in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
}

// -----

// CHECK: pipeline @main on target tiny: error: 32 bytes of SRAM are needed, and the chip has 31: 24 for @window, 8 for @after; it takes 2 such chips, or more SRAM
cmpipe.pipeline @main on #cmpipe.target<name = "tiny", cores = 1, sram_bytes = 31> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<6xvector<2xf32>>
  cmpipe.object @c : memref<6xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  cmpipe.stage @window in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x2xf32>
    %y = cmpipe.reduce add %v : vector<3x2xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.stage @after in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
}

// -----

// Two cores have room for 40 bytes each, and stages need 24 bytes each, three times.

// CHECK: pipeline @main on target tiny: error: 72 of 80 bytes of SRAM are needed, and no way was found to fit them on 2 cores of 40: 24 for @one, 24 for @two, 24 for @three; it takes 2 such chips, or more SRAM
cmpipe.pipeline @main on #cmpipe.target<name = "tiny", cores = 2, sram_bytes = 40> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<6xvector<2xf32>>
  cmpipe.object @c : memref<6xvector<2xf32>>
  cmpipe.object @d : memref<6xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  cmpipe.stage @one in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x2xf32>
    %y = cmpipe.reduce add %v : vector<3x2xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.stage @two in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x2xf32>
    %y = cmpipe.reduce add %v : vector<3x2xf32> -> vector<2xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.stage @three in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x2xf32>
    %y = cmpipe.reduce add %v : vector<3x2xf32> -> vector<2xf32>
    cmpipe.write %y, @d #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
}

// -----

// In two copies, nine iterations of two cycles take ten: one has five of them.

// CHECK: pipeline @main on target tiny: error: 3 crossbars are needed, and the chip has 2: 1 for @slow_copy0, 1 for @slow_copy1, 1 for @slow_copy2; it takes fewer copies, with which an image comes every 10 ns at best, 2 such chips, more crossbars, or larger ones
cmpipe.pipeline @main on #cmpipe.target<name = "tiny", cores = 2> {
  cmpipe.object @a : memref<9xvector<1xf32>>
  cmpipe.object @b : memref<9xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x9xf32>
  cmpipe.stage @slow_copy0 copy of "slow" in #poly.set<"{ [w] : 0 <= w < 3 }"> interval 2 {
    cmpipe.crossbar @w #nn.weights<[[1.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @slow_copy1 copy of "slow" in #poly.set<"{ [w] : 0 <= w < 3 }"> interval 2 {
    cmpipe.crossbar @w #nn.weights<[[1.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w + 3, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w + 3] }"> : vector<1xf32>
  }
  cmpipe.stage @slow_copy2 copy of "slow" in #poly.set<"{ [w] : 0 <= w < 3 }"> interval 2 {
    cmpipe.crossbar @w #nn.weights<[[1.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w + 6, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w + 6] }"> : vector<1xf32>
  }
}
