# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Matrices cut to crossbars: what is computed stays the same, and how many crossbars it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import islpy as isl
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cmc.api import Pipeline, make_context
from cmc.compiler.standard import BufferPolicy
from cmc.diagnostics import verify_module
from cmc.dialects.cmpipe import CrossbarOp, PipelineOp, TargetAttr
from cmc.dialects.poly import MapAttr
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.importer import import_model
from cmc.passes.cmpipe_tile_crossbars import tile
from cmc.simulator.pipeline import pipeline_of
from cmc.streams import random_stream
from cmc.targets import Target
from conftest import examples, find_trained
from end_to_end import assert_close, assert_same, compile_with, lower
from networks import Network, networks, random_inputs, reference

IMAGES = 4
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def imported(model: Path | onnx.ModelProto) -> ModuleOp:
    """A network as a pipeline whose matrices are whole."""
    module = import_model(model)
    lower(module, "nn-canonicalize", "nn-fold-batch-norm", "convert-nn-to-cmpipe")
    return module


def crossbars(pipeline: PipelineOp) -> Iterator[CrossbarOp]:
    for stage in pipeline.stages():
        for held in stage.held():
            if isinstance(held, CrossbarOp):
                yield held


def assert_fits(pipeline: PipelineOp, target: Target) -> None:
    """Every matrix fits a crossbar, and the matrices of every stage the crossbars of a core."""
    for crossbar in crossbars(pipeline):
        *blocks, rows, columns = crossbar.value.shape
        count = int(np.prod(blocks))
        assert target.rows is None or count * rows <= target.rows
        assert target.columns is None or count * columns <= target.columns
    for stage in pipeline.stages():
        assert sum(isinstance(held, CrossbarOp) for held in stage.held()) <= target.crossbars


def cut(module: ModuleOp, target: Target) -> PipelineOp:
    """Cut the matrices of a pipeline, which then verifies and fits."""
    pipeline = pipeline_of(module)
    pipeline.target = TargetAttr(target)
    tile(pipeline, target)
    verify_module(module)
    assert_fits(pipeline, target)
    return pipeline


def check(module: ModuleOp, target: Target) -> int:
    """Cut a pipeline: it computes what it did. How many crossbars it takes."""
    before = Pipeline(pipeline_of(module))
    inputs = random_stream(before.inputs, IMAGES, 1)
    expected = before.run(inputs)
    pipeline = cut(module, target)
    assert_close(Pipeline(pipeline).run(inputs), expected)
    return len(list(crossbars(pipeline)))


# Networks.

targets = st.builds(
    Target,
    name=st.just("random"),
    rows=st.integers(4, 20),
    columns=st.integers(4, 20),
    crossbars=st.integers(1, 8),
    issue_interval=st.integers(0, 3),
)


@examples(40)
@given(networks(), targets)
def test_networks_compute_the_same(network: Network, target: Target):
    check(imported(network.model), target)


@examples(20)
@given(networks(), targets)
def test_cores_of_very_many_crossbars(network: Network, target: Target):
    check(imported(network.model), replace(target, crossbars=4096, issue_interval=0))


@examples(16)
@given(networks(), targets, st.sampled_from(["minimal", "throughput"]))
def test_chips_of_small_crossbars(network: Network, target: Target, policy: BufferPolicy):
    """What is cut is compiled as any other pipeline: outputs, both modes, and the proof."""

    def put_target(pipeline: PipelineOp) -> None:
        pipeline.target = TargetAttr(target)

    program = compile_with(network.model, policy, {"convert-nn-to-cmpipe": put_target})
    inputs = random_inputs(network.model, IMAGES, seed=1)
    bulk = program.run(inputs)
    assert_close(bulk.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs, mode="interpret"), bulk)
    lower(program.module, "cmctrl-verify-control")


@pytest.mark.parametrize(("size", "count"), [(256, 36), (128, 59)])
def test_crossbars_of_a_residual_network(size: int, count: int):
    target = Target("one", rows=size, columns=size)
    assert check(imported(find_trained("resnet20_cifar")), target) == count


