# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Bodies that take vectors together: products of several vectors, and joined ones."""

import numpy as np
import pytest

import cmc
from cmc.api import make_context
from cmc.compiler.pass_list import parse_passes
from cmc.diagnostics import verify_module
from cmc.files.parsing import parse_file
from cmc.passes import get_all_passes
from cmc.proof.chip import prove
from cmc.simulator import Mode, chip_of, simulate
from cmc.simulator.pipeline import pipeline_of

# Each iteration w of 6 reads a[w], a[w + 1], all of a backwards, and pairs from the padding on.
STAGE = """
cmpipe.pipeline @p {{
  cmpipe.object @a : memref<6xvector<4xf32>>
  cmpipe.object @b : memref<6xvector<{length}xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{{ [n, c, w] -> [w, c] }}"> : tensor<1x4x6xf32>
  cmpipe.output "y" @b #poly.map<"{{ [n, c, w] -> [w, c] }}"> : tensor<1x{length}x6xf32>
  cmpipe.stage @s in #poly.set<"{{ [w] : 0 <= w < 6 }}"> {{
    cmpipe.crossbar @m {matrix}
    %one = cmpipe.read @a #poly.map<"{{ [w, c] -> [w, c] }}"> : vector<4xf32>
    %next = cmpipe.read @a #poly.map<"{{ [w, c] -> [w + 1, c] }}"> pad 9.0 : vector<4xf32>
    %all = cmpipe.read @a #poly.map<"{{ [w, k, c] -> [5 - k, 3 - c] }}"> : vector<6x4xf32>
    %two = cmpipe.read @a #poly.map<"{{ [w, k, c] -> [w + k - 1, c] : 0 <= c }}"> : vector<2x4xf32>
    %half = cmpipe.read @a #poly.map<"{{ [w, c] -> [w, 2*floor(c/2)] }}"> : vector<2xf32>
    cmpipe.object @held #nn.weights<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]>
      : memref<2xvector<4xf32>>
    %k = cmpipe.constant #nn.weights<[0.5, 0.25]> : vector<2xf32>
{body}
  }}
  cmpipe.core @core runs [@s]
}}
"""

MATRIX = (
    "#nn.weights<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0], [11.0, 12.0], "
    "[13.0, 14.0], [15.0, 16.0], [17.0, 18.0], [19.0, 20.0]]> : tensor<10x2xf32>"
)
M = np.arange(1.0, 21.0).reshape(10, 2)

BLOCKS = "#nn.weights<[[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]]> : tensor<3x2x1xf32>"
B = np.arange(1.0, 7.0)

X = np.random.default_rng(0).standard_normal((5, 4, 6), np.float32)

A = np.moveaxis(X, 1, 2)
"""`[images, places, channels]`."""

NEXT = np.concatenate([A[:, 1:], np.full((5, 1, 4), 9.0, np.float32)], 1)
TWO = np.stack([np.concatenate([np.zeros((5, 1, 4), np.float32), A[:, :-1]], 1), A], 2)
HALF = A[..., ::2].repeat(2, 2)[..., :2]
K = np.broadcast_to(np.array([0.5, 0.25], np.float32), (5, 6, 2))
HELD = np.arange(1.0, 9.0).reshape(2, 4)
ALL = np.broadcast_to(A[:, None, ::-1, ::-1], (5, 6, 6, 4))


def flat(*vectors: np.ndarray) -> np.ndarray:
    return np.concatenate([v.reshape(5, 6, -1) for v in vectors], 2)


def over() -> np.ndarray:
    """A vector over one that is held, over another: `[images, places, 2, 4]`."""
    w, c = np.arange(6)[:, None], np.arange(4)
    below = np.where(c < w, A, 7.0)
    held = np.full((6, 4), 7.0)
    held[1:3] = HELD
    shifted = np.concatenate([A[..., :2], A[..., :2]], 2)
    return np.stack([below, np.where(c < 2, held, shifted)], 2)


OVER = over()

