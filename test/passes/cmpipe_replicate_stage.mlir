// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A slow stage in two copies, and what each of them waits for: interleaved, and in blocks.

// RUN: cmc-opt %s -p 'cmpipe-replicate-stage{stage=slow loops=w copies=2 pattern=interleaved},cmpipe-derive-control,cmpipe-size-buffers{policy=minimal}' | filecheck %s --check-prefix=INTERLEAVED
// RUN: cmc-opt %s -p 'cmpipe-replicate-stage{stage=slow loops=w copies=2 pattern=blocks},cmpipe-derive-control,cmpipe-size-buffers{policy=minimal}' | filecheck %s --check-prefix=BLOCKS

// Copies that work on even elements and on odd ones need two slots each, as does who reads them.

// INTERLEAVED:      cmpipe.stage @slow_copy0 copy of "slow" at #poly.map<"{ [w] -> [2w] }"> in #poly.set<"{ [w] : 0 <= w <= 3 }"> latency 3 interval 2 {
// INTERLEAVED-NEXT:   cmpipe.crossbar @w #nn.weights<{{\[\[}}1.0], [2.0]]> : tensor<2x1xf32>
// INTERLEAVED-NEXT:   %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [2w + k, c] }"> : vector<2x1xf32>
// INTERLEAVED-NEXT:   %y = cmpipe.mxv @w %v : vector<2x1xf32> -> vector<1xf32>
// INTERLEAVED-NEXT:   cmpipe.write %y, @b #poly.map<"{ [w] -> [2w] }"> : vector<1xf32>
// INTERLEAVED-NEXT: }
// INTERLEAVED-NEXT: cmpipe.stage @slow_copy1 copy of "slow" at #poly.map<"{ [w] -> [1 + 2w] }"> in #poly.set<"{ [w] : 0 <= w <= 2 }"> latency 3 interval 2 {
// INTERLEAVED-NEXT:   cmpipe.crossbar @w #nn.weights<{{\[\[}}1.0], [2.0]]> : tensor<2x1xf32>
// INTERLEAVED-NEXT:   %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [1 + 2w + k, c] }"> : vector<2x1xf32>
// INTERLEAVED-NEXT:   %y = cmpipe.mxv @w %v : vector<2x1xf32> -> vector<1xf32>
// INTERLEAVED-NEXT:   cmpipe.write %y, @b #poly.map<"{ [w] -> [1 + 2w] }"> : vector<1xf32>
// INTERLEAVED-NEXT: }
// INTERLEAVED-NEXT: cmpipe.core @core0 runs [@slow_copy0]
// INTERLEAVED-NEXT: cmpipe.core @core0_1 runs [@slow_copy1]
// INTERLEAVED:      cmpipe.channel @a from @a_stream to @slow_copy0 slots 2
// INTERLEAVED-NEXT: cmpipe.channel @a from @a_stream to @slow_copy1 carries #poly.set<"{ [i0] : 0 < i0 <= 6 }"> slots 2
// INTERLEAVED-NEXT: cmpipe.channel @b from @slow_copy0 to @sum slots 2 ready #poly.map<"{ b[i0] -> sum[i0] : (i0) mod 2 = 0 and 0 <= i0 <= 6 }">
// INTERLEAVED-NEXT: cmpipe.channel @b from @slow_copy1 to @sum slots 2 ready #poly.map<"{ b[i0] -> sum[i0 - (1 + i0) mod 2] : (1 + i0) mod 2 = 0 and 0 < i0 <= 3; b[i0] -> sum[6] : i0 = 5 }">

// Of blocks the second one writes @b[3] when it likes to, and it waits until @sum comes there. As
// @sum[1] reads nothing of the second, and @sum[5] nothing of the first, these wait for one of them.

// BLOCKS:      cmpipe.stage @slow_copy0 copy of "slow" at #poly.map<"{ [w] -> [w] }"> in #poly.set<"{ [w] : 0 <= w <= 2 }"> latency 3 interval 2 {
// BLOCKS:        %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<2x1xf32>
// BLOCKS:        cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
// BLOCKS:      cmpipe.stage @slow_copy1 copy of "slow" at #poly.map<"{ [w] -> [3 + w] }"> in #poly.set<"{ [w] : 0 <= w <= 3 }"> latency 3 interval 2 {
// BLOCKS:        %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [3 + w + k, c] }"> : vector<2x1xf32>
// BLOCKS:        cmpipe.write %y, @b #poly.map<"{ [w] -> [3 + w] }"> : vector<1xf32>
// BLOCKS:      cmpipe.channel @a from @a_stream to @slow_copy0 carries #poly.set<"{ [i0] : 0 <= i0 <= 3 }"> slots 2 ready #poly.map<"{ a[i0] -> slow_copy0[-1 + i0] : 0 < i0 <= 3 }">
// BLOCKS-NEXT: cmpipe.channel @a from @a_stream to @slow_copy1 carries #poly.set<"{ [i0] : 3 <= i0 <= 7 }"> slots 2 ready #poly.map<"{ a[i0] -> slow_copy1[-4 + i0] : 4 <= i0 <= 7 }">
// BLOCKS-NEXT: cmpipe.channel @b from @slow_copy0 to @sum slots 3 ready #poly.map<"{ b[i0] -> sum[-6 + 6i0] : i0 = 2 or i0 = 1 }">
// BLOCKS-NEXT: cmpipe.channel @b from @slow_copy1 to @sum slots 3 ready #poly.map<"{ b[i0] -> sum[-1 + i0] : 3 <= i0 <= 5; b[i0] -> sum[6] : i0 = 6 }"> from #poly.set<"{ sum[w = 1] }">

cmpipe.pipeline @copies {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<7xvector<1xf32>>
  cmpipe.object @c : memref<7xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x7xf32>
  cmpipe.stage @slow in #poly.set<"{ [w] : 0 <= w < 7 }"> latency 3 interval 2 {
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0]]> : tensor<2x1xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<2x1xf32>
    %y = cmpipe.mxv @w %v : vector<2x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@slow]
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 7 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k - 1, c] }"> : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@sum]
}