@pytest.mark.parametrize(("name", "count"), [("squeezenet", 108), ("shufflenet", 544)])
def test_crossbars_of_large_networks(name: str, count: int):
    """As many as rows and columns ask for; groups of convolutions lie side by side."""
    target = Target("many", rows=128, columns=128, crossbars=64, issue_interval=200)
    pipeline = cut(imported(LIGHT / f"light_{name}.onnx"), target)
    assert len(list(crossbars(pipeline))) <= count


# By hand.

Array = NDArray[np.float32]


def by_hand(
    shape: tuple[int, ...], domain: str, body: str, outputs: int, rank: int, vector: str = ""
) -> ModuleOp:
    """A pipeline of one stage that reads @a, of the given shape with its vectors last, and writes
    vectors of `outputs` floats to @b, which it has in the shape `vector`."""
    names = [f"i{d}" for d in range(rank)]
    extents = [int(extent) for extent in domain.split("x")]
    box = " and ".join(f"0 <= {n} < {e}" for n, e in zip(names, extents, strict=True))
    index = "x".join(map(str, shape[:-1]))
    dims = ", ".join(f"d{d}" for d in range(len(shape)))
    at = ", ".join(names)
    text = f"""
      cmpipe.pipeline @main {{
        cmpipe.object @a : memref<{index}xvector<{shape[-1]}xf32>>
        cmpipe.object @b : memref<{domain}xvector<{outputs}xf32>>
        cmpipe.input @in "x" @a #poly.map<"{{ [n, {dims}] -> [{dims}] }}">
          : tensor<1x{"x".join(map(str, shape))}xf32>
        cmpipe.output "y" @b #poly.map<"{{ [n, {at}, c] -> [{at}, c] }}">
          : tensor<1x{domain}x{outputs}xf32>
        cmpipe.stage @s in #poly.set<"{{ [{at}] : {box} }}"> {{
          {body}
          cmpipe.write %z, @b #poly.map<"{{ [{at}] -> [{at}] }}">
            : vector<{vector or outputs}xf32>
        }}
        cmpipe.core @core runs [@s]
      }}"""
    return parse_file(make_context(), text.encode(), "by_hand.mlir")


def weights(matrix: Array) -> str:
    """A matrix as the op that holds it."""
    shape = "x".join(map(str, matrix.shape))
    data = matrix.astype("<f4").tobytes().hex().upper()
    return (
        f'cmpipe.crossbar @m #nn.weights<hex "0x{data}" shape {list(matrix.shape)}>'
        f" : tensor<{shape}xf32>"
    )


