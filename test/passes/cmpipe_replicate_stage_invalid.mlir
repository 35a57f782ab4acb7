// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics -p 'cmpipe-replicate-stage{stage=sums loops=h,w copies=2,4 pattern=interleaved,blocks}' | filecheck %s

// CHECK: stage @sums: error: loop w has 3 iterations, too few for 4 copies
cmpipe.pipeline @narrow {
  cmpipe.object @a : memref<8x3xvector<1xf32>>
  cmpipe.object @b : memref<8x3xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x8x3xf32>
  cmpipe.stage @sums in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 3 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: stage @sums: error: there is no loop h: the loops are t, w
cmpipe.pipeline @other_loops {
  cmpipe.object @a : memref<8x4xvector<1xf32>>
  cmpipe.object @b : memref<8x4xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x8x4xf32>
  cmpipe.stage @sums in #poly.set<"{ [t, w] : 0 <= t < 8 and 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: stage @sums: error: there is no loop h: there are no loops
cmpipe.pipeline @no_loops {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c] -> [c] }"> : tensor<1x1xf32>
  cmpipe.stage @sums in #poly.set<"{ [] }"> {
    %v = cmpipe.read @a #poly.map<"{ [c] -> [c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
}

// -----

// CHECK: stage @sums: error: its iterations are no box, of which each copy could run a part: { [h, w] : {{.*}}0 <= w <= 7 - h }
cmpipe.pipeline @triangle {
  cmpipe.object @b : memref<8x8xvector<1xf32>>
  cmpipe.object @c : memref<8x8xvector<1xf32>>
  cmpipe.input @a_stream "x" @b #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x8x8xf32>
  cmpipe.stage @sums in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 - h }"> {
    %v = cmpipe.read @b #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.stage @rest in #poly.set<"{ [h, w] : 0 <= h < 8 and 8 - h <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: pass 'cmpipe-replicate-stage': error: there is no stage @sums
cmpipe.pipeline @other_stages {
  cmpipe.object @a : memref<8x4xvector<1xf32>>
  cmpipe.object @b : memref<8x4xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x8x4xf32>
  cmpipe.stage @copy in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: pass 'cmpipe-replicate-stage': error: the pipeline has channels, which hold for the stages that it has: make copies before cmpipe-derive-control
cmpipe.pipeline @derived {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<8xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x8x2xf32>
  cmpipe.stage @sums in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
  cmpipe.channel @a from @a_stream to @sums ready #poly.map<"{ a[w] -> sums[w] }"> free #poly.map<"{ sums[w] -> a[w] }">
}
