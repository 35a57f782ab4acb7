// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | cmc-opt | filecheck %s

// However it is written, a set or relation prints in isl's canonical form, and reads back the same.

// CHECK:      builtin.module attributes {
builtin.module attributes {
  // CHECK-SAME: triangle = #poly.set<"{ [h, w] : h <= 7 and 0 <= w <= h }">
  triangle = #poly.set<"{ [h, w] : h < 8 and h >= w and w >= 0 }">,
  // CHECK-SAME: strided = #poly.set<"{ conv[h] : (h) mod 3 = 0 and 0 <= h <= 29 }">
  strided = #poly.set<"{ conv[h] : exists k : h = 3k and 0 <= h < 30 }">,
  // CHECK-SAME: point = #poly.set<"{ [] }">
  point = #poly.set<"{ [] }">,
  // CHECK-SAME: nothing = #poly.set<"{ [h] : false }">
  nothing = #poly.set<"{ [h] : 1 <= h < 0 }">,
  // A function prints as expressions ...
  // CHECK-SAME: window = #poly.map<"{ [h, k] -> [-1 + h + k] }">
  window = #poly.map<"{ [h, k] -> [i] : i = h + k - 1 }">,
  // CHECK-SAME: ready = #poly.map<"{ b[j] -> conv2[-2 + j] : 2 <= j <= 7 }">
  ready = #poly.map<"{ b[j] -> conv2[j - 2] : 2 <= j <= 7 }">,
  // CHECK-SAME: pieces = #poly.map<"{ [h] -> [2h] : h <= 3; [h] -> [h] : h >= 7 }">
  pieces = #poly.map<"{ [h] -> [i] : (h < 4 and i = 2h) or (h > 6 and i = h) }">,
  // CHECK-SAME: tiles = #poly.map<"{ [h] -> [floor((h)/4), (h) mod 4] : 0 <= h <= 9 }">
  tiles = #poly.map<"{ [h] -> [t, i] : h = 4t + i and 0 <= i < 4 and 0 <= h < 10 }">,
  // ... and what is no function as constraints.
  // CHECK-SAME: rows = #poly.map<"{ [h] -> [i] : h <= i <= 2 + h }">
  rows = #poly.map<"{ [h] -> [i] : h <= i < h + 3 }">
} {}
