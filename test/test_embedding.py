# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The dialects without the rest of the compiler: lowered into from linalg, and edited by hand."""

from collections.abc import Sequence
from pathlib import Path

import islpy as isl
import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects import arith, func, tensor
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp, TensorType, VectorType, f32
from xdsl.dialects.linalg.ops import GenericOp, MatmulOp, YieldOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter
from xdsl.utils.hints import isa

from cmc.api import make_context
from cmc.compiler.pass_list import parse_passes
from cmc.diagnostics import verify_module
from cmc.dialects.cmpipe import (
    ChannelOp,
    CoreOp,
    CrossbarOp,
    InputOp,
    MxvOp,
    ObjectOp,
    OutputOp,
    PipelineOp,
    ReadOp,
    StageOp,
    WriteOp,
    object_type,
)
from cmc.dialects.nn.weights import WeightsAttr
from cmc.dialects.poly import MapAttr, SetAttr
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.passes import get_all_passes
from cmc.simulator import Mode, simulate
from cmc.simulator.faults import MissingElement, OverwrittenElement
from cmc.timing.flow import Deadlock
from conftest import FUZZ
from mutants import mutations

Array = NDArray[np.float32]

MODES: tuple[Mode, ...] = ("bulk", "interpret")
CONVOLUTIONS = Path(__file__).parent / "two_convolutions"
TO_CHIP = "cmpipe-derive-control,cmpipe-size-buffers{policy=minimal},convert-cmpipe-to-cmctrl"


def parse(text: str) -> ModuleOp:
    module = parse_file(make_context(), text.encode(), "test.mlir")
    verify_module(module)
    return module


def run_passes(module: ModuleOp, passes: str) -> ModuleOp:
    for one in parse_passes(get_all_passes(), passes):
        one.apply(make_context(), module)
        verify_module(module)
    return module


# Another compiler's program: linalg on tensors of rows. The last row is added to the first.

LINALG = """
#rows = affine_map<(i, j) -> (i, j)>
#upwards = affine_map<(i, j) -> (7 - i, j)>

func.func @main(%x: tensor<8x4xf32>) -> tensor<8x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0], [1.0, 1.0, 1.0]]>
    : tensor<4x3xf32>
  %empty = tensor.empty() : tensor<8x3xf32>
  %product = linalg.matmul
    ins(%x, %w : tensor<8x4xf32>, tensor<4x3xf32>) outs(%empty : tensor<8x3xf32>)
    -> tensor<8x3xf32>
  %y = linalg.generic
    {indexing_maps = [#rows, #upwards, #rows], iterator_types = ["parallel", "parallel"]}
    ins(%product, %product : tensor<8x3xf32>, tensor<8x3xf32>) outs(%empty : tensor<8x3xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %larger = arith.maximumf %a, %b : f32
    %sum = arith.addf %larger, %a : f32
    linalg.yield %sum : f32
  } -> tensor<8x3xf32>
  func.return %y : tensor<8x3xf32>
}
"""


class LinalgToPipeline(ModulePass):
    """Each product and each elementwise operation becomes a stage that goes through the rows."""

    name = "convert-linalg-to-cmpipe"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in list(op.ops):
            if isinstance(function, func.FuncOp):
                Rewriter.replace_op(function, pipeline_of(function))


ROWS = MapAttr.from_text("{ [n, i, j] -> [i, j] }")


def pipeline_of(function: func.FuncOp) -> PipelineOp:
    names: dict[SSAValue, str] = {v: f"x{i}" for i, v in enumerate(function.body.block.args)}
    ports: list[Operation] = [
        InputOp(f"{n}_stream", n, n, ROWS, batch_of_one(v)) for v, n in names.items()
    ]
    stages: list[StageOp] = []
    for op in function.body.block.ops:
        if isinstance(op, func.ReturnOp):
            result = op.arguments[0]
            ports.append(OutputOp("y", names[result], ROWS, batch_of_one(result)))
        elif isinstance(op, MatmulOp | GenericOp):
            names[op.results[0]] = f"rows{len(stages)}"
            lower = product if isinstance(op, MatmulOp) else elementwise
            stages.append(lower(op, f"stage{len(stages)}", names))
        else:
            assert isinstance(op, arith.ConstantOp | tensor.EmptyOp)
    objects = [ObjectOp(n, object_type((rows(v),), columns(v))) for v, n in names.items()]
    cores = [CoreOp(f"core{i}", [stage.sym_name.data]) for i, stage in enumerate(stages)]
    body = Region(Block([*objects, *ports, *stages, *cores]))
    return PipelineOp(function.sym_name.data, body)


def shape(value: SSAValue) -> tuple[int, ...]:
    assert isa(value.type, TensorType)
    return value.type.get_shape()


def rows(value: SSAValue) -> int:
    return shape(value)[0]


def columns(value: SSAValue) -> int:
    return shape(value)[1]


def batch_of_one(value: SSAValue) -> TensorType:
    return TensorType(f32, (1, *shape(value)))


