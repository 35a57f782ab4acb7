// RUN: not cmc-opt %s -p 'cmpipe-derive-control,convert-cmpipe-to-cmctrl' 2>&1 | filecheck %s --check-prefix=SIZES
// RUN: not cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl{sram=15}' 2>&1 | filecheck %s --check-prefix=SRAM
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl{sram=16}' | filecheck %s --check-prefix=FITS

// Rings have their slots before they are laid out, and fit into the SRAM of their core.

// SIZES: error: channel @a from @a_stream to @copy has no slots: size the buffers first
// SRAM:  core @core0: error: it needs 16 bytes of SRAM, 16 of them for rings, and has 15
// FITS:  cmctrl.ring @a from @a_stream to @copy at 0 slots 1
cmpipe.pipeline @copy {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.object @b : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x8xf32>
  cmpipe.stage @copy in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core0 runs [@copy]
}
