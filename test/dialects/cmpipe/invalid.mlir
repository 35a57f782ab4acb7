// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// Objects.

// CHECK: error: 'cmpipe.object' op an object holds vectors of f32, not f32
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xf32>
}

// -----

// CHECK: error: 'cmpipe.object' op the extents of an object are fixed and at least 1
cmpipe.pipeline @p {
  cmpipe.object @a : memref<?xvector<4xf32>>
}

// -----

// CHECK: error: 'cmpipe.object' op isl cannot read "layer.1" as a name: use letters, digits and _, and no word of its notation
cmpipe.pipeline @p {
  cmpipe.object @layer.1 : memref<8xvector<4xf32>>
}

// -----

// CHECK: error: 'cmpipe.object' op an object with a value is a constant of a stage, and one without travels
cmpipe.pipeline @p {
  cmpipe.object @a #nn.weights<splat 1.0 shape [8, 4]> : memref<8xvector<4xf32>>
}

// -----

// CHECK: error: 'cmpipe.object' op the value has the shape [4, 8], expected [8, 4]
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.object @a #nn.weights<splat 1.0 shape [4, 8]> : memref<8xvector<4xf32>>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op object @a has no writer; every object is written by stages, or is an input
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
}

// -----

// Ports.

// CHECK: error: 'cmpipe.input' op there is no object @a
cmpipe.pipeline @p {
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x8x4xf32>
}

// -----

// CHECK: error: 'cmpipe.input' op the layout should map 3 to 2 dimensions (tensor to element), and maps 2 to 2
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<1x8x4xf32>
}

// -----

// CHECK: error: 'cmpipe.input' op the layout should give one place to each element of the tensor
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [i, c] : w <= i <= w + 1 }"> : tensor<1x8x4xf32>
}

// -----

// CHECK: error: 'cmpipe.input' op the layout leaves the object @a
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w + 1, c] }"> : tensor<1x8x4xf32>
}

// -----

// CHECK: error: 'cmpipe.output' op the layout does not cover the tensor
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.output "y" @a #poly.map<"{ [n, w, c] -> [w, c] : w < 7 }"> : tensor<1x8x4xf32>
}

// -----

// Crossbars.

// CHECK: error: 'cmpipe.crossbar' op a crossbar belongs to a stage
cmpipe.pipeline @p {
  cmpipe.crossbar @w #nn.weights<splat 1.0 shape [4, 2]> : tensor<4x2xf32>
}

// -----

// CHECK: error: 'cmpipe.crossbar' op the matrix has the shape [4, 2], and its type says [2, 4]
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [4, 2]> : tensor<2x4xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.crossbar' op a crossbar holds a matrix, or several on its diagonal
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [4]> : tensor<4xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.core' op there is no stage @s
cmpipe.pipeline @p {
  cmpipe.core @c runs [@s]
}

// -----

// CHECK: error: 'cmpipe.core' op a core runs at least one stage
cmpipe.pipeline @p {
  cmpipe.core @c runs []
}

// -----

// CHECK: error: 'cmpipe.core' op expects parent op 'cmpipe.pipeline'
cmpipe.core @c runs [@s]

// -----

// CHECK: error: 'cmpipe.pipeline' op stage @s runs on one core, and is listed 2 times
cmpipe.pipeline @p {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
  cmpipe.core @c runs [@s]
  cmpipe.core @d runs [@s]
}

// -----

// Stages.

// CHECK: error: 'cmpipe.pipeline' op stage @s holds @a, and outside of it something else has that name
cmpipe.pipeline @p {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.object @a #nn.weights<[1.0]> : memref<vector<1xf32>>
    %v = cmpipe.read @a #poly.map<"{ [c] -> [c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.stage' op the domain of a stage is finite and not empty
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.stage' op a stage writes exactly one object
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.stage' op two iterations write the same element of @a
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [h, w] : 0 <= h < 2 and 0 <= w < 8 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [h, w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.stage' op the iterations write [8], and @a has the elements { a[i0] : 0 <= i0 <= 7 }
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 9 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.stage' op iteration [7] writes nothing
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] : w < 7 }"> : vector<1xf32>
  }
}

// -----

// The writers of an object partition its elements.

// CHECK: error: 'cmpipe.pipeline' op nothing writes @a[3]: @even and @odd write the rest of the object
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @even in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [2w] }"> : vector<1xf32>
  }
  cmpipe.stage @odd in #poly.set<"{ [w] : 0 <= w < 4 and w != 1 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [2w + 1] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op @low and @high both write @a[3]
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @low in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.stage @high in #poly.set<"{ [w] : 0 <= w < 5 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w + 3] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op there is a channel @a from @high to @s, and @s reads nothing that @high writes of @a
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.input @low "low" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<4x1xf32>
  cmpipe.input @high "high" @a #poly.map<"{ [w, c] -> [w + 4, c] }"> : tensor<4x1xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.channel @a from @high to @s ready #poly.map<"{ a[w] -> s[w] : false }"> free #poly.map<"{ s[w] -> a[w] : false }">
}

