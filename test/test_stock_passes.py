# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Chips and pipelines in the hands of xDSL's own passes, and of other people's placements."""

from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects import affine
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.transforms.canonicalize import CanonicalizePass
from xdsl.transforms.common_subexpression_elimination import CommonSubexpressionElimination
from xdsl.transforms.dead_code_elimination import DeadCodeElimination
from xdsl.transforms.lower_affine import LowerAffinePass

import cmc
from cmc.api import make_context
from cmc.compiler.pass_list import parse_passes
from cmc.diagnostics import verify_module
from cmc.dialects.cmpipe import CoreOp, MxvOp, PipelineOp, ReadOp, StageOp, WriteOp
from cmc.files.parsing import parse_file
from cmc.importer import import_model
from cmc.passes import get_all_passes
from cmc.proof.chip import prove
from cmc.simulator import Mode, Result, chip_of, simulate

DIGITS = Path(__file__).parent.parent / "examples" / "digits" / "digits.onnx"
IMAGES = np.random.default_rng(0).standard_normal((2, 1, 8, 8), np.float32)


def run(module: ModuleOp, passes: str) -> ModuleOp:
    for one in parse_passes(get_all_passes(), passes):
        one.apply(make_context(), module)
    return module


def checked(module: ModuleOp, mode: Mode = "bulk") -> Result:
    """What a chip does, once it verifies and is proved."""
    verify_module(module)
    prove(chip_of(module))
    return simulate(module, {"image": IMAGES}, mode)


def same(one: Result, other: Result) -> bool:
    outputs = zip(one.outputs.values(), other.outputs.values(), strict=True)
    return one.cycles == other.cycles and all(np.allclose(a, b, atol=1e-5) for a, b in outputs)


@pytest.mark.parametrize(
    "passes",
    [
        (LowerAffinePass(),),
        (CommonSubexpressionElimination(),),
        (LowerAffinePass(), CanonicalizePass(), CommonSubexpressionElimination()),
    ],
)
@pytest.mark.parametrize("mode", ["bulk", "interpret"])
def test_a_chip_stays_a_chip(passes: tuple[ModulePass, ...], mode: Mode):
    module = cmc.compile(DIGITS).module
    before = checked(module, mode)
    assert any(isinstance(op, affine.ForOp) for op in module.walk())
    for one in passes:
        one.apply(make_context(), module)
    lowered = isinstance(passes[0], LowerAffinePass)
    assert any(isinstance(op, affine.ForOp) for op in module.walk()) != lowered
    assert same(checked(module, mode), before)


@pytest.mark.parametrize("mode", ["bulk", "interpret"])
def test_several_stages_run_on_one_core(mode: Mode):
    """Each stage without a crossbar joins the core of the stage before it."""
    module = run(import_model(DIGITS), "nn-canonicalize,nn-fold-batch-norm,convert-nn-to-cmpipe")
    down = "cmpipe-derive-control,cmpipe-size-buffers,convert-cmpipe-to-cmctrl"
    apart = checked(run(module.clone(), down), mode)
    (pipeline,) = (op for op in module.walk() if isinstance(op, PipelineOp))
    cores: list[list[str]] = []
    for stage in pipeline.stages():
        if not cores or any(isinstance(op, MxvOp) for op in stage.computed()):
            cores.append([])
        cores[-1].append(stage.sym_name.data)
    for core in list(pipeline.cores()):
        core.detach()
        core.erase()
    pipeline.body.block.add_ops([CoreOp(f"core{i}", stages) for i, stages in enumerate(cores)])
    together = checked(run(module, down), mode)
    assert same(together, apart)
    running = [len(core.programs) for core in together.report.cores[1:]]
    assert sum(running) == len(apart.report.cores) - 1 and max(running) > 1


BODY = """
cmpipe.pipeline @p {
  cmpipe.object @a : memref<8xvector<2xf32>>
  cmpipe.object @b : memref<8xvector<2xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x8xf32>
  cmpipe.stage @s in #poly.set<"{ [w] : 0 <= w < 8 }"> {
    cmpipe.crossbar @m #nn.weights<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %one = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
    %same = cmpipe.read @a #poly.map<"{ [i, j] -> [i, j] : 0 <= 1 }"> : vector<2xf32>
    %unused = cmpipe.read @a #poly.map<"{ [w, c] -> [w + 1, c] }"> : vector<2xf32>
    %y = cmpipe.mxv @m %one : vector<2xf32> -> vector<2xf32>
    %z = cmpipe.mxv @m %same : vector<2xf32> -> vector<2xf32>
    %sum = arith.addf %y, %z : vector<2xf32>
    cmpipe.write %sum, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
  }
}
"""


def counts(stage_of: ModuleOp) -> tuple[int, int, int]:
    """Reads, products and writes."""
    verify_module(stage_of)
    (stage,) = (op for op in stage_of.walk() if isinstance(op, StageOp))
    kinds = (ReadOp, MxvOp, WriteOp)
    reads, products, writes = (sum(isinstance(o, k) for o in stage.computed()) for k in kinds)
    return reads, products, writes


def test_bodies_lose_what_is_unused_and_what_is_there_twice():
    module = parse_file(make_context(), BODY, "body.mlir")
    assert counts(module) == (3, 2, 1)
    DeadCodeElimination().apply(make_context(), module)
    assert counts(module) == (2, 2, 1)
    CommonSubexpressionElimination().apply(make_context(), module)
    assert counts(module) == (1, 1, 1)


DIAGONALS = """
cmpipe.pipeline @main {
  cmpipe.object @a : memref<4x6xvector<1xf32>>
  cmpipe.object @b : memref<4x6xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x4x6xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x4x6xf32>
  cmpipe.stage @sum in #poly.set<"{ [h, w] : 0 <= h < 4 and 0 <= w < 6 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, k, c] -> [h, w + k - 1, c] }"> : vector<3x1xf32>
    %y = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>
    cmpipe.write %y, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@sum]
}
"""


@pytest.mark.parametrize("mode", ["bulk", "interpret"])
def test_loops_whose_bounds_depend_on_others_are_lowered(mode: Mode):
    module = parse_file(make_context(), DIAGONALS, "diagonals.mlir")
    order = 'cmpipe-reorder-stage{schedule="{ [h, w] -> [h + w, h] }"}'
    run(module, f"{order},cmpipe-derive-control,cmpipe-size-buffers,convert-cmpipe-to-cmctrl")
    x = np.random.default_rng(0).standard_normal((3, 1, 4, 6), np.float32)
    results: list[Result] = []
    for _ in range(2):
        verify_module(module)
        prove(chip_of(module))
        results.append(simulate(module, {"x": x}, mode))
        LowerAffinePass().apply(make_context(), module)
    assert not any(isinstance(op, affine.ForOp | affine.ApplyOp) for op in module.walk())
    padded = np.pad(x, [(0, 0), (0, 0), (0, 0), (1, 1)])
    expected = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
    for result in results:
        np.testing.assert_allclose(result.outputs["y"], expected, rtol=1e-5, atol=1e-6)
    assert results[0].cycles == results[1].cycles
