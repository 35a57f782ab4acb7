// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmpipe-derive-control,cmpipe-size-buffers{policy=minimal} | filecheck %s
// RUN: cmc-opt %s -p cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl,cmctrl-verify-control | filecheck %s --check-prefix=CHIP

// Sums of all that came so far: a stage reads its own object, a step before.

// The first sum waits for none, and for the last one none waits. Each frees the slot of the one before
// it, when it is done itself: two slots.
// CHECK: cmpipe.channel @s from @sum to @sum carries #poly.set<"{ [i0] : 0 <= i0 <= 4 }"> slots 2 ready #poly.map<"{ s[i0] -> sum[1 + i0] : 0 <= i0 <= 4 }"> from #poly.set<"{ sum[w = 0] }"> free #poly.map<"{ sum[w] -> s[-1 + w] : 0 < w <= 5 }">

// CHIP:      cmctrl.ring @s from @sum to @sum carries #poly.set<"{ [i0] : 0 <= i0 <= 4 }"> at 16 slots 2
// CHIP:      cmctrl.machine ready @s from @sum to @sum {
// CHIP-NEXT:   cmctrl.enable [0]
// CHIP-NEXT:   affine.for %w = 0 to 5 {
// CHIP-NEXT:     cmctrl.await [%w]
// CHIP-NEXT:     cmctrl.enable [%w + 1]
// CHIP-NEXT:   }
// CHIP-NEXT: }
// CHIP-NEXT: cmctrl.machine free @s from @sum to @sum {
// CHIP-NEXT:   affine.for %w = 1 to 6 {
// CHIP-NEXT:     cmctrl.await [%w]
// CHIP-NEXT:     cmctrl.release [%w - 1]
// CHIP-NEXT:   }
// CHIP-NEXT: }

cmpipe.pipeline @sums {
  cmpipe.object @a : memref<6xvector<4xf32>>
  cmpipe.object @s : memref<6xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x6x4xf32>
  cmpipe.output "y" @s #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x6x4xf32>
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %x = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %b = cmpipe.read @s #poly.map<"{ [w, c] -> [w - 1, c] }"> : vector<4xf32>
    %y = arith.addf %x, %b : vector<4xf32>
    cmpipe.write %y, @s #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core0 runs [@sum]
}