// -----

// CHECK: error: 'cmpipe.pipeline' op @left[0] waits for @right[0] waits for @left[0]: no iteration can read what depends on it
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2x2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.stage @first in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w, 0] }"> : vector<1xf32>
  }
  cmpipe.stage @left in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w, 1] }"> : vector<1xf32>
  }
  cmpipe.stage @right in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w, k, c] }"> : vector<2x1xf32>
    %y = cmpipe.reduce add %v : vector<2x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.input' op the layout fills vectors of @a in part
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<8x3xf32>
}

// -----

// CHECK: error: 'cmpipe.pipeline' op nothing writes @a[7]: @s writes the rest of the object
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 7 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.stage' op the interval of a stage should be from 1 to 2147483647, and is 0
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> interval 0 {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: the cycles of the digital unit should be from 1 to 2147483647, and is 0
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <digital = 0> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: port stands twice
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <port = 2, digital = 1, port = 2> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: Expected `digital`, `port`, or `memory`.
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <bus = 2> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: expected a unit that is occupied
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> occupies <> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.input' op an input occupies the GCU's port, which has no digital unit
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.input @s "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> occupies <digital = 2> : tensor<1x8x1xf32>
}

// -----

// CHECK: error: 'cmpipe.input' op the latency of an input should be from 1 to 2147483647, and is 0
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.input @s "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> latency 0 : tensor<1x8x1xf32>
}

// -----

// CHECK: error: 'cmpipe.pipeline' op Redefinition of symbol "s"
cmpipe.pipeline @p {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
}

// -----

// Bodies.

// CHECK: error: 'cmpipe.read' op there is no object @b
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.read' op the access to @a should map 3 to 2 dimensions (iteration and window to element and channel), and maps 2 to 2
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<3x4xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.read' op the access to @a gives several elements for one place in the window
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 6 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [i, c] : w <= i < w + 3 }"> : vector<3x4xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.read' op expected to be in the body of a stage
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  %v = cmpipe.read @a #poly.map<"{ [k, c] -> [k, c] }"> : vector<3x4xf32>
}

// -----

// CHECK: error: 'cmpipe.read' op what lies outside of @a is either padding, or what it is read over
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.stage @s in #poly.set<"{ [h] : 0 <= h < 8 }"> {
    %u = cmpipe.read @a #poly.map<"{ [h, c] -> [h, c] }"> : vector<4xf32>
    %v = cmpipe.read @a #poly.map<"{ [h, c] -> [h + 1, c] }"> pad 1.0 over %u : vector<4xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.read' op
// CHECK-SAME: vector<4xf32>
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.stage @s in #poly.set<"{ [h] : 0 <= h < 8 }"> {
    %u = cmpipe.read @a #poly.map<"{ [h, c] -> [h, c] }"> : vector<4xf32>
    %v = "cmpipe.read"(%u) <{object = @a, access = #poly.map<"{ [h, c] -> [h, c] }">}>
      : (vector<4xf32>) -> vector<3xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.mxv' op there is no crossbar @w in this stage
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    %y = cmpipe.mxv @w %v : vector<1xf32> -> vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.mxv' op the input of @w has 4 floats, and vector<3xf32> has 3
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [4, 2]> : tensor<4x2xf32>
    %v = cmpipe.constant #nn.weights<[1.0, 2.0, 3.0]> : vector<3xf32>
    %y = cmpipe.mxv @w %v : vector<3xf32> -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.mxv' op the input of @w has 4 floats, and vector<3xf32> and vector<2xf32> has 5
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [4, 2]> : tensor<4x2xf32>
    %u = cmpipe.constant #nn.weights<[1.0, 2.0, 3.0]> : vector<3xf32>
    %v = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
    %y = cmpipe.mxv @w %u, %v : vector<3xf32>, vector<2xf32> -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.mxv' op the range of @w is a finite number above 0, not 0.0
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [2, 2]> : tensor<2x2xf32>
    %v = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
    %y = cmpipe.mxv @w %v range 0.0 : vector<2xf32> -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.mxv' op the bound of @w is a finite number above 0, not inf
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [2, 2]> : tensor<2x2xf32>
    %v = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
    %y = cmpipe.mxv @w %v bound inf : vector<2xf32> -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.mxv' op the input of @w has 4 floats, and there is none
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [4, 2]> : tensor<4x2xf32>
    %y = "cmpipe.mxv"() <{crossbar = @w}> : () -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.mxv' op the result of @w has 6 floats, and vector<2xf32> has 2
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [3, 1, 2]> : tensor<3x1x2xf32>
    %v = cmpipe.constant #nn.weights<[1.0, 2.0, 3.0]> : vector<3xf32>
    %y = cmpipe.mxv @w %v : vector<3xf32> -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.join' op vector<2x5xf32> differs in more than its last axis from vector<1x3xf32>
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %u = cmpipe.constant #nn.weights<splat 1.0 shape [2, 2]> : vector<2x2xf32>
    %v = cmpipe.constant #nn.weights<splat 1.0 shape [1, 3]> : vector<1x3xf32>
    %y = cmpipe.join %u, %v : vector<2x2xf32>, vector<1x3xf32> -> vector<2x5xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.join' op vector<6xf32> has 6 places along its last axis, and what it is joined of has 5
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %u = cmpipe.constant #nn.weights<splat 1.0 shape [2]> : vector<2xf32>
    %v = cmpipe.constant #nn.weights<splat 1.0 shape [3]> : vector<3xf32>
    %y = cmpipe.join %u, %v : vector<2xf32>, vector<3xf32> -> vector<6xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.join' op vectors without axes cannot be joined
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %u = arith.constant dense<1.0> : vector<f32>
    %y = cmpipe.join %u : vector<f32> -> vector<f32>
  }
}

