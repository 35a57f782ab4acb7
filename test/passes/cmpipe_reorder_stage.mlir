// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --pass-pipeline='builtin.module( \
// RUN:   cmpipe-reorder-stage{stage=columns interchange=w,h}, \
// RUN:   cmpipe-reorder-stage{stage=backwards reverse=h,w}, \
// RUN:   cmpipe-reorder-stage{stage=blocks tile=4,3}, \
// RUN:   cmpipe-reorder-stage{stage=column_blocks tile=0,4}, \
// RUN:   cmpipe-reorder-stage{stage=row_blocks interchange=w,h tile=0,4}, \
// RUN:   cmpipe-reorder-stage{stage=diagonals schedule="{ [h, w] -> [diagonal, h] : diagonal = h + w }"}, \
// RUN:   cmpipe-reorder-stage{tile=2})' | filecheck %s

cmpipe.pipeline @orders {
  cmpipe.object @a : memref<8x8xvector<1xf32>>
  cmpipe.object @b_columns : memref<8x8xvector<1xf32>>
  cmpipe.object @b_backwards : memref<8x8xvector<1xf32>>
  cmpipe.object @b_blocks : memref<8x8xvector<1xf32>>
  cmpipe.object @b_column_blocks : memref<8x8xvector<1xf32>>
  cmpipe.object @b_row_blocks : memref<8x8xvector<1xf32>>
  cmpipe.object @b_diagonals : memref<8x8xvector<1xf32>>
  cmpipe.object @b_sums : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x8x8xf32>

  // Columns are the outer loop: each iteration writes what it wrote, at another time.
  // CHECK:      cmpipe.stage @columns in #poly.set<"{ [w, h] : 0 <= w <= 7 and 0 <= h <= 7 }"> {
  // CHECK-NEXT:   cmpipe.read @a #poly.map<"{ [w, h, k, c] -> [h, -1 + w + k, c] }"> pad 0.5 : vector<3x1xf32>
  // CHECK:        cmpipe.write %{{.*}}, @b_columns #poly.map<"{ [w, h] -> [h, w] }"> : vector<1xf32>
  cmpipe.stage @columns in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, w + k - 1, c] }"> pad 0.5 : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b_columns #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@columns]

  // The last row first, and each from its end.
  // CHECK:      cmpipe.stage @backwards in #poly.set<"{ [h, w] : 0 <= h <= 7 and 0 <= w <= 7 }"> {
  // CHECK-NEXT:   cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [7 - h, 6 - w + k, c] }"> pad 0.5 : vector<3x1xf32>
  // CHECK:        cmpipe.write %{{.*}}, @b_backwards #poly.map<"{ [h, w] -> [7 - h, 7 - w] }"> : vector<1xf32>
  cmpipe.stage @backwards in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, w + k - 1, c] }"> pad 0.5 : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b_backwards #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@backwards]

  // Blocks, one after the other. They need not divide the extents.
  // CHECK:      cmpipe.stage @blocks in #poly.set<"{ [h_outer, w_outer, h, w] : 0 <= h_outer <= 1 and w_outer >= 0 and 0 <= h <= 3 and 0 <= w <= 7 - 3w_outer and w <= 2 }"> {
  // CHECK-NEXT:   cmpipe.read @a #poly.map<"{ [h_outer, w_outer, h, w, k, c] -> [4h_outer + h, -1 + 3w_outer + w + k, c] }"> pad 0.5 : vector<3x1xf32>
  // CHECK:        cmpipe.write %{{.*}}, @b_blocks #poly.map<"{ [h_outer, w_outer, h, w] -> [4h_outer + h, 3w_outer + w] }"> : vector<1xf32>
  cmpipe.stage @blocks in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, w + k - 1, c] }"> pad 0.5 : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b_blocks #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 runs [@blocks]

  // All rows of four columns, then of the next four.
  // CHECK:      cmpipe.stage @column_blocks in #poly.set<"{ [w_outer, h, w] : 0 <= w_outer <= 1 and 0 <= h <= 7 and 0 <= w <= 3 }"> {
  // CHECK:        cmpipe.write %{{.*}}, @b_column_blocks #poly.map<"{ [w_outer, h, w] -> [h, 4w_outer + w] }"> : vector<1xf32>
  cmpipe.stage @column_blocks in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, w + k - 1, c] }"> pad 0.5 : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b_column_blocks #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core3 runs [@column_blocks]

  // All columns of four rows, then of the next four.
  // CHECK:      cmpipe.stage @row_blocks in #poly.set<"{ [h_outer, w, h] : 0 <= h_outer <= 1 and 0 <= w <= 7 and 0 <= h <= 3 }"> {
  // CHECK:        cmpipe.write %{{.*}}, @b_row_blocks #poly.map<"{ [h_outer, w, h] -> [4h_outer + h, w] }"> : vector<1xf32>
  cmpipe.stage @row_blocks in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, w + k - 1, c] }"> pad 0.5 : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b_row_blocks #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core4 runs [@row_blocks]

  // Any order that gives each iteration a place of its own.
  // CHECK:      cmpipe.stage @diagonals in #poly.set<"{ [diagonal, h] : h >= -7 + diagonal and 0 <= h <= 7 and h <= diagonal }"> {
  // CHECK-NEXT:   cmpipe.read @a #poly.map<"{ [diagonal, h, k, c] -> [h, -1 + diagonal - h + k, c] }"> pad 0.5 : vector<3x1xf32>
  // CHECK:        cmpipe.write %{{.*}}, @b_diagonals #poly.map<"{ [diagonal, h] -> [h, diagonal - h] }"> : vector<1xf32>
  cmpipe.stage @diagonals in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, w + k - 1, c] }"> pad 0.5 : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b_diagonals #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core5 runs [@diagonals]

  // Without a name, every stage that has these loops: here the only one with one loop.
  // CHECK:      cmpipe.stage @sums in #poly.set<"{ [h_outer, h] : 0 <= h_outer <= 3 and 0 <= h <= 1 }"> {
  // CHECK-NEXT:   cmpipe.read @a #poly.map<"{ [h_outer, h, w, c] -> [2h_outer + h, w, c] }"> : vector<8x1xf32>
  cmpipe.stage @sums in #poly.set<"{ [h] : 0 <= h < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<8x1xf32>
    %y = cmpipe.reduce add %v : vector<8x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b_sums #poly.map<"{ [h] -> [h] }"> : vector<1xf32>
  }
  cmpipe.core @core6 runs [@sums]
}
