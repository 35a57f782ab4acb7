// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | cmc-opt | filecheck %s
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers,convert-cmpipe-to-cmctrl' | filecheck %s --check-prefix=CHIP
// RUN: cmc-opt %s -p 'cmpipe-derive-control,cmpipe-size-buffers,convert-cmpipe-to-cmctrl{target=pcm-64}' | filecheck %s --check-prefix=OTHER

// What a pipeline is for, in cycles and without what `ideal` has, too, and its chip with it.

// CHECK: cmpipe.pipeline @copy on #cmpipe.target<name = "mine", cores = 16, sram_bytes = 65536, columns = 64, mxv = 133, sram_bytes_per_cycle = 25.6, topology = "mesh", grid = [4, 4], multicast = true, mxv_pj = 0.25 from "measured"> {
// CHIP:  cmctrl.chip @copy on #cmpipe.target<name = "mine", cores = 16,
// OTHER: cmctrl.chip @copy on #cmpipe.target<name = "pcm-64", cores = 64,
cmpipe.pipeline @copy on #cmpipe.target<
    name = "mine", cores = 16, crossbars = 1, rows = unlimited, columns = 64,
    sram_bytes = 65536, sram_bytes_per_cycle = 25.6, mxv = 133,
    topology = "mesh", grid = [4, 4], multicast = true, mxv_pj = 0.25 from "measured"> {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.object @b : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x8xf32>
  cmpipe.stage @copy_1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  // CHIP:  cmctrl.core @core0 at 5 {
  cmpipe.core @core0 at 5 runs [@copy_1]
}