CASES = {
    "a product of two and a constant": (
        """
    %y = cmpipe.mxv @m %one, %k, %next
      : vector<4xf32>, vector<2xf32>, vector<4xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
""",
        flat(A, K, NEXT) @ M,
    ),
    "a product of a constant": (
        """
    %v = cmpipe.constant #nn.weights<splat 0.5 shape [2, 5]> : vector<2x5xf32>
    %y = cmpipe.mxv @m %v : vector<2x5xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
""",
        np.full((5, 6, 10), 0.5) @ M,
    ),
    "a constant reduced": (
        """
    %y = cmpipe.reduce add %k : vector<2xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
""",
        K.sum(2, keepdims=True),
    ),
    "a product of a window and a vector": (
        """
    %y = cmpipe.mxv @m %half, %two : vector<2xf32>, vector<2x4xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
""",
        flat(HALF, TWO) @ M,
    ),
    "blocks from two vectors": (
        """
    %y = cmpipe.mxv @m %one, %half : vector<4xf32>, vector<2xf32> -> vector<3xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<3xf32>
""",
        (flat(A, HALF) * B).reshape(5, 6, 3, 2).sum(3),
    ),
    "one vector twice": (
        """
    %y = cmpipe.mxv @m %half, %one, %one
      : vector<2xf32>, vector<4xf32>, vector<4xf32> -> vector<2xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
""",
        flat(HALF, A, A) @ M,
    ),
    "joined and written": (
        """
    %y = cmpipe.join %one, %k, %next, %one
      : vector<4xf32>, vector<2xf32>, vector<4xf32>, vector<4xf32> -> vector<14xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<14xf32>
""",
        flat(A, K, NEXT, A),
    ),
    "windows joined and reduced": (
        """
    %twice = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, 3 - c] : c >= 0 }"> pad -1.0
      : vector<2x4xf32>
    %v = cmpipe.join %two, %twice : vector<2x4xf32>, vector<2x4xf32> -> vector<2x8xf32>
    %y = cmpipe.reduce add %v : vector<2x8xf32> -> vector<8xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<8xf32>
""",
        flat(
            TWO.sum(2),
            A[..., ::-1] + np.concatenate([A[:, 1:, ::-1], np.full((5, 1, 4), -1.0)], 1),
        ),
    ),
    "joined and joined again, products among them": (
        """
    %p = cmpipe.mxv @m %next, %half : vector<4xf32>, vector<2xf32> -> vector<3xf32>
    %q = cmpipe.mxv @m %k, %one : vector<2xf32>, vector<4xf32> -> vector<3xf32>
    %v = cmpipe.join %p, %q : vector<3xf32>, vector<3xf32> -> vector<6xf32>
    %s = arith.addf %one, %next : vector<4xf32>
    %u = cmpipe.join %half, %v, %s
      : vector<2xf32>, vector<6xf32>, vector<4xf32> -> vector<12xf32>
    cmpipe.write %u, @b #poly.map<"{ [w] -> [w] }"> : vector<12xf32>
""",
        flat(
            HALF,
            (flat(NEXT, HALF) * B).reshape(5, 6, 3, 2).sum(3),
            (flat(K, A) * B).reshape(5, 6, 3, 2).sum(3),
            A + NEXT,
        ),
    ),
    "slices of a window, and of what is joined": (
        """
    %s = cmpipe.slice %two from 1 : vector<2x4xf32> -> vector<2x2xf32>
    %v = cmpipe.join %one, %next : vector<4xf32>, vector<4xf32> -> vector<8xf32>
    %u = cmpipe.slice %v from 2 : vector<8xf32> -> vector<4xf32>
    %t = cmpipe.slice %u from 3 : vector<4xf32> -> vector<1xf32>
    %r = cmpipe.reduce add %s : vector<2x2xf32> -> vector<2xf32>
    %y = cmpipe.join %u, %r, %t
      : vector<4xf32>, vector<2xf32>, vector<1xf32> -> vector<7xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<7xf32>
""",
        flat(A[..., 2:], NEXT[..., :2], TWO[..., 1:3].sum(2), NEXT[..., 1:2]),
    ),
    "a window over a constant": (
        """
    %c = cmpipe.constant #nn.weights<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]>
      : vector<2x4xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k - 1, c] }"> over %c : vector<2x4xf32>
    %y = cmpipe.reduce add %v : vector<2x4xf32> -> vector<4xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
""",
        TWO.sum(2) + HELD[0] * (np.arange(6) == 0)[:, None],
    ),
    "a window over another, over what is held": (
        """
    %o = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] : k = 0 and c < w }"> pad 7.0
      : vector<2x4xf32>
    %u = cmpipe.read @held #poly.map<"{ [w, k, c] -> [w - 1, c] : k = 1 }"> over %o
      : vector<2x4xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w, c - 2] : k = 1 }"> over %u
      : vector<2x4xf32>
    %y = cmpipe.join %v, %v : vector<2x4xf32>, vector<2x4xf32> -> vector<2x8xf32>
    %z = cmpipe.mxv @m %half, %v : vector<2xf32>, vector<2x4xf32> -> vector<2xf32>
    %r = cmpipe.reduce add %y : vector<2x8xf32> -> vector<4xf32>
    %all_of_it = cmpipe.join %r, %z : vector<4xf32>, vector<2xf32> -> vector<6xf32>
    cmpipe.write %all_of_it, @b #poly.map<"{ [w] -> [w] }"> : vector<6xf32>
""",
        flat(OVER.reshape(5, 6, 2, 4).sum(2) * 2, flat(HALF, OVER) @ M),
    ),
    "what is under is used as well": (
        """
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w + 4, c] }"> over %one : vector<4xf32>
    %y = cmpipe.join %v, %one : vector<4xf32>, vector<4xf32> -> vector<8xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<8xf32>
""",
        flat(np.concatenate([A[:, 4:], A[:, 2:]], 1), A),
    ),
    "a window over another is written": (
        """
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w + 4, c] }"> over %next : vector<4xf32>
    cmpipe.write %v, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
""",
        np.concatenate([A[:, 4:], NEXT[:, 2:]], 1),
    ),
    "all of an object joined to itself": (
        """
    %v = cmpipe.join %all, %all : vector<6x4xf32>, vector<6x4xf32> -> vector<6x8xf32>
    %y = cmpipe.reduce max %v : vector<6x8xf32> -> vector<8xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<8xf32>
""",
        flat(ALL.max(2), ALL.max(2)),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["bulk", "interpret"])
def test_vectors_are_taken_together(case: str, mode: Mode):
    body, expected = CASES[case]
    matrix = BLOCKS if "vector<3xf32>" in body else MATRIX
    text = STAGE.format(body=body, length=expected.shape[2], matrix=matrix)
    module = parse_file(make_context(), text, "joined.mlir")
    verify_module(module)
    expected = np.moveaxis(expected, 2, 1)
    computed = cmc.Pipeline(pipeline_of(module)).run({"x": X})
    assert np.allclose(computed["y"], expected, atol=1e-4)
    passes = "cmpipe-derive-control,cmpipe-size-buffers,convert-cmpipe-to-cmctrl"
    for one in parse_passes(get_all_passes(), passes):
        one.apply(make_context(), module)
    prove(chip_of(module))
    assert np.allclose(simulate(module, {"x": X}, mode).outputs["y"], expected, atol=1e-4)