// -----

// CHECK: error: 'cmpipe.slice' op vector<3xf32> has no places 2 to 3 along its last axis
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %u = cmpipe.constant #nn.weights<splat 1.0 shape [3]> : vector<3xf32>
    %y = cmpipe.slice %u from 2 : vector<3xf32> -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.slice' op vector<3xf32> has no places -1 to 0 along its last axis
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %u = cmpipe.constant #nn.weights<splat 1.0 shape [3]> : vector<3xf32>
    %y = cmpipe.slice %u from -1 : vector<3xf32> -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.slice' op vector<2x2xf32> differs in more than its last axis from vector<1x3xf32>
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %u = cmpipe.constant #nn.weights<splat 1.0 shape [1, 3]> : vector<1x3xf32>
    %y = cmpipe.slice %u from 1 : vector<1x3xf32> -> vector<2x2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.slice' op vectors without axes have no places to take
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %u = arith.constant dense<1.0> : vector<f32>
    %y = cmpipe.slice %u from 0 : vector<f32> -> vector<f32>
  }
}

// -----

// CHECK: error: 'cmpipe.reduce' op 3 floats are not rows of 2
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0, 2.0, 3.0]> : vector<3xf32>
    %y = cmpipe.reduce add %v : vector<3xf32> -> vector<2xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.constant' op the value has the shape [2], and its type is vector<3xf32>
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<3xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.write' op @scale is a constant
cmpipe.pipeline @p {
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    cmpipe.object @scale #nn.weights<[1.0]> : memref<vector<1xf32>>
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @scale #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.write' op the access to @a should map 1 to 1 dimensions (iteration to element), and maps 1 to 2
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w, 0] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.write' op an iteration writes one element
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [i] : 2w <= i <= 2w + 1 }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.write' op @a holds vectors of 4 floats, not vector<1xf32>
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// Channels.

// CHECK: error: 'cmpipe.channel' op there is no stage @t
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.channel @a from @a_stream to @t ready #poly.map<"{ a[i] -> t[i] }"> free #poly.map<"{ t[i] -> a[i] }">
}

// -----

// CHECK: error: 'cmpipe.pipeline' op there is a channel @b from @s to @s, and @s reads nothing that @s writes of @b
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.channel @b from @s to @s ready #poly.map<"{ b[i] -> s[i] }"> free #poly.map<"{ s[i] -> b[i] }">
}

// -----

// CHECK: error: 'cmpipe.channel' op ready should be a map of the form { a[i0] -> s[w] }, and is { s[i] -> a[i] }
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.channel @a from @a_stream to @s ready #poly.map<"{ s[i] -> a[i] }"> free #poly.map<"{ s[i] -> a[i] }">
}

// -----

// CHECK: error: 'cmpipe.channel' op free gives more than one step for one signal
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.channel @a from @a_stream to @s
    ready #poly.map<"{ a[i] -> s[i] }">
    free #poly.map<"{ s[i] -> a[j] : i <= j <= i + 1 }">
}

// -----

// CHECK: error: 'cmpipe.channel' op ready should start from a point of the form { s[w] }, and starts from { a[0] }
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.channel @a from @a_stream to @s
    ready #poly.map<"{ a[i] -> s[i] }"> from #poly.set<"{ a[0] }">
    free #poly.map<"{ s[i] -> a[i] }">
}

// -----

// CHECK: error: 'cmpipe.channel' op free should start from one point, not from { a[i] : 0 <= i <= 1 }
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.channel @a from @a_stream to @s
    ready #poly.map<"{ a[i] -> s[i] }">
    free #poly.map<"{ s[i] -> a[i] }"> from #poly.set<"{ a[i] : 0 <= i < 2 }">
}

