// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | cmc-opt | filecheck %s
// RUN: cmc-opt %s --print-op-generic | filecheck %s --check-prefix=GENERIC

// Every operation of the dialect: a padded convolution of rows, then the maximum of pairs, scaled.

// CHECK-LABEL: cmpipe.pipeline @rows
// GENERIC-LABEL: "cmpipe.pipeline"() <{sym_name = "rows"}>
cmpipe.pipeline @rows {
  // CHECK-NEXT: cmpipe.object @image : memref<8xvector<4xf32>>
  // GENERIC: "cmpipe.object"() <{sym_name = "image", type = memref<8xvector<4xf32>>}> : () -> ()
  cmpipe.object @image : memref<8xvector<4xf32>>
  // CHECK-NEXT: cmpipe.object @features : memref<8xvector<2xf32>>
  cmpipe.object @features : memref<8xvector<2xf32>>
  // CHECK-NEXT: cmpipe.object @pairs : memref<4xvector<2xf32>>
  cmpipe.object @pairs : memref<4xvector<2xf32>>

  // CHECK-NEXT: cmpipe.input @image_stream "x" @image #poly.map<"{ [n, c, h] -> [h, c] }"> latency 2 interval 3 occupies <port = 4> : tensor<1x4x8xf32>
  // GENERIC: "cmpipe.input"() <{sym_name = "image_stream", tensor_name = "x", object = @image, layout = #poly.map<"{ [n, c, h] -> [h, c] }">, latency = 2 : i64, interval = 3 : i64, occupies = #cmpipe.units<port = 4>, tensor = tensor<1x4x8xf32>}> : () -> ()
  cmpipe.input @image_stream "x" @image #poly.map<"{ [n, c, h] -> [h, c] }"> latency 2 interval 3 occupies <port = 4>
    : tensor<1x4x8xf32>
  // CHECK-NEXT: cmpipe.output "y" @pairs #poly.map<"{ [n, c, h] -> [h, c] }"> : tensor<1x2x4xf32>
  cmpipe.output "y" @pairs #poly.map<"{ [n, c, h] -> [h, c] }"> : tensor<1x2x4xf32>

  // CHECK-NEXT: cmpipe.stage @conv in #poly.set<"{ [h] : 0 <= h <= 7 }"> latency 3 interval 2 occupies <digital = 5, port = 2, memory = 4> {
  // GENERIC: "cmpipe.stage"() <{sym_name = "conv", domain = #poly.set<"{ [h] : 0 <= h <= 7 }">, latency = 3 : i64, interval = 2 : i64, occupies = #cmpipe.units<digital = 5, port = 2, memory = 4>}>
  cmpipe.stage @conv in #poly.set<"{ [h] : 0 <= h < 8 }"> latency 3 interval 2 occupies <port = 2, digital = 5, memory = 4> {
    // CHECK-NEXT: cmpipe.crossbar @w #nn.weights<{{.*}}> : tensor<8x2xf32>
    // GENERIC: "cmpipe.crossbar"() <{sym_name = "w", value = #nn.weights<{{.*}}>, type = tensor<8x2xf32>}> : () -> ()
    cmpipe.crossbar @w #nn.weights<splat 0.5 shape [8, 2]> : tensor<8x2xf32>
    // CHECK-NEXT: %v = cmpipe.read @image #poly.map<"{ [h, k, c] -> [-1 + h + k, c] }"> pad -1.0 : vector<2x4xf32>
    // GENERIC: %v = "cmpipe.read"() <{object = @image, access = #poly.map<"{ [h, k, c] -> [-1 + h + k, c] }">, pad = -1.000000e+00 : f32}> : () -> vector<2x4xf32>
    %v = cmpipe.read @image #poly.map<"{ [h, k, c] -> [h + k - 1, c] }"> pad -1.0 : vector<2x4xf32>
    // CHECK-NEXT: %y = cmpipe.mxv @w %v range 1.5 bound 7.25 : vector<2x4xf32> -> vector<2xf32>
    // GENERIC: %y = "cmpipe.mxv"(%v) <{crossbar = @w, range = 1.500000e+00 : f32, bound = 7.250000e+00 : f32}> : (vector<2x4xf32>) -> vector<2xf32>
    %y = cmpipe.mxv @w %v range 1.5 bound 7.25 : vector<2x4xf32> -> vector<2xf32>
    // CHECK-NEXT: %b = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
    // GENERIC: %b = "cmpipe.constant"() <{value = #nn.weights<[1.0, 2.0]>}> : () -> vector<2xf32>
    %b = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
    %z = arith.addf %y, %b : vector<2xf32>
    // CHECK:      cmpipe.write %z, @features #poly.map<"{ [h] -> [h] }"> : vector<2xf32>
    // GENERIC: "cmpipe.write"(%z) <{object = @features, access = #poly.map<"{ [h] -> [h] }">}> : (vector<2xf32>) -> ()
    cmpipe.write %z, @features #poly.map<"{ [h] -> [h] }"> : vector<2xf32>
  }

  // CHECK:      cmpipe.stage @pool in #poly.set<"{ [h] : 0 <= h <= 3 }"> {
  cmpipe.stage @pool in #poly.set<"{ [h] : 0 <= h < 4 }"> {
    // CHECK-NEXT: cmpipe.object @scale #nn.weights<{{.*}}> : memref<4xvector<1xf32>>
    // GENERIC: "cmpipe.object"() <{sym_name = "scale", value = #nn.weights<{{.*}}>, type = memref<4xvector<1xf32>>}> : () -> ()
    cmpipe.object @scale #nn.weights<[[1.0], [2.0], [3.0], [4.0]]> : memref<4xvector<1xf32>>
    %v = cmpipe.read @features #poly.map<"{ [h, k, c] -> [2h + k, c] }"> : vector<2x2xf32>
    // CHECK:      %m = cmpipe.reduce max %{{.*}} : vector<2x2xf32> -> vector<2xf32>
    // GENERIC: %m = "cmpipe.reduce"(%{{.*}}) <{kind = #cmpipe<reduction max>}> : (vector<2x2xf32>) -> vector<2xf32>
    %m = cmpipe.reduce max %v : vector<2x2xf32> -> vector<2xf32>
    // CHECK-NEXT: %s = cmpipe.read @scale #poly.map<"{ [h, c] -> [h, 0] }"> : vector<2xf32>
    %s = cmpipe.read @scale #poly.map<"{ [h, c] -> [h, 0] }"> : vector<2xf32>
    %p = arith.mulf %m, %s : vector<2xf32>
    cmpipe.write %p, @pairs #poly.map<"{ [h] -> [h] }"> : vector<2xf32>
  }

  // CHECK:      cmpipe.core @core0 runs [@conv, @pool]
  // GENERIC: "cmpipe.core"() <{sym_name = "core0", stages = [@conv, @pool]}> : () -> ()
  cmpipe.core @core0 runs [@conv, @pool]

  // CHECK:      cmpipe.channel @image from @image_stream to @conv slots 2 ready #poly.map<"{ image[i] -> conv[i] : 0 <= i <= 7 }"> free
  // GENERIC: "cmpipe.channel"() <{object = @image, writer = @image_stream, reader = @conv, slots = 2 : i64, ready = #poly.map<{{.*}}>, free = #poly.map<{{.*}}>, free_from = #poly.set<"{ image[0] }">}> : () -> ()
  cmpipe.channel @image from @image_stream to @conv slots 2
    ready #poly.map<"{ image[i] -> conv[i] : 0 <= i < 8 }">
    free #poly.map<"{ conv[h] -> image[h - 1] : 1 <= h < 7; conv[7] -> image[7] }">
    from #poly.set<"{ image[0] }">
  // CHECK:      cmpipe.channel @features from @conv to @pool carries #poly.set<"{ [i] : 0 < i <= 7 }"> ready
  cmpipe.channel @features from @conv to @pool carries #poly.set<"{ [i] : 1 <= i < 8 }">
    ready #poly.map<"{ features[i] -> pool[h] : i = 2h + 1 and 0 <= h < 4 }">
    free #poly.map<"{ pool[h] -> features[2h + 1] : 0 <= h < 4 }">
}

