// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: rm -rf %t && mkdir %t
// RUN: cmc-opt %s -o %t/out.mlir && filecheck %s --input-file %t/out.mlir --check-prefix=FILE
// RUN: cmc-opt %t/out.mlir --weights=inline | filecheck %s --check-prefix=INLINE
// RUN: cmc-opt %t/out.mlir --weights=elide | filecheck %s --check-prefix=ELIDE
// RUN: cmc-opt %t/out.mlir --weights=elide | cmc-opt --weights=inline | filecheck %s --check-prefix=ELIDE
// RUN: rm %t/out.safetensors && not cmc-opt %t/out.mlir --weights=inline 2>&1 | filecheck %s --check-prefix=MISSING

// Large weights go to a file beside the output and come back from there; small ones stay,
// and what was elided is lost for good.

// FILE:        #nn.weights<file "out.safetensors" key "weights" shape [2, 40] sha256 "{{[0-9a-f]+}}">
// FILE-NEXT:   #nn.weights<[1.0, 2.0]>
// INLINE:      #nn.weights<hex "0x0000803F{{.*}}" shape [2, 40]>
// ELIDE:       #nn.weights<elided shape [2, 40] sha256 "{{[0-9a-f]+}}">
// ELIDE-NEXT:  #nn.weights<[1.0, 2.0]>
// MISSING:     out.safetensors: error: cannot read weights 'weights'

func.func @main() -> (tensor<2x40xf32>, tensor<2xf32>) {
  %large = nn.constant #nn.weights<[
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
     1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
     1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
     1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0],
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
     1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
     1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
     1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]]> : tensor<2x40xf32>
  %small = nn.constant #nn.weights<[1.0, 2.0]> : tensor<2xf32>
  func.return %large, %small : tensor<2x40xf32>, tensor<2xf32>
}
