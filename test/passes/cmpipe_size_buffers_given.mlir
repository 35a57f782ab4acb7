// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-size-buffers{policy=minimal}' | filecheck %s

// Slots that a channel has stay; the others get theirs.

// CHECK: cmpipe.channel @a from @a_stream to @sum slots 5
// CHECK: cmpipe.channel @b from @sum to @add slots 1
// CHECK: cmpipe.channel @a from @a_stream to @add slots 9
cmpipe.pipeline @residual {
  cmpipe.object @a : memref<16xvector<1xf32>>
  cmpipe.object @b : memref<12xvector<1xf32>>
  cmpipe.object @c : memref<12xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x16xf32>
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 12 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<5x1xf32>
    %y = cmpipe.reduce add %v : vector<5x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@sum]
  cmpipe.stage @add in #poly.set<"{ [w] : 0 <= w < 12 }"> {
    %u = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = arith.addf %u, %v : vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@add]
  cmpipe.channel @a from @a_stream to @sum
    ready #poly.map<"{ a[i] -> sum[i - 4] : 4 <= i < 16 }">
    free #poly.map<"{ sum[w] -> a[w] : 0 <= w < 11; sum[11] -> a[15] }">
  cmpipe.channel @b from @sum to @add
    ready #poly.map<"{ b[i] -> add[i] : 0 <= i < 12 }">
    free #poly.map<"{ add[w] -> b[w] : 0 <= w < 12 }">
  cmpipe.channel @a from @a_stream to @add slots 9
    ready #poly.map<"{ a[i] -> add[i] : 0 <= i < 12 }">
    free #poly.map<"{ add[w] -> a[w] : 0 <= w < 11; add[11] -> a[15] }">
}