def row_by_row(name: str, rows: int, body: list[Operation], target: str) -> StageOp:
    """A stage whose body computes a row of `target` at a time."""
    write = WriteOp(body[-1].results[0], target, MapAttr.from_text("{ [i] -> [i] }"))
    iterations = SetAttr.from_text(f"{{ [i] : 0 <= i < {rows} }}")
    return StageOp(name, iterations, Region(Block([*body, write])))


def product(op: Operation, name: str, names: dict[SSAValue, str]) -> StageOp:
    left, right = op.operands[:2]
    assert isinstance(right.owner, arith.ConstantOp)
    assert isinstance(right.owner.value, DenseIntOrFPElementsAttr)
    matrix = np.array(right.owner.value.get_values(), np.float32).reshape(shape(right))
    read = ReadOp(names[left], MapAttr.from_text("{ [i, k] -> [i, k] }"), (columns(left),))
    mxv = MxvOp("w", [read.window], columns(right))
    crossbar = CrossbarOp("w", WeightsAttr.from_array(matrix))
    return row_by_row(name, rows(left), [crossbar, read, mxv], names[op.results[0]])


def elementwise(op: Operation, name: str, names: dict[SSAValue, str]) -> StageOp:
    """Indexing maps are access relations as they are; the body works on rows of numbers."""
    assert isinstance(op, GenericOp)
    result = op.results[0]
    reads = [
        ReadOp(names[value], MapAttr(access_of(map.data)), (columns(result),))
        for value, map in zip(op.inputs, op.indexing_maps, strict=False)
    ]
    vectors: dict[SSAValue, SSAValue] = {
        element: read.window for element, read in zip(op.body.block.args, reads, strict=False)
    }
    body: list[Operation] = [*reads]
    for inner in op.body.block.ops:
        if not isinstance(inner, YieldOp):
            operands = [vectors[operand] for operand in inner.operands]
            row = type(inner).create(
                operands=operands, result_types=[VectorType(f32, [columns(result)])]
            )
            body.append(row)
            vectors[inner.results[0]] = row.results[0]
    return row_by_row(name, rows(result), body, names[result])


def access_of(indexing: AffineMap) -> isl.Map:
    dims = ", ".join(f"d{i}" for i in range(indexing.num_dims))
    return isl.Map(f"{{ [{dims}] -> [{', '.join(map(str, indexing.results))}] }}")


@pytest.mark.parametrize("mode", MODES)
def test_linalg_runs_on_cores(mode: Mode):
    module = parse(LINALG)
    LinalgToPipeline().apply(make_context(), module)
    verify_module(module)
    run_passes(module, TO_CHIP)
    x = np.random.default_rng(0).standard_normal((4, 8, 4), np.float32)
    w = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]], np.float32)
    result = simulate(module, {"x0": x}, mode)
    expected = x @ w
    expected = np.maximum(expected, expected[:, ::-1]) + expected
    np.testing.assert_allclose(result.outputs["y"], expected, rtol=1e-5)


def test_control_of_linalg_is_proved():
    module = parse(LINALG)
    LinalgToPipeline().apply(make_context(), module)
    run_passes(module, f"{TO_CHIP},cmctrl-verify-control")


# The two 1-D convolutions, written by hand at each level.


def convolve(x: Array) -> Array:
    """Both convolutions of a stream `[images, 1, 10]`."""
    once = [np.convolve(image[0], [3.0, 2.0, 1.0], "valid") for image in x]
    return np.stack([np.convolve(image, [6.0, 5.0, 4.0], "valid")[None] for image in once])


def two_convolutions(level: str) -> str:
    lines = (CONVOLUTIONS / f"{level}.mlir").read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("level", "passes"),
    [("nn", f"convert-nn-to-cmpipe,{TO_CHIP}"), ("cmpipe", TO_CHIP), ("cmctrl", "")],
)
def test_the_convolutions_compute_the_same_from_every_level(level: str, passes: str, mode: Mode):
    module = run_passes(parse(two_convolutions(level)), passes)
    x = np.random.default_rng(0).standard_normal((5, 1, 10), np.float32)
    result = simulate(module, {"x": x}, mode)
    np.testing.assert_allclose(result.outputs["y"], convolve(x), rtol=1e-5, atol=1e-5)
    assert result.cycles == 91


def test_what_the_second_convolution_waits_for():
    module = run_passes(parse(two_convolutions("cmpipe")), "cmpipe-derive-control")
    channels = [op for op in module.walk() if isinstance(op, ChannelOp)]
    computed = {channel.object.root_reference.data: channel.ready for channel in channels}["b"]
    assert computed == MapAttr.from_text("{ b[j] -> conv2[j - 2] : 2 <= j <= 7 }")


# Hand-edited control: a fault by name, never a wrong answer.

Edits = Sequence[tuple[str, str]]