// Two objects side by side: products and vectors of both.

// CHECK-LABEL: cmpipe.pipeline @together
// GENERIC-LABEL: "cmpipe.pipeline"() <{sym_name = "together"}>
cmpipe.pipeline @together {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.object @b : memref<8xvector<2xf32>>
  cmpipe.object @c : memref<8xvector<9xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h] -> [h, c] }"> : tensor<1x4x8xf32>
  cmpipe.input @b_stream "y" @b #poly.map<"{ [n, c, h] -> [h, c] }"> : tensor<1x2x8xf32>
  cmpipe.stage @s in #poly.set<"{ [h] : 0 <= h < 8 }"> {
    cmpipe.crossbar @w #nn.weights<splat 0.5 shape [18, 3]> : tensor<18x3xf32>
    %v1 = cmpipe.read @a #poly.map<"{ [h, k, c] -> [h + k - 1, c] }"> : vector<3x4xf32>
    %v2 = cmpipe.read @b #poly.map<"{ [h, k, c] -> [h + k - 1, c] }"> : vector<3x2xf32>
    // CHECK: %y = cmpipe.mxv @w %v1, %v2 : vector<3x4xf32>, vector<3x2xf32> -> vector<3xf32>
    // GENERIC: %y = "cmpipe.mxv"(%v1, %v2) <{crossbar = @w}> : (vector<3x4xf32>, vector<3x2xf32>) -> vector<3xf32>
    %y = cmpipe.mxv @w %v1, %v2 : vector<3x4xf32>, vector<3x2xf32> -> vector<3xf32>
    // CHECK-NEXT: %v = cmpipe.join %v1, %v2 : vector<3x4xf32>, vector<3x2xf32> -> vector<3x6xf32>
    // GENERIC: %v = "cmpipe.join"(%v1, %v2) : (vector<3x4xf32>, vector<3x2xf32>) -> vector<3x6xf32>
    %v = cmpipe.join %v1, %v2 : vector<3x4xf32>, vector<3x2xf32> -> vector<3x6xf32>
    // CHECK-NEXT: %t = cmpipe.slice %v from 2 : vector<3x6xf32> -> vector<3x4xf32>
    // GENERIC: %t = "cmpipe.slice"(%v) <{start = 2 : i64}> : (vector<3x6xf32>) -> vector<3x4xf32>
    %t = cmpipe.slice %v from 2 : vector<3x6xf32> -> vector<3x4xf32>
    // CHECK-NEXT: %o = cmpipe.read @b #poly.map<"{ [h, k, c] -> [-7 + h + k, -1 + c] }"> over %v : vector<3x6xf32>
    // GENERIC: %o = "cmpipe.read"(%v) <{object = @b, access = #poly.map<"{ [h, k, c] -> [-7 + h + k, -1 + c] }">}> : (vector<3x6xf32>) -> vector<3x6xf32>
    %o = cmpipe.read @b #poly.map<"{ [h, k, c] -> [h + k - 7, c - 1] }"> over %v : vector<3x6xf32>
    %m = cmpipe.reduce max %o : vector<3x6xf32> -> vector<6xf32>
    // CHECK:      %z = cmpipe.join %y, %m : vector<3xf32>, vector<6xf32> -> vector<9xf32>
    %z = cmpipe.join %y, %m : vector<3xf32>, vector<6xf32> -> vector<9xf32>
    cmpipe.write %z, @c #poly.map<"{ [h] -> [h] }"> : vector<9xf32>
  }
  cmpipe.core @core runs [@s]
}

