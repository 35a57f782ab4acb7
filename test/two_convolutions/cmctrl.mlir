// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p cmctrl-verify-control | filecheck %s
// RUN: cmc-opt %S/cmpipe.mlir -p 'cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl' | filecheck %s --check-prefix=LOWERED

// The same two convolutions as a chip, written by hand, which is proved, and as the pipeline lowers.

// CHECK: cmctrl.chip @two_convolutions
cmctrl.chip @two_convolutions {
  cmpipe.object @a : memref<10xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<6xvector<1xf32>>
  // LOWERED:      cmctrl.gcu {
  cmctrl.gcu {
    cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x10xf32>
    cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x6xf32>
    // LOWERED:      cmctrl.credits @a from @a_stream to @conv1 count 3
    cmctrl.credits @a from @a_stream to @conv1 count 3
    // LOWERED-NEXT: cmctrl.program @a_stream {
    // LOWERED-NEXT:   affine.for %[[W:.*]] = 0 to 10 {
    // LOWERED-NEXT:     cmctrl.start [%[[W]]]
    cmctrl.program @a_stream {
      affine.for %w = 0 to 10 {
        cmctrl.start [%w]
      }
    }
  }
  // LOWERED:      cmctrl.core @core0 {
  cmctrl.core @core0 {
    cmpipe.stage @conv1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
      cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
      %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
      %y = cmpipe.mxv @w %v : vector<3x1xf32> -> vector<1xf32>
      cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
    }
    cmctrl.ring @a from @a_stream to @conv1 at 0 slots 3
    cmctrl.machine ready @a from @a_stream to @conv1 {
      affine.for %i = 2 to 10 {
        cmctrl.await [%i]
        cmctrl.enable [%i - 2]
      }
    }
    cmctrl.machine free @a from @a_stream to @conv1 {
      affine.for %w = 0 to 7 {
        cmctrl.await [%w]
        cmctrl.release [%w]
      }
      cmctrl.await [7]
      cmctrl.release [9]
    }
    cmctrl.credits @b from @conv1 to @conv2 count 3
    cmctrl.program @conv1 {
      affine.for %w = 0 to 8 {
        cmctrl.start [%w]
      }
    }
  }
  // LOWERED:      cmctrl.core @core1 {
  cmctrl.core @core1 {
    // LOWERED-NEXT: cmpipe.stage @conv2 in #poly.set<"{ [w] : 0 <= w <= 5 }"> {
    // LOWERED-NEXT:   cmpipe.crossbar @w
    // LOWERED-NEXT:   cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
    // LOWERED-NEXT:   cmpipe.mxv @w
    // LOWERED-NEXT:   cmpipe.write {{.*}}, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
    // LOWERED-NEXT: }
    cmpipe.stage @conv2 in #poly.set<"{ [w] : 0 <= w < 6 }"> {
      cmpipe.crossbar @w #nn.weights<[[4.0], [5.0], [6.0]]> : tensor<3x1xf32>
      %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
      %y = cmpipe.mxv @w %v : vector<3x1xf32> -> vector<1xf32>
      cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
    }
    // LOWERED-NEXT: cmctrl.ring @b from @conv1 to @conv2 at 0 slots 3
    cmctrl.ring @b from @conv1 to @conv2 at 0 slots 3
    // LOWERED-NEXT: cmctrl.machine ready @b from @conv1 to @conv2 {
    // LOWERED-NEXT:   affine.for %[[J:.*]] = 2 to 8 {
    // LOWERED-NEXT:     cmctrl.await [%[[J]]]
    // LOWERED-NEXT:     cmctrl.enable [%[[J]] - 2]
    // LOWERED-NEXT:   }
    // LOWERED-NEXT: }
    cmctrl.machine ready @b from @conv1 to @conv2 {
      affine.for %j = 2 to 8 {
        cmctrl.await [%j]
        cmctrl.enable [%j - 2]
      }
    }
    // LOWERED-NEXT: cmctrl.machine free @b from @conv1 to @conv2 {
    // LOWERED-NEXT:   affine.for %[[W:.*]] = 0 to 5 {
    // LOWERED-NEXT:     cmctrl.await [%[[W]]]
    // LOWERED-NEXT:     cmctrl.release [%[[W]]]
    // LOWERED-NEXT:   }
    // LOWERED-NEXT:   cmctrl.await [5]
    // LOWERED-NEXT:   cmctrl.release [7]
    // LOWERED-NEXT: }
    cmctrl.machine free @b from @conv1 to @conv2 {
      affine.for %w = 0 to 5 {
        cmctrl.await [%w]
        cmctrl.release [%w]
      }
      cmctrl.await [5]
      cmctrl.release [7]
    }
    // LOWERED-NEXT: cmctrl.program @conv2 {
    // LOWERED-NEXT:   affine.for %[[W:.*]] = 0 to 6 {
    // LOWERED-NEXT:     cmctrl.start [%[[W]]]
    cmctrl.program @conv2 {
      affine.for %w = 0 to 6 {
        cmctrl.start [%w]
      }
    }
  }
}
