// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --pass-pipeline='builtin.module(canonicalize,cse)' | filecheck %s
// RUN: cmc-opt %s -p canonicalize,cse | filecheck %s
// RUN: cmc-opt --print-pipeline -p 'nn-to-cmctrl{buffers=minimal}' | filecheck %s --check-prefix=LIST

// CHECK-LABEL: func.func @sum
// CHECK-NEXT:    %y = arith.addi %x, %x : i32
// CHECK-NEXT:    func.return %y : i32
func.func @sum(%x : i32) -> i32 {
  %y = arith.addi %x, %x : i32
  %unused = arith.muli %x, %x : i32
  func.return %y : i32
}

// LIST:      builtin.module(
// LIST:        cmpipe-size-buffers{policy="minimal"},
// LIST-NEXT:   cmpipe-replicate-pipeline,
// LIST-NEXT:   convert-cmpipe-to-cmctrl
// LIST-NEXT: )
