// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl' --split-input-file --verify-diagnostics | filecheck %s

// What a chip needs of its target, and how much that has.

// CHECK: error: the matrix @w of @conv has 3 rows, and a crossbar has 2: cut it with cmpipe-tile-crossbars
cmpipe.pipeline @rows on #cmpipe.target<rows = 2> {
  cmpipe.object @a : memref<8xvector<3xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x3x8xf32>
  cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [1.0]]> : tensor<3x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<3xf32>
    %y = cmpipe.mxv @w %v : vector<3xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@conv]
}

// -----

// Blocks on the diagonal have rows and columns of their own.

// CHECK: error: the matrix @w of @conv has 4 columns, and a crossbar has 3: cut it with cmpipe-tile-crossbars
cmpipe.pipeline @columns on #cmpipe.target<rows = 3, columns = 3> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    %y = cmpipe.mxv @w %v : vector<2xf32> -> vector<4xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core0 runs [@conv]
}

// -----

// CHECK: error: 3 crossbars are needed, and core @core0 has 2: 2 for @second, 1 for @first
cmpipe.pipeline @crossbars on #cmpipe.target<crossbars = 2> {
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
    cmpipe.crossbar @w #nn.weights<[[1.0]]> : tensor<1x1xf32>
    cmpipe.crossbar @w2 #nn.weights<[[2.0]]> : tensor<1x1xf32>
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
    %z = cmpipe.mxv @w2 %y : vector<1xf32> -> vector<1xf32>
    cmpipe.write %z, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@first, @second]
}

// -----

// CHECK: chip @cores: error: 2 cores are needed, and target pair has 1: assign stages to them with cmpipe-assign-cores
cmpipe.pipeline @cores on #cmpipe.target<name = "pair", cores = 1> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@first]
  cmpipe.stage @second in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@second]
}

// -----

// CHECK: error: core @core1 has no place, and in topology mesh ways depend on it: give it one, or let cmpipe-place-cores do so
cmpipe.pipeline @unplaced on #cmpipe.target<cores = 4, topology = "mesh", grid = [2, 2]> {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @second in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 at 3 runs [@first]
  cmpipe.core @core1 runs [@second]
}

// -----

// Places 0 and 1 have a link, and so have 2 and 3.

// CHECK: error: core @core0 at 1 sends @b from @first to @second to core @core1 at 2, and no links of target pairs lead there
cmpipe.pipeline @apart on #cmpipe.target<name = "pairs", cores = 4, topology = "edges", edges = [[0, 1], [2, 3]]> {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x4xf32>
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @second in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 at 1 runs [@first]
  cmpipe.core @core1 at 2 runs [@second]
}
