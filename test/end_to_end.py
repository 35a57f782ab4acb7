# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""From a model to a program, with changes on the way, and how programs are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cmc.api import Network, Pipeline, Program, Result, make_context
from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import BufferPolicy, standard_pipeline
from cmc.dialects.cmpipe import PipelineOp
from cmc.importer import import_model
from cmc.passes import get_all_passes
from cmc.reports.report import ProgramReport, Report
from cmc.simulator.pipeline import pipeline_of

Arrays = Mapping[str, NDArray[np.float32]]

TOLERANCE = 1e-4
"""Of the largest magnitude of an output."""


def lower(module: ModuleOp, *passes: str) -> None:
    """Apply passes, in the syntax of `cmc-opt -p`."""
    context = make_context()
    for one in parse_passes(get_all_passes(), ",".join(passes)):
        one.apply(context, module)


def compile_with(
    model: Path | onnx.ModelProto,
    buffers: BufferPolicy,
    after: Mapping[str, Callable[[PipelineOp], None]],
) -> Program:
    """Compile as `cmc.compile` does; `after` changes the pipeline when a pass is through.

    Its keys are names of passes, without their options.
    """
    module = import_model(model)
    changes = dict(after)
    for one in standard_pipeline(buffers):
        lower(module, one)
        change = changes.pop(one.partition("{")[0], None)
        if change is not None:
            change(pipeline_of(module))
    assert not changes, f"there are no passes {list(changes)}"
    return Program(module)


def run_levels(
    model: Path | onnx.ModelProto, buffers: BufferPolicy, inputs: Arrays, expected: Arrays
) -> tuple[Program, Result]:
    """Compute a stream by every level on the way down, and compare each with the one above.

    The network is compared with what is expected, and the chip's two modes with each other. Returns
    the program, and what it computes.
    """
    module = import_model(model)
    above = Network(module).run(inputs)
    assert_close(above, expected)
    for one in standard_pipeline(buffers):
        lower(module, one)
        if one == "convert-nn-to-cmpipe":
            computed = Pipeline(pipeline_of(module)).run(inputs)
            assert_close(computed, above)
            above = computed
    program = Program(module)
    result = program.run(inputs)
    assert_close(result.outputs, above)
    assert_close(result.outputs, expected)
    assert_same(program.run(inputs, mode="interpret"), result)
    return program, result


def assert_close(found: Arrays, expected: Arrays) -> None:
    """All outputs are there, each within the tolerance."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].size == array.size
        assert np.isfinite(array).all()
        largest = np.abs(array).max()
        error = np.abs(found[name] - array.reshape(found[name].shape)).max()
        assert error <= TOLERANCE * largest, f"{name} is {error / largest:.1e} off"


def assert_same(a: Result, b: Result) -> None:
    """Two modes agree: on values to rounding, and on every cycle of every program."""
    assert_close(a.outputs, b.outputs)
    assert a.cycles == b.cycles
    assert a.report.cycles_per_image == b.report.cycles_per_image
    for one, other in zip(programs(a.report), programs(b.report), strict=True):
        assert one.name == other.name
        assert np.array_equal(one.starts, other.starts), one.name
        assert one.as_json() == other.as_json()


def programs(report: Report) -> list[ProgramReport]:
    """All programs of a chip, those of the GCU first."""
    return [program for core in report.cores for program in core.programs]


def bound(report: Report, intervals: Mapping[str, int] | None = None) -> int:
    """The cycles that the slowest program takes for an image if it never waits.

    `intervals` has the cycles between iterations of each program for which they are not 1.
    """
    return max(p.iterations * (intervals or {}).get(p.name, 1) for p in programs(report))