def random_matrix(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def diagonal(*blocks: Array) -> Array:
    """Blocks on the diagonal of one matrix."""
    rows, columns = (sum(block.shape[axis] for block in blocks) for axis in (0, 1))
    matrix = np.zeros((rows, columns), np.float32)
    row = column = 0
    for block in blocks:
        matrix[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return matrix


WINDOW = """
  %v = cmpipe.read @a #poly.map<"{ [i0, i1, k, l, c] -> [2i0 + k - 1, i1 + 2l - 1, c] }"> pad PAD
    : vector<3x3x5xf32>
  %y = cmpipe.mxv @m %v : vector<3x3x5xf32> -> vector<7xf32>
"""
ADDED = """
  %b = cmpipe.constant #nn.weights<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]> : vector<7xf32>
  %r = cmpipe.read @a #poly.map<"{ [i0, i1, c] -> [i0, i1, c mod 5] }"> : vector<7xf32>
  %zero = arith.constant dense<0.0> : vector<7xf32>
  %s = arith.addf %y, %b : vector<7xf32>
  %t = arith.addf %s, %r : vector<7xf32>
  %z = arith.maximumf %t, %zero : vector<7xf32>
"""
CONSTANTS = """
  %k = cmpipe.read @k #poly.map<"{ [i0, i1, c] -> [i0, i1, c] }"> : vector<7xf32>
  %z = arith.mulf %y, %k : vector<7xf32>
"""
SOFTMAX = """
  %e = math.exp %y : vector<7xf32>
  %t = cmpipe.reduce add %e : vector<7xf32> -> vector<1xf32>
  %u = vector.broadcast %t : vector<1xf32> to vector<7xf32>
  %z = arith.divf %e, %u : vector<7xf32>
"""
POOLED = """
  %w = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0 + k, i1, c mod 5] }"> : vector<3x7xf32>
  %p = cmpipe.reduce max %w : vector<3x7xf32> -> vector<7xf32>
  %z = arith.addf %y, %p : vector<7xf32>
"""
RELU = """
  %u = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0 + k, i1, c] }"> : vector<9x5xf32>
  %zero = arith.constant dense<0.0> : vector<9x5xf32>
  %v = arith.maximumf %u, %zero : vector<9x5xf32>
  %z = cmpipe.mxv @m %v : vector<9x5xf32> -> vector<7xf32>
"""
SEVERAL = """
  %u = cmpipe.read @a #poly.map<"{ [i0, i1, k, l, c] -> [i0 + k, i1 + l, c] }"> : vector<2x3x5xf32>
  %v = cmpipe.read @a #poly.map<"{ [i0, i1, l, c] -> [i0, i1 - l, c] }"> : vector<3x5xf32>
  %z = cmpipe.mxv @m %u, %v : vector<2x3x5xf32>, vector<3x5xf32> -> vector<7xf32>
"""
JOINED = """
  %u = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0 + k, i1, c] }"> : vector<5x5xf32>
  %v = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0, i1 + k, c] }"> : vector<5x4xf32>
  %j = cmpipe.join %u, %v : vector<5x5xf32>, vector<5x4xf32> -> vector<5x9xf32>
  %z = cmpipe.mxv @m %j : vector<5x9xf32> -> vector<7xf32>
"""
SLICED = """
  %u = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0 + k, i1, c - 1] }"> : vector<9x7xf32>
  %q = arith.mulf %u, %u : vector<9x7xf32>
  %s = cmpipe.slice %q from 2 : vector<9x7xf32> -> vector<9x5xf32>
  %t = cmpipe.slice %q from 0 : vector<9x7xf32> -> vector<9x5xf32>
  %v = arith.addf %s, %t : vector<9x5xf32>
  %z = cmpipe.mxv @m %v : vector<9x5xf32> -> vector<7xf32>
"""
OVER = """
  %u = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0 + k, i1, c] : c < 3 }"> : vector<9x5xf32>
  %v = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0, i1, c] : c >= 3 or k > 6 }"> over %u
    : vector<9x5xf32>
  %z = cmpipe.mxv @m %v : vector<9x5xf32> -> vector<7xf32>
"""
TWICE = """
  %u = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0 + k, i1, c] }"> : vector<9x5xf32>
  %v = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0, i1 + k, c] }"> : vector<9x5xf32>
  %y = cmpipe.mxv @m %u : vector<9x5xf32> -> vector<7xf32>
  %x = cmpipe.mxv @m %v : vector<9x5xf32> -> vector<7xf32>
  %z = arith.mulf %x, %y : vector<7xf32>
"""
CONSTANT = f"cmpipe.object @k {weights(random_matrix(6, 7, 7)).split('@m ')[1].split(' :')[0]}"
BODIES = {
    "a convolution": WINDOW.replace("PAD", "0.5") + ADDED,
    "a constant that varies": f"{CONSTANT} : memref<6x7xvector<7xf32>>{WINDOW}{CONSTANTS}".replace(
        "PAD", "-1.0"
    ),
    "what needs all columns": WINDOW.replace("PAD", "0.0") + SOFTMAX,
    "a reduction": WINDOW.replace("PAD", "0.0") + POOLED,
    "what is computed first": RELU,
    "several windows": SEVERAL,
    "windows side by side": JOINED,
    "slices": SLICED,
    "a window over another": OVER,
    "two products": TWICE,
}


@pytest.mark.parametrize(
    ("rows", "columns", "crossbars"),
    [(16, 4, 1), (45, 2, 1), (10, 7, 2), (9, 2, 3), (4, 4, 64), (44, 64, 64)],
)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies(body: str, rows: int, columns: int, crossbars: int):
    module = by_hand((8, 9, 5), "6x7", weights(random_matrix(45, 7)) + body, 7, 2)
    target = Target("small", rows=rows, columns=columns, crossbars=crossbars)
    count = check(module, target)
    least = -(-45 // rows) * -(-7 // columns)
    assert count == least * (2 if body is TWICE else 1)


@pytest.mark.parametrize("crossbars", [1, 64])
def test_vectors_of_any_shape(crossbars: int):
    """Columns are cut from products that have more than one axis, too."""
    body = """
      %v = cmpipe.read @a #poly.map<"{ [i0, i1, k, c] -> [i0 + k, i1, c] }"> : vector<9x5xf32>
      %y = cmpipe.mxv @m %v : vector<9x5xf32> -> vector<4x2xf32>
      %z = math.exp %y : vector<4x2xf32>
    """
    module = by_hand((8, 9, 5), "6x7", weights(random_matrix(45, 8)) + body, 8, 2, "4x2")
    target = Target("small", rows=16, columns=4, crossbars=crossbars)
    assert check(module, target) == 6


def test_an_object_that_others_write_too():
    """Its vectors stay whole: a stage of its own puts the columns together."""
    stage = """
      cmpipe.stage @NAME in #poly.set<"{ [w] : 0 <= w < 4 }"> {
        MATRIX
        %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w + FIRST, c] }"> : vector<3xf32>
        %y = cmpipe.mxv @m %v : vector<3xf32> -> vector<6xf32>
        cmpipe.write %y, @b #poly.map<"{ [w] -> [w + FIRST] }"> : vector<6xf32>
      }
      cmpipe.core @NAME_core runs [@NAME]
    """
    stages = [
        stage.replace("NAME", name)
        .replace("FIRST", str(first))
        .replace("MATRIX", weights(random_matrix(3, 6)))
        for name, first in (("left", 0), ("right", 4))
    ]
    text = f"""
      cmpipe.pipeline @main {{
        cmpipe.object @a : memref<8xvector<3xf32>>
        cmpipe.object @b : memref<8xvector<6xf32>>
        cmpipe.input @in "x" @a #poly.map<"{{ [n, w, c] -> [w, c] }}"> : tensor<1x8x3xf32>
        cmpipe.output "y" @b #poly.map<"{{ [n, w, c] -> [w, c] }}"> : tensor<1x8x6xf32>
        {"".join(stages)}
      }}"""
    module = parse_file(make_context(), text.encode(), "by_hand.mlir")
    assert check(module, Target("small", rows=4, columns=4)) == 4


FILTERS = """
  %v = cmpipe.read @a #poly.map<"{ [i0, k, c] -> [i0 + k, c] }"> : vector<3x6xf32>
  %z = cmpipe.mxv @m %v : vector<3x6xf32> -> vector<6xf32>
"""
"""A window of three vectors, by whose places the rows of a matrix are ordered."""


def depthwise(matrix: Array) -> ModuleOp:
    """A convolution of six channels, from a matrix of 18 rows, channel by channel."""
    ordered = matrix.reshape(6, 3, 6).swapaxes(0, 1).reshape(18, 6)
    return by_hand((8, 6), "6", weights(ordered) + FILTERS, 6, 1)


@pytest.mark.parametrize(
    ("rows", "columns", "crossbars", "count"),
    [
        pytest.param(9, 4, 64, 2, id="three channels in each"),
        pytest.param(12, 2, 64, 3, id="two columns"),
        pytest.param(4, 4, 64, 6, id="one channel in each"),
        pytest.param(2, 4, 64, 9, id="rests side by side"),
        pytest.param(2, 4, 1, 9, id="rests side by side on cores of one crossbar"),
        pytest.param(2, 4, 3, 9, id="rests side by side on cores of three crossbars"),
        pytest.param(9, 4, 1, 2, id="three channels on each core"),
        pytest.param(12, 4, 1, 2, id="three of four channels on each core"),
    ],
)
def test_what_a_matrix_has_on_its_diagonal(rows: int, columns: int, crossbars: int, count: int):
    module = depthwise(diagonal(*(random_matrix(3, 1) + 1.5 for _ in range(6))))
    target = Target("small", rows=rows, columns=columns, crossbars=crossbars)
    assert check(module, target) == count


def test_columns_that_lie_among_each_other():
    """Then the matrix is cut as a whole."""
    matrix = diagonal(*(random_matrix(9, 3) + 3.5 for _ in range(2)))[:, [0, 3, 1, 4, 2, 5]]
    target = Target("small", rows=9, columns=6, crossbars=64)
    assert check(depthwise(matrix), target) == 2


def test_parts_of_different_sizes():
    """Then the matrix is cut as a whole, too."""
    matrix = diagonal(random_matrix(12, 2) + 3.5, random_matrix(6, 4) + 3.5)
    target = Target("small", rows=12, columns=4, crossbars=64)
    assert check(depthwise(matrix), target) == 4


@pytest.mark.parametrize("crossbars", [1, 64])
def test_rows_of_zeros_take_no_crossbar(crossbars: int):
    matrix = random_matrix(18, 6)
    matrix.reshape(6, 3, 6)[:, 1] = 0
    target = Target("small", rows=6, columns=6, crossbars=crossbars)
    assert check(depthwise(matrix), target) == 2


@pytest.mark.parametrize("crossbars", [1, 64])
def test_a_matrix_of_zeros(crossbars: int):
    target = Target("small", rows=6, columns=2, crossbars=crossbars)
    assert check(depthwise(np.zeros((18, 6), np.float32)), target) == 0


# What must not go unnoticed.


def chain() -> ModuleOp:
    """A convolution of 45 rows in five stages that add up."""
    body = weights(random_matrix(45, 7)) + WINDOW.replace("PAD", "0.5") + ADDED
    module = by_hand((8, 9, 5), "6x7", body, 7, 2)
    cut(module, Target("small", rows=10))
    return module


def swap_sums(pipeline: PipelineOp) -> None:
    """Let two stages write each the sum of the other."""
    one, other = (next(stage.writes()) for stage in list(pipeline.stages())[1:3])
    one.object, other.object = other.object, one.object


def skip_a_sum(pipeline: PipelineOp) -> None:
    """Add to the sum before the last one."""
    stages = list(pipeline.stages())
    before = next(stages[1].writes()).object
    read = next(read for read in stages[3].reads() if "sum" in read.object.string_value())
    read.object = before


def swap_rows(pipeline: PipelineOp) -> None:
    """Give two stages each the matrix of the other."""
    one, other = list(crossbars(pipeline))[1:3]
    one.properties["value"], other.properties["value"] = (
        other.properties["value"],
        one.properties["value"],
    )


def shift_rows(pipeline: PipelineOp) -> None:
    """Let a stage read the window beside its own."""
    reads = list(pipeline.stages())[2].reads()
    read = next(read for read in reads if read.object.string_value() == "a")
    beside = isl.Map("{ [h, w, c] -> [h, w + 1, c] }")
    read.access = MapAttr(read.access.data.apply_range(beside))


@pytest.mark.parametrize("change", [swap_sums, skip_a_sum, swap_rows, shift_rows])
def test_wrong_tiles_are_noticed(change: Callable[[PipelineOp], None]):
    module = chain()
    pipeline = pipeline_of(module)
    inputs = random_stream(Pipeline(pipeline).inputs, IMAGES, 1)
    expected = Pipeline(pipeline).run(inputs)
    change(pipeline)
    with pytest.raises((AssertionError, CmcError)):
        verify_module(module)
        assert_close(Pipeline(pipeline).run(inputs), expected)