READY = """cmctrl.machine ready @b from @conv1 to @conv2 {
      affine.for %j = 2 to 8 {
        cmctrl.await [%j]
        cmctrl.enable [%j - 2]
"""
WINDOW = '@b #poly.map<"{ [w, k, c] -> [w + k, c] }">'
STAGE = 'cmpipe.stage @conv2 in #poly.set<"{ [w] : 0 <= w < 6 }">'
SLOWLY = (STAGE, f"{STAGE} interval 4")
FREE = """cmctrl.machine free @b from @conv1 to @conv2 {
      affine.for %w = 0 to 5 {
        cmctrl.await [%w]
        cmctrl.release [%w]
"""

FAULTS: dict[str, tuple[Edits, type[CmcError], str]] = {
    "an enable too early": (
        [(READY, READY.replace("[%j - 2]", "[%j - 1]"))],
        MissingElement,
        "core @core1: cycle 9: @conv2[1] of image 0 reads @b[3], which was not written yet",
    ),
    "a missing enable": (
        [(READY, READY.replace("2 to 8", "2 to 7"))],
        Deadlock,
        "deadlock: @conv1[0] of image 1 waits for room in @b from @conv1 to @conv2; "
        "@conv2[5] of image 0 waits for data in @b from @conv1 to @conv2",
    ),
    "no enable at all": (
        [(READY, READY.replace("cmctrl.enable [%j - 2]", ""))],
        Deadlock,
        "deadlock: @conv2[0] of image 0 waits for data in @b from @conv1 to @conv2, "
        "which no step of its machine ever gives",
    ),
    "a window that reaches too far": (
        [(WINDOW, WINDOW.replace("w + k", "w + k + 1"))],
        MissingElement,
        "core @core1: cycle 8: @conv2[0] of image 0 reads @b[3], which was not written yet",
    ),
    "a window that reaches back": (
        [(WINDOW, WINDOW.replace("w + k", "w + k - 1"))],
        OverwrittenElement,
        "core @core1: cycle 10: @conv2[1] of image 0 reads @b[0], "
        "which was overwritten in its ring of 3 slots",
    ),
    "too many credits": (
        [SLOWLY, ("@b from @conv1 to @conv2 count 3", "@b from @conv1 to @conv2 count 4")],
        OverwrittenElement,
        "core @core1: cycle 12: @conv2[1] of image 0 reads @b[1], "
        "which was overwritten in its ring of 3 slots",
    ),
    "too few credits": (
        [("@b from @conv1 to @conv2 count 3", "@b from @conv1 to @conv2 count 2")],
        Deadlock,
        "deadlock: @conv1[2] of image 0 waits for room in @b from @conv1 to @conv2; "
        "@conv2[0] of image 0 waits for data in @b from @conv1 to @conv2",
    ),
    "a ring too small for its credits": (
        [("@b from @conv1 to @conv2 at 0 slots 3", "@b from @conv1 to @conv2 at 0 slots 2")],
        OverwrittenElement,
        "core @core1: cycle 8: @conv2[0] of image 0 reads @b[0], "
        "which was overwritten in its ring of 2 slots",
    ),
    "a release too early": (
        [SLOWLY, (FREE, FREE.replace("release [%w]", "release [%w + 1]"))],
        OverwrittenElement,
        "core @core1: cycle 12: @conv2[1] of image 0 reads @b[1], "
        "which was overwritten in its ring of 3 slots",
    ),
    "a missing release": (
        [("cmctrl.release [7]", "cmctrl.release [6]")],
        Deadlock,
        "deadlock: @conv1[2] of image 1 waits for room in @b from @conv1 to @conv2; "
        "@conv2[0] of image 1 waits for data in @b from @conv1 to @conv2",
    ),
}


def edited(edits: Edits) -> ModuleOp:
    text = two_convolutions("cmctrl")
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return parse(text)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", FAULTS)
def test_faults(what: str, mode: Mode):
    edits, fault, message = FAULTS[what]
    images = np.zeros((3, 1, 10), np.float32)
    with pytest.raises(fault) as raised:
        simulate(edited(edits), {"x": images}, mode)
    assert str(raised.value) == message


def outcome(module: ModuleOp, inputs: dict[str, Array], mode: Mode) -> tuple[str, Array]:
    try:
        result = simulate(module, inputs, mode)
    except CmcError as error:
        return f"{type(error).__name__}: {error}", np.zeros(0, np.float32)
    return f"{result.cycles} cycles", result.outputs["y"]


@pytest.mark.parametrize("order", ["", "cmpipe-reorder-stage{tile=3},"])
def test_both_modes_tell_the_same_of_every_small_change(order: str):
    module = run_passes(parse(two_convolutions("cmpipe")), order + TO_CHIP)
    inputs = {"x": np.random.default_rng(0).standard_normal((3, 1, 10), np.float32)}
    changes = list(mutations(module))
    for mutation in changes if FUZZ or not order else changes[::3]:
        mutant = mutation.of(module)
        try:
            verify_module(mutant)
        except CmcError:
            continue
        (bulk, expected), (interpret, got) = (outcome(mutant, inputs, mode) for mode in MODES)
        assert bulk == interpret, mutation
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5, err_msg=str(mutation))
