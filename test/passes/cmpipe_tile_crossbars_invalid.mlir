// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics -p cmpipe-tile-crossbars | filecheck %s

// What a reduction mixes cannot be computed in parts.

// CHECK: stage @sums: error: its matrix of 4x2 does not fit a crossbar of 2x4, and what goes into it cannot be cut: cmpipe.reduce takes rows of another length
cmpipe.pipeline @reduced on #cmpipe.target<name = "small", rows = 2, columns = 4> {
  cmpipe.object @a : memref<8xvector<8xf32>>
  cmpipe.object @b : memref<8xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x8x8xf32>
  cmpipe.stage @sums in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @w #nn.weights<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]> : tensor<4x2xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<8xf32>
    %m = cmpipe.reduce add %v : vector<8xf32> -> vector<4xf32>
    %y = cmpipe.mxv @w %m : vector<4xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
}

// -----

// CHECK: pass 'cmpipe-tile-crossbars': error: the pipeline has channels, which hold for the stages that it has: cut matrices before cmpipe-derive-control
cmpipe.pipeline @derived on #cmpipe.target<name = "small", rows = 2, columns = 4> {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<8xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x8x2xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.channel @a from @a_stream to @s ready #poly.map<"{ a[w] -> s[w] }"> free #poly.map<"{ s[w] -> a[w] }">
}
