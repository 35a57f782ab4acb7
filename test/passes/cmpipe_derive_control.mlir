// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-derive-control | filecheck %s

// A 3x3 window with padding of 1 waits for the row below, and for its last pixel at the right border.
// CHECK-LABEL: cmpipe.pipeline @window
// CHECK:         cmpipe.channel @a from @a_stream to @conv ready #poly.map<"{
// CHECK-SAME:      a[i0, i1] -> conv[-1 + i0, -1 + i1] : 0 < i0 <= 7 and 0 < i1 <= 6;
// CHECK-SAME:      a[i0, i1] -> conv[7, 7] : i0 = 7 and i1 = 7;
// CHECK-SAME:      a[i0, i1] -> conv[-1 + i0, 7] : i1 = 7 and 0 < i0 <= 6
// CHECK-SAME:    }">
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

// What counts is when an element is written, not where it lies: a writer that goes through columns
// completes the first row last.
// CHECK-LABEL: cmpipe.pipeline @columns_first
// CHECK:         cmpipe.channel @b from @copy to @rows ready #poly.map<"{ b[i0, i1] -> rows[i0] : i1 = 7 and 0 <= i0 <= 2 }">
cmpipe.pipeline @columns_first {
  cmpipe.object @a : memref<3x8xvector<1xf32>>
  cmpipe.object @b : memref<3x8xvector<1xf32>>
  cmpipe.object @c : memref<3xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x3x8xf32>
  cmpipe.stage @copy in #poly.set<"{ [w, h] : 0 <= w < 8 and 0 <= h < 3 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, h, c] -> [h, w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w, h] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@copy]
  cmpipe.stage @rows in #poly.set<"{ [h] : 0 <= h < 3 }"> {
    %v = cmpipe.read @b #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<8x1xf32>
    %y = cmpipe.reduce max %v : vector<8x1xf32> -> vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [h] -> [h] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@rows]
}

// Windows wholly in the padding need nothing: they may run `from` the start of an image. What no
// window reads is not sent.
// CHECK-LABEL: cmpipe.pipeline @padding
// CHECK:         cmpipe.channel @a from @a_stream to @shift carries #poly.set<"{ [i0] : 0 <= i0 <= 4 }"> ready #poly.map<"{ a[i0] -> shift[3 + i0] : 0 <= i0 <= 4 }">
// CHECK-SAME:      from #poly.set<"{ shift[w = 2] }">
// CHECK-SAME:      free #poly.map<"{ shift[w] -> a[-3 + w] : 3 <= w <= 7 }">
cmpipe.pipeline @padding {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @shift in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w - 3, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@shift]
}

// Of a stride of two every other element is carried: the others are neither awaited nor freed.
// CHECK-LABEL: cmpipe.pipeline @unread
// CHECK:         cmpipe.channel @a from @a_stream to @odd carries #poly.set<"{ [i0] : (1 + i0) mod 2 = 0 and 0 < i0 <= 5 }">
// CHECK-SAME:      ready #poly.map<"{ a[i0] -> odd[-1 + floor((1 + i0)/2)] : (1 + i0) mod 2 = 0 and 0 < i0 <= 5 }">
// CHECK-SAME:      free #poly.map<"{ odd[w] -> a[1 + 2w] : 0 <= w <= 2 }">
cmpipe.pipeline @unread {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<3xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @odd in #poly.set<"{ [w] : 0 <= w < 3 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [2w + 1, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@odd]
}

// An object that a stage reads twice has one channel, for both reads; two objects have two.
// CHECK-LABEL: cmpipe.pipeline @residual
// CHECK:         cmpipe.channel @a from @a_stream to @copy
// CHECK-NEXT:    cmpipe.channel @b from @copy to @add
// CHECK-SAME:      ready #poly.map<"{ b[i0] -> add[-2 + i0] : 2 <= i0 <= 7 }">
// CHECK-SAME:      free #poly.map<"{ add[w] -> b[w] : 0 <= w <= 4; add[w] -> b[7] : w = 5 }">
// CHECK-NEXT:    cmpipe.channel @a from @a_stream to @add carries #poly.set<"{ [i0] : 0 <= i0 <= 5 }"> ready #poly.map<"{ a[i0] -> add[i0] : 0 <= i0 <= 5 }">
// CHECK-SAME:      free #poly.map<"{ add[w] -> a[w] : 0 <= w <= 5 }">
// CHECK-NOT:     cmpipe.channel
cmpipe.pipeline @residual {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<6xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @copy in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@copy]
  cmpipe.stage @add in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %left = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %right = cmpipe.read @b #poly.map<"{ [w, c] -> [w + 2, c] }"> : vector<1xf32>
    %input = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %sum = arith.addf %left, %right : vector<1xf32>
    %y = arith.addf %sum, %input : vector<1xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@add]
}

// Channels that were there are derived again.
// CHECK-LABEL: cmpipe.pipeline @again
// CHECK:         cmpipe.channel @a from @a_stream to @copy ready #poly.map<"{ a[i0] -> copy[i0] : 0 <= i0 <= 7 }">
// CHECK-NOT:     cmpipe.channel
cmpipe.pipeline @again {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @copy in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@copy]
  cmpipe.channel @a from @a_stream to @copy slots 2 ready #poly.map<"{ a[w] -> copy[w] : w = 3 }"> free #poly.map<"{ copy[w] -> a[w] : w = 3 }">
}