// Cores have places, all of them or some.

// CHECK-LABEL: cmpipe.pipeline @placed
// GENERIC-LABEL: "cmpipe.pipeline"() <{sym_name = "placed"
cmpipe.pipeline @placed on #cmpipe.target<cores = 4, topology = "mesh", grid = [2, 2]> {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.object @b : memref<8xvector<4xf32>>
  cmpipe.object @c : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h] -> [h, c] }"> : tensor<1x4x8xf32>
  cmpipe.stage @one in #poly.set<"{ [h] : 0 <= h < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, c] -> [h, c] }"> : vector<4xf32>
    cmpipe.write %v, @b #poly.map<"{ [h] -> [h] }"> : vector<4xf32>
  }
  cmpipe.stage @other in #poly.set<"{ [h] : 0 <= h < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [h, c] -> [h, c] }"> : vector<4xf32>
    cmpipe.write %v, @c #poly.map<"{ [h] -> [h] }"> : vector<4xf32>
  }
  // CHECK:      cmpipe.core @core0 at 3 runs [@one]
  // CHECK-NEXT: cmpipe.core @core1 runs [@other]
  // GENERIC:      "cmpipe.core"() <{sym_name = "core0", place = 3 : i64, stages = [@one]}> : () -> ()
  // GENERIC-NEXT: "cmpipe.core"() <{sym_name = "core1", stages = [@other]}> : () -> ()
  cmpipe.core @core0 at 3 runs [@one]
  cmpipe.core @core1 runs [@other]
}
