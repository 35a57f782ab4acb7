// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal}' | filecheck %s --check-prefix=MINIMAL
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=throughput}' | filecheck %s --check-prefix=THROUGHPUT
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers' | filecheck %s --check-prefix=THROUGHPUT
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=whole}' | filecheck %s --check-prefix=WHOLE

// A 3x3 window with padding of 1 over rows of 8 needs two rows and three pixels.
// MINIMAL:    cmpipe.channel @a from @a_stream to @conv slots 19
// THROUGHPUT: cmpipe.channel @a from @a_stream to @conv slots 20
// WHOLE:      cmpipe.channel @a from @a_stream to @conv slots 64
cmpipe.pipeline @window {
  cmpipe.object @a : memref<8x8xvector<1xf32>>
  cmpipe.object @b : memref<8x8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x8x8xf32>
  cmpipe.stage @conv in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, kh, kw, c] -> [h + kh - 1, w + kw - 1, c] }"> : vector<3x3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@conv]
}

// Of an object with two readers that meet again, the short way holds what the long way asks for. The
// last four pixels are no matter of it.
// MINIMAL:    cmpipe.channel @a from @a_stream to @sum slots 5
// MINIMAL:    cmpipe.channel @b from @sum to @add slots 1
// MINIMAL:    cmpipe.channel @a from @a_stream to @add carries #poly.set<"{ [i0] : 0 <= i0 <= 11 }"> slots 5
// THROUGHPUT: cmpipe.channel @a from @a_stream to @sum slots 6
// THROUGHPUT: cmpipe.channel @b from @sum to @add slots 2
// THROUGHPUT: cmpipe.channel @a from @a_stream to @add carries #poly.set<"{ [i0] : 0 <= i0 <= 11 }"> slots 7
// WHOLE:      cmpipe.channel @a from @a_stream to @sum slots 16
// WHOLE:      cmpipe.channel @b from @sum to @add slots 12
// WHOLE:      cmpipe.channel @a from @a_stream to @add carries #poly.set<"{ [i0] : 0 <= i0 <= 11 }"> slots 12
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
}
