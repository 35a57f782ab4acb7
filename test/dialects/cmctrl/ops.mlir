// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | filecheck %s --check-prefix=GENERIC

// Every operation of the dialect: the maxima of rows of four pixels, column by column.

// CHECK-LABEL: cmctrl.chip @maxima
// GENERIC-LABEL: "cmctrl.chip"() <{sym_name = "maxima"}>
cmctrl.chip @maxima {
  cmpipe.object @image : memref<3x4xvector<2xf32>>
  cmpipe.object @rows : memref<3xvector<2xf32>>
  // CHECK:      cmctrl.gcu {
  // GENERIC: "cmctrl.gcu"() ({
  cmctrl.gcu {
    cmpipe.input @image_stream "x" @image #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x2x3x4xf32>
    cmpipe.output "y" @rows #poly.map<"{ [n, c, h] -> [h, c] }"> : tensor<1x2x3xf32>
    // CHECK:      cmctrl.credits @image from @image_stream to @max count 4
    // GENERIC: "cmctrl.credits"() <{object = @image, writer = @image_stream, reader = @max, count = 4 : i64}> : () -> ()
    cmctrl.credits @image from @image_stream to @max count 4
    // CHECK-NEXT: cmctrl.program @image_stream {
    // GENERIC: "cmctrl.program"() <{writer = @image_stream}>
    cmctrl.program @image_stream {
      affine.for %h = 0 to 3 {
        affine.for %w = 0 to 4 {
          // CHECK:      cmctrl.start [%h, %w]
          // GENERIC: "cmctrl.start"(%h, %w) <{point = affine_map<(d0, d1) -> (d0, d1)>}> : (index, index) -> ()
          cmctrl.start [%h, %w]
        }
      }
    }
  }
  // CHECK:      cmctrl.core @core0 at 2 {
  // GENERIC: "cmctrl.core"() <{sym_name = "core0", place = 2 : i64}>
  cmctrl.core @core0 at 2 {
    // CHECK-NEXT: cmpipe.stage @max in #poly.set<"{ [h] : 0 <= h <= 2 }"> latency 4 interval 2 {
    cmpipe.stage @max in #poly.set<"{ [h] : 0 <= h < 3 }"> latency 4 interval 2 {
      %v = cmpipe.read @image #poly.map<"{ [h, w, c] -> [h, w, c] }"> : vector<4x2xf32>
      %m = cmpipe.reduce max %v : vector<4x2xf32> -> vector<2xf32>
      %b = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
      %y = arith.addf %m, %b : vector<2xf32>
      cmpipe.write %y, @rows #poly.map<"{ [h] -> [h] }"> : vector<2xf32>
    }
    // CHECK:      cmctrl.ring @image from @image_stream to @max carries #poly.set<"{ [i, j] : 0 <= i <= 6 }"> at 64 slots 4
    // GENERIC: "cmctrl.ring"() <{object = @image, writer = @image_stream, reader = @max, carries = #poly.set<"{ [i, j] : 0 <= i <= 6 }">, address = 64 : i64, slots = 4 : i64}> : () -> ()
    cmctrl.ring @image from @image_stream to @max carries #poly.set<"{ [i, j] : 0 <= i < 7 }"> at 64 slots 4
    // CHECK-NEXT: cmctrl.constants @max at 0
    // GENERIC: "cmctrl.constants"() <{stage = @max, address = 0 : i64}> : () -> ()
    cmctrl.constants @max at 0
    // CHECK-NEXT: cmctrl.machine ready @image from @image_stream to @max {
    // GENERIC: "cmctrl.machine"() <{kind = #cmctrl<kind ready>, object = @image, writer = @image_stream, reader = @max}>
    cmctrl.machine ready @image from @image_stream to @max {
      affine.for %h = 0 to 3 {
        // CHECK:      cmctrl.await [%{{.*}}, 3]
        // GENERIC: "cmctrl.await"(%h{{.*}}) <{point = affine_map<(d0) -> (d0, 3)>}> : (index) -> ()
        cmctrl.await [%h, 3]
        // CHECK-NEXT: cmctrl.enable [%{{.*}}]
        // GENERIC: "cmctrl.enable"(%h{{.*}}) <{point = affine_map<(d0) -> (d0)>}> : (index) -> ()
        cmctrl.enable [%h]
      }
    }
    // CHECK:      cmctrl.machine free @image from @image_stream to @max {
    cmctrl.machine free @image from @image_stream to @max {
      affine.for %i = 2 to 5 {
        // CHECK:      cmctrl.await [%i - 2]
        cmctrl.await [%i - 2]
        // CHECK-NEXT: cmctrl.release [(%i * 2) floordiv 2 - 2, %i mod 1 + 3]
        // GENERIC: "cmctrl.release"(%i) <{point = affine_map<(d0) -> ((((d0 * 2) floordiv 2) + -2), ((d0 mod 1) + 3))>}> : (index) -> ()
        cmctrl.release [2 * %i floordiv 2 - 2, %i mod 1 + 3]
      }
    }
    // CHECK:      cmctrl.program @max {
    // GENERIC: "cmctrl.program"() <{writer = @max}>
    cmctrl.program @max {
      affine.for %h = 0 to 3 {
        // CHECK:      cmctrl.start [%{{.*}}]
        cmctrl.start [%h]
      }
    }
  }
}
