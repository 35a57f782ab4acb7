// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// Pipelines that take turns with images: each tensor has a port of every turn, and no other turn's images
// come into a pipeline.

// CHECK: error: 'cmpipe.input' op turns are counted from 0, and there is no turn 2 of 2
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 2 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.output' op the number of turns should be from 1 to 2147483647, and is 0
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 0 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op there are 2 inputs "x" of turn 0 of 2
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op there is no output "y" of turn 1 of 2
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op all ports are of as many turns: there is "y" of turn 0 of 2, and "y" of turn 1 of 3
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 3 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op the inputs "x" are of the types tensor<1x4x1xf32> and tensor<4x1xf32>
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [w, c] -> [w, c] }"> turn 1 of 2 : tensor<4x1xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op @t1 is of turn 0 of 2 and of turn 1 of 2: pipelines that take turns have no stage and no object in common
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %u = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    %y = arith.addf %u, %v : vector<1xf32>
    cmpipe.write %y, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op @t0 is of turn 0 of 2 and of turn 1 of 2: pipelines that take turns have no stage and no object in common
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op @b is of turn 0 of 2 and of turn 1 of 2: pipelines that take turns have no stage and no object in common
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}

// -----

// CHECK: error: 'cmpipe.pipeline' op @idle takes no turn: nothing leads to it from an input, or from it to an output
cmpipe.pipeline @p {
  cmpipe.object @a : memref<4xvector<1xf32>>
  cmpipe.object @b : memref<4xvector<1xf32>>
  cmpipe.object @c : memref<4xvector<1xf32>>
  cmpipe.object @d : memref<4xvector<1xf32>>
  cmpipe.input @s0 "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> turn 0 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t0 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.input @s1 "x" @c #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.output "y" @d #poly.map<"{ [n, w, c] -> [w, c] }"> turn 1 of 2 : tensor<1x4x1xf32>
  cmpipe.stage @t1 in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.object @e : memref<4xvector<1xf32>>
  cmpipe.stage @idle in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.constant #nn.weights<[1.0]> : vector<1xf32>
    cmpipe.write %v, @e #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
}
