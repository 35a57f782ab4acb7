// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// CHECK: error: not an isl set: { [h : 0 <= h }
builtin.module attributes {a = #poly.set<"{ [h : 0 <= h }">} {}

// -----

// CHECK: error: not an isl set: { [h] -> [h] }
builtin.module attributes {a = #poly.set<"{ [h] -> [h] }">} {}

// -----

// CHECK: error: not an isl map: { [h] -> [h*h] }
builtin.module attributes {a = #poly.map<"{ [h] -> [h*h] }">} {}

// -----

// CHECK: error: an isl map here has no parameters: [n] -> { [h] -> [h + n] }
builtin.module attributes {a = #poly.map<"[n] -> { [h] -> [h + n] }">} {}

// -----

// CHECK: error: string literal expected with an isl map
builtin.module attributes {a = #poly.map<[h]>} {}
