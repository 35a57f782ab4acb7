# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Every level runs, and computes the same: networks in ONNX are in the tests of each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.interpreter import Interpreter, InterpreterFunctions
from xdsl.interpreters.func import FuncFunctions

import cmc
from cmc.api import load_level, make_context
from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.semantics.elementwise import ELEMENTWISE
from cmc.semantics.functions import NnFunctions
from cmc.semantics.operators import OPERATORS
from cmc.semantics.stages import STAGES
from cmc.semantics.views import VIEWS
from cmc.simulator.functions import CmctrlFunctions, CmpipeFunctions
from conftest import RunTool

Array = NDArray[np.float32]

HERE = Path(__file__).parent
LEVELS = {"nn": cmc.Network, "cmpipe": cmc.Pipeline, "cmctrl": cmc.Program}


def test_every_operator_has_one_entry():
    forms = [*ELEMENTWISE, *STAGES, *VIEWS]
    assert len(forms) == len(set(forms))
    others = {nn.HostOp, nn.InterfaceOp, nn.RecurrenceOp, nn.YieldOp}
    assert OPERATORS.keys() == set(nn.Nn.operations) - others


# The two 1-D convolutions, written by hand at each level.


def by_hand(level: str) -> Path:
    return HERE / "two_convolutions" / f"{level}.mlir"


@pytest.fixture
def x() -> Array:
    return np.random.default_rng(0).standard_normal((5, 1, 10), np.float32)


@pytest.fixture
def y(x: Array) -> Array:
    """Both convolutions of each image."""
    once = [np.convolve(image[0], [3.0, 2.0, 1.0], "valid") for image in x]
    return np.stack([np.convolve(row, [6.0, 5.0, 4.0], "valid")[None] for row in once])


@pytest.mark.parametrize("level", LEVELS)
def test_a_file_of_any_level_is_loaded_and_run(level: str, x: Array, y: Array):
    loaded = load_level(by_hand(level))
    assert isinstance(loaded, LEVELS[level])
    assert loaded.inputs == {"x": (1, 10)}
    assert loaded.outputs == {"y": (1, 6)}
    result = loaded.run({"x": x})
    outputs = result.outputs if isinstance(result, cmc.Result) else result
    np.testing.assert_allclose(outputs["y"], y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
def test_a_file_of_any_level_is_run_by_the_tool(
    level: str, x: Array, y: Array, tmp_path: Path, run_tool: RunTool
):
    np.savez(tmp_path / "in.npz", x=x)
    arguments = ["--input", tmp_path / "in.npz", "-o", tmp_path / "out.npz"]
    run = run_tool("cmc", "run", by_hand(level), *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    with np.load(tmp_path / "out.npz") as outputs:
        np.testing.assert_allclose(outputs["y"], y, rtol=1e-5, atol=1e-5)
    said = "91 cycles" if level == "cmctrl" else "5 images computed; this is no chip yet"
    assert said in run.stdout


@pytest.mark.parametrize(
    ("level", "passes"),
    [
        ("nn", "nn-canonicalize"),
        ("cmpipe", "nn-fold-batch-norm,convert-nn-to-cmpipe"),
    ],
)
def test_levels_above_a_chip_are_checked_against_the_model(
    level: str, passes: str, digits: Path, tmp_path: Path, run_tool: RunTool
):
    module = tmp_path / f"{level}.mlir"
    run_tool("cmc-opt", digits, "-p", passes, "-o", module)
    arguments = ["--random", "1", "--images", "3", "--check", "--model", digits]
    run = run_tool("cmc", "run", module, *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    assert "  scores: " in run.stdout


@pytest.mark.parametrize("arguments", [["--timing"], ["--random=1", "--mode=interpret"]])
@pytest.mark.parametrize("level", ["nn", "cmpipe"])
def test_only_a_chip_takes_time(level: str, arguments: list[str], run_tool: RunTool):
    run = run_tool("cmc", "run", by_hand(level), *arguments)
    assert run.returncode == 1
    assert "this is no chip, and takes no time" in run.stderr
    assert run.stderr.count("\n") == 1


Functions = Callable[[], InterpreterFunctions]


@pytest.mark.parametrize(
    ("level", "functions"),
    [("cmpipe", CmpipeFunctions), ("cmctrl", CmctrlFunctions)],
)
def test_streams_in_an_interpreter_of_xdsl(level: str, functions: Functions, x: Array, y: Array):
    interpreter = Interpreter(parse(by_hand(level).read_bytes()))
    interpreter.register_implementations(functions())
    (found,) = interpreter.call_op("two_convolutions", (x,))
    np.testing.assert_allclose(found, y, rtol=1e-5, atol=1e-5)


def test_operators_in_an_interpreter_of_xdsl(x: Array, y: Array):
    interpreter = Interpreter(parse(by_hand("nn").read_bytes()))
    interpreter.register_implementations(NnFunctions())
    interpreter.register_implementations(FuncFunctions())
    (found,) = interpreter.call_op("two_convolutions", (x[:1],))
    np.testing.assert_allclose(found, y[:1], rtol=1e-5, atol=1e-5)


def parse(text: bytes) -> ModuleOp:
    return parse_file(make_context(), text, "test.mlir")


# What is written by hand, and cannot be run.

TENSORS = "tensor<1x2xf32>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"func.func @f() -> {TENSORS}", "or one named @main, and found 0"),
        ("func.func @f() { func.return }", "takes no input, or returns no output"),
        (
            f"func.func @f(%x : {TENSORS}) -> {TENSORS} {{\n"
            f"  %y = arith.negf %x : {TENSORS}\n  func.return %y : {TENSORS}\n}}",
            "2:3: 'arith.negf' op is no operator of nn",
        ),
        (
            "cmpipe.pipeline @p {\n  cmpipe.object @a : memref<2xvector<1xf32>>\n  cmpipe.input"
            ' @s "x" @a #poly.map<"{ [n, w] -> [w, 0] }"> : tensor<1x2xf32>\n}',
            "1:1: 'cmpipe.pipeline' op has no input, or no output",
        ),
    ],
)
def test_what_is_not_complete(tmp_path: Path, text: str, message: str):
    path = tmp_path / "module.mlir"
    path.write_text(text)
    with pytest.raises(CmcError) as error:
        load_level(path)
    assert message in f"{error.value.where}: {error.value.message}"


def test_functions_may_call_others(tmp_path: Path):
    path = tmp_path / "module.mlir"
    path.write_text(
        f"""
        func.func private @twice(%x : {TENSORS}) -> {TENSORS} {{
          %y = nn.add %x, %x : ({TENSORS}, {TENSORS}) -> {TENSORS}
          func.return %y : {TENSORS}
        }}
        func.func @main(%x : {TENSORS}) -> {TENSORS} {{
          %y = func.call @twice(%x) : ({TENSORS}) -> {TENSORS}
          %z = func.call @twice(%y) : ({TENSORS}) -> {TENSORS}
          func.return %z : {TENSORS}
        }}
        """
    )
    network = load_level(path)
    assert isinstance(network, cmc.Network)
    x = np.array([[1, 2], [3, 4]], np.float32)
    np.testing.assert_array_equal(network.run({"input0": x})["output0"], 4 * x)
