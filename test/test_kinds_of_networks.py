# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Small networks of the kinds that people bring: readers of text in images, encoders of tokens."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.proof.chip import prove
from cmc.reference import Reference
from cmc.simulator import chip_of
from end_to_end import assert_close, assert_same
from host_models import model
from onnx_models import Array, normal

READER = """
reader (float[N, 1, 16, 20] image) => (float[N, 10, 7] letters, float[N, 1, 16, 20] places) {
  zero = Constant <value_float: float = 0.0> ()
  half = Constant <value_float: float = 0.5> ()
  one = Constant <value_float: float = 1.0> ()
  root = Constant <value_float: float = 1.41421356> ()
  scales = Constant <value_floats: floats = [1.0, 1.0, 2.0, 2.0]> ()
  no_roi = Constant <value: tensor = float[0] {}> ()
  stem = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (image, w_stem, b_stem)
  stem_divided = Div (stem, root)
  stem_erf = Erf (stem_divided)
  stem_gate = Add (stem_erf, one)
  stem_product = Mul (stem, stem_gate)
  early = Mul (stem_product, half)
  deep = Conv <pads = [1, 1, 1, 1], strides = [2, 2], group = 2> (early, w_deep)
  deep_gate = HardSigmoid <alpha: float = 0.1666667> (deep)
  late = Mul (deep, deep_gate)
  up = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric",
               nearest_mode = "floor"> (late, no_roi, scales)
  both = Concat <axis = 1> (early, up)
  head = ConvTranspose <strides = [2, 2]> (both, w_head, b_head)
  places = Sigmoid (head)
  rows = AveragePool <kernel_shape = [8, 1]> (early)
  sequence = Squeeze (rows, axis_two)
  by_step = Transpose <perm = [0, 2, 1]> (sequence)
  scores = MatMul (by_step, w_letters)
  letters = Softmax <axis: int = 2> (scores)
}
"""

ENCODER = """
encoder (int64[N, 6] tokens, int64[N, 6] mask) => (float[N, 6, 8] hidden, float[N, 3] classes) {
  one = Constant <value_float: float = 1.0> ()
  lowest = Constant <value_float: float = -10000.0> ()
  words = Gather (w_words, tokens)
  embedded = Add (words, w_positions)
  normed = LayerNormalization (embedded, s_first, b_first)
  float_mask = Cast <to = 1> (mask)
  wide_mask = Unsqueeze (float_mask, axes_one_two)
  masked = Sub (one, wide_mask)
  bias = Mul (masked, lowest)
  LAYERS
  first_token = Gather <axis = 1> (hidden, index_zero)
  pooled_product = Gemm (first_token, w_pool, b_pool)
  pooled = Tanh (pooled_product)
  classes = MatMul (pooled, w_classes)
}
"""

LAYER = """
  q0_L = MatMul (IN, w_q_L)
  k0_L = MatMul (IN, w_k_L)
  v0_L = MatMul (IN, w_v_L)
  q1_L = Reshape (q0_L, heads)
  k1_L = Reshape (k0_L, heads)
  v1_L = Reshape (v0_L, heads)
  q_L = Transpose <perm = [0, 2, 1, 3]> (q1_L)
  k_L = Transpose <perm = [0, 2, 3, 1]> (k1_L)
  v_L = Transpose <perm = [0, 2, 1, 3]> (v1_L)
  qk_L = MatMul (q_L, k_L)
  scaled_L = Div (qk_L, root_of_four)
  biased_L = Add (scaled_L, bias)
  weights_L = Softmax <axis: int = -1> (biased_L)
  mixed_L = MatMul (weights_L, v_L)
  turned_L = Transpose <perm = [0, 2, 1, 3]> (mixed_L)
  joined_L = Reshape (turned_L, together)
  attended0_L = MatMul (joined_L, w_o_L)
  attended1_L = Add (attended0_L, IN)
  attended_L = LayerNormalization (attended1_L, s_a_L, b_a_L)
  wide0_L = MatMul (attended_L, w_up_L)
  wide1_L = Add (wide0_L, b_up_L)
  wide2_L = Div (wide1_L, root_of_two)
  wide3_L = Erf (wide2_L)
  wide4_L = Add (wide3_L, one)
  wide_L = Mul (wide1_L, wide4_L)
  narrow_L = MatMul (wide_L, w_down_L)
  sum_L = Add (narrow_L, attended_L)
  OUT = LayerNormalization (sum_L, s_f_L, b_f_L)
"""

