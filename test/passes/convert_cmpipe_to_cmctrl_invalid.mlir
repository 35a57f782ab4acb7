// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not cmc-opt %s -p 'cmpipe-derive-control,convert-cmpipe-to-cmctrl' 2>&1 | filecheck %s --check-prefix=SIZES
// RUN: not cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl' 2>&1 | filecheck %s --check-prefix=SRAM
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl{target=ideal}' | filecheck %s --check-prefix=FITS

// Rings have their slots before they are laid out, and fit into the SRAM of their core.

// SIZES: error: channel @a from @a_stream to @add has no slots: size the buffers first
// SRAM:  error: 32 bytes of SRAM are needed, and core @core0 has 31: 16 for the ring of @a from @a_stream to @add, 16 for the constants of @add; it takes smaller rings
// FITS:  cmctrl.ring @a from @a_stream to @add at 0 slots 1
cmpipe.pipeline @main on #cmpipe.target<name = "small", sram_bytes = 31> {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.object @b : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x8xf32>
  cmpipe.stage @add in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %b = cmpipe.constant #nn.weights<[1.0, 2.0, 3.0, 4.0]> : vector<4xf32>
    %y = arith.addf %v, %b : vector<4xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core0 runs [@add]
}
