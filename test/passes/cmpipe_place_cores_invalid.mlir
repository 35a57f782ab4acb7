// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: cmc-opt %s -p 'cmpipe-place-cores{interval=10}' --split-input-file --verify-diagnostics | filecheck %s

// What cannot be placed is refused with the reason. Three stages in a chain send vectors of a float,
// eight an image: with links of a byte a cycle, each takes a link for 32 cycles.

// CHECK: pipeline @main on target count: error: 3 cores are to be placed, and there are 2 places: assign stages to fewer cores with cmpipe-assign-cores
cmpipe.pipeline @main on #cmpipe.target<name = "count", cores = 2, topology = "chain", reach = 1> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.object @d : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @s0 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@s0]
  cmpipe.stage @s1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@s1]
  cmpipe.stage @s2 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 runs [@s2]
}

// -----

// A place in a chain has two links at most, and 32 cycles are more than they have in an interval.

// CHECK: pipeline @main on target degree: error: core @core0 must send for 32 cycles of a link an image, and no place has more than 2 links, for 10 cycles each
cmpipe.pipeline @main on #cmpipe.target<name = "degree", cores = 3, topology = "chain", reach = 1, link_bytes_per_cycle = 1.0> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.object @d : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @s0 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@s0]
  cmpipe.stage @s1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@s1]
  cmpipe.stage @s2 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 runs [@s2]
}

// -----

// Two links would be enough for 16 cycles, and a way is one link.

// CHECK: pipeline @main on target capacity: error: in the best placement found, link core {{\d}} -> core {{\d}} would be taken for 16 cycles an image, and an interval has 10: 16 for @{{[bc]}} from @{{s0|s1}} to @{{s1|s2}}
cmpipe.pipeline @main on #cmpipe.target<name = "capacity", cores = 3, topology = "chain", reach = 1, link_bytes_per_cycle = 2.0> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.object @d : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @s0 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@s0]
  cmpipe.stage @s1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@s1]
  cmpipe.stage @s2 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 runs [@s2]
}

// -----

// CHECK: pipeline @main on target unreachable: error: no places were found with a way from core @core{{\d}} to core @core{{\d}} for @{{[bc]}} from @{{s0|s1}} to @{{s1|s2}}: too few cores of the target reach each other
cmpipe.pipeline @main on #cmpipe.target<name = "unreachable", cores = 4, topology = "edges", edges = [[0, 1], [2, 3]]> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.object @d : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @s0 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@s0]
  cmpipe.stage @s1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@s1]
  cmpipe.stage @s2 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 runs [@s2]
}

// -----

// Where places make no difference, links have their limits, too.

// CHECK: pipeline @main on target bus: error: in the best placement found, the bus would be taken for 16 cycles an image, and an interval has 10: 8 for @b from @s0 to @s1, 8 for @c from @s1 to @s2
cmpipe.pipeline @main on #cmpipe.target<name = "bus", cores = 3, topology = "bus", link_bytes_per_cycle = 4.0> {
  cmpipe.object @a : memref<8xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.object @c : memref<8xvector<1xf32>>
  cmpipe.object @d : memref<8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.stage @s0 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@s0]
  cmpipe.stage @s1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @c #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core1 runs [@s1]
  cmpipe.stage @s2 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    %v = cmpipe.read @c #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>
    cmpipe.write %v, @d #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
  }
  cmpipe.core @core2 runs [@s2]
}