// -----

// CHECK: error: 'cmpipe.channel' op the number of slots should be from 1 to 2147483647, and is
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.channel @a from @a_stream to @s slots 0 ready #poly.map<"{ a[i] -> s[i] }"> free #poly.map<"{ s[i] -> a[i] }">
}

// -----

// CHECK: error: 'cmpipe.channel' op what @a from @a_stream to @s carries should be tuples of 1 without a name, and is { [i, j] }
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.channel @a from @a_stream to @s carries #poly.set<"{ [i, j] }"> ready #poly.map<"{ a[i] -> s[i] }"> free #poly.map<"{ s[i] -> a[i] }">
}

// -----

// CHECK: error: 'cmpipe.channel' op @a from @a_stream to @s carries nothing
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.channel @a from @a_stream to @s carries #poly.set<"{ [i] : false }"> ready #poly.map<"{ a[i] -> s[i] }"> free #poly.map<"{ s[i] -> a[i] }">
}

// -----

// CHECK: error: 'cmpipe.pipeline' op there are two channels @a from @a_stream to @s
cmpipe.pipeline @p {
  cmpipe.object @a : memref<2xvector<1xf32>>
  cmpipe.object @b : memref<2xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x2x1xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 2 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.channel @a from @a_stream to @s ready #poly.map<"{ a[i] -> s[i] }"> free #poly.map<"{ s[i] -> a[i] }">
  cmpipe.channel @a from @a_stream to @s ready #poly.map<"{ a[i] -> s[i] }"> free #poly.map<"{ s[i] -> a[i] }">
}

// -----

// Targets.

// CHECK: error: a target has no rwos; did you mean rows?
cmpipe.pipeline @p on #cmpipe.target<rwos = 3> {
}

// -----

// CHECK: error: rows is given twice
cmpipe.pipeline @p on #cmpipe.target<rows = 3, rows = 3> {
}

// -----

// CHECK: error: rows of a target: expected a whole number from 1 to 2147483647 or "unlimited", not 1.5
cmpipe.pipeline @p on #cmpipe.target<rows = 1.5> {
}

// -----

// CHECK: error: mxv of a target: expected a whole number of cycles from 1 to 2147483647, not unlimited
cmpipe.pipeline @p on #cmpipe.target<mxv = unlimited> {
}

// -----

// CHECK: error: topology of a target: expected "all-to-all", "bus", "chain", "mesh", "torus" or "edges", not "mush"
cmpipe.pipeline @p on #cmpipe.target<topology = "mush"> {
}

// -----

// CHECK: error: grid of a target: expected all cores, and cores is unlimited
cmpipe.pipeline @p on #cmpipe.target<topology = "mesh", grid = [2, 2]> {
}

// -----

// CHECK: error: reach of a target: missing for this topology: it belongs to chain
cmpipe.pipeline @p on #cmpipe.target<topology = "chain"> {
}

// -----

// CHECK: error: 'cmpipe.pipeline' op core @c and core @d are both at 1
cmpipe.pipeline @p on #cmpipe.target<name = "small", cores = 4, topology = "mesh", grid = [2, 2]> {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
  cmpipe.stage @t in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
  cmpipe.core @c at 1 runs [@s]
  cmpipe.core @d at 1 runs [@t]
}

// -----

// CHECK: error: 'cmpipe.pipeline' op core @d is at 4, and target small has places from 0 to 3
cmpipe.pipeline @p on #cmpipe.target<name = "small", cores = 4, topology = "mesh", grid = [2, 2]> {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
  cmpipe.stage @t in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
  cmpipe.core @c at 0 runs [@s]
  cmpipe.core @d at 4 runs [@t]
}

// -----

// CHECK: error: 'cmpipe.pipeline' op core @c is at -1, and target ideal has places from 0 on
cmpipe.pipeline @p {
  cmpipe.object @a : memref<vector<1xf32>>
  cmpipe.object @b : memref<vector<1xf32>>
  cmpipe.stage @s in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @a #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
  cmpipe.stage @t in #poly.set<"{ [] }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [] -> [] }"> : vector<1xf32>
  }
  cmpipe.core @c at -1 runs [@s]
  cmpipe.core @d at 0 runs [@t]
}

// -----

// CHECK: error: 'cmpipe.pipeline' op @sum[0] waits for @sum[0]: no iteration can read what depends on it
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @s : memref<4xvector<1xf32>>
  cmpipe.input @x "x" @a #poly.map<"{ [w, c] -> [w, c] }"> : tensor<4x1xf32>
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %x = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %b = cmpipe.read @s #poly.map<"{ [w, c] -> [w + 1, c] }"> : vector<1xf32>
    %y = arith.addf %x, %b : vector<1xf32>
    cmpipe.write %y, @s #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}