Shapes = Mapping[str, tuple[int, ...]]


def parsed(text: str, shapes: Shapes, others: Mapping[str, Array]) -> onnx.ModelProto:
    """A model of the text with normally distributed weights of some shapes."""
    weights = {
        name: normal(*shape, seed=seed) / np.float32(np.prod(shape[1:] or (1,)) ** 0.5)
        for seed, (name, shape) in enumerate(shapes.items())
    }
    return model(text, {**weights, **others})


def reader() -> onnx.ModelProto:
    """Of an image the probability of each of seven letters, column by column, and where text is."""
    shapes: Shapes = {
        "w_stem": (6, 1, 3, 3),
        "b_stem": (6,),
        "w_deep": (8, 3, 3, 3),
        "w_head": (14, 1, 2, 2),
        "b_head": (1,),
        "w_letters": (6, 7),
    }
    return parsed(READER, shapes, {"axis_two": np.array([2])})


def encoder(layers: int) -> onnx.ModelProto:
    """A transformer's encoder: token ids and a mask in, two heads of four, its classes out."""
    shapes: dict[str, tuple[int, ...]] = {
        "w_words": (11, 8),
        "w_positions": (6, 8),
        "s_first": (8,),
        "b_first": (8,),
        "w_pool": (8, 8),
        "b_pool": (8,),
        "w_classes": (8, 3),
    }
    text = ""
    for layer in range(layers):
        name = "normed" if layer == 0 else f"hidden{layer}"
        out = "hidden" if layer == layers - 1 else f"hidden{layer + 1}"
        body = LAYER.replace("IN", name).replace("OUT", out).replace("_L", f"_{layer}")
        text += body
        shapes |= {f"w_{one}_{layer}": (8, 8) for one in "qkvo"}
        shapes |= {f"{one}_{layer}": (8,) for one in ("s_a", "b_a", "s_f", "b_f")}
        shapes |= {f"w_up_{layer}": (8, 16), f"b_up_{layer}": (16,), f"w_down_{layer}": (16, 8)}
    others = {
        "axes_one_two": np.array([1, 2]),
        "heads": np.array([0, 0, 2, 4]),
        "together": np.array([0, 0, 8]),
        "root_of_four": np.array(2, np.float32),
        "root_of_two": np.array(2**0.5, np.float32),
        "index_zero": np.array(0),
    }
    return parsed(ENCODER.replace("LAYERS", text), shapes, others)


def check(
    network: onnx.ModelProto,
    inputs: Mapping[str, NDArray[np.float32]],
    target: str,
    buffers: BufferPolicy,
) -> None:
    """The chip is proved, both of its modes agree, and somebody else computes the same."""
    program = cmc.compile(network, buffers=buffers, target=target)
    prove(chip_of(program.module))
    result = program.run(inputs)
    assert_close(result.outputs, Reference(network)(inputs))
    assert_same(program.run(inputs, mode="interpret"), result)


WAYS = pytest.mark.parametrize(
    ("target", "buffers"), [("ideal", "throughput"), ("ideal", "minimal"), ("pcm-64", "throughput")]
)


@WAYS
def test_a_reader_of_text(target: str, buffers: BufferPolicy):
    check(reader(), {"image": normal(3, 1, 16, 20)}, target, buffers)


@WAYS
def test_an_encoder_of_tokens(target: str, buffers: BufferPolicy):
    draw = np.random.default_rng(0)
    tokens = draw.integers(0, 11, (3, 6)).astype(np.float32)
    mask = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]], np.float32)
    check(encoder(2), {"tokens": tokens, "mask": mask}, target, buffers)
