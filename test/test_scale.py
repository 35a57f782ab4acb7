# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What it takes to compile many copies of a stage: as many derivations as of few, in counts."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from itertools import product
from typing import ParamSpec, TypeVar

import pytest

from cmc.collection import seldom_collected
from cmc.dialects.cmpipe import PipelineOp
from cmc.fitting.parts import blocks, interleaved
from cmc.passes import cmpipe_derive_control, convert_cmpipe_to_cmctrl
from cmc.passes.cmpipe_replicate_stage import box_of, replicate
from cmc.simulator import chip_of
from cmc.simulator.load import Share, load
from cmc.tiling.select import Names
from end_to_end import compile_with
from test_sizes import convolutions
from test_turns import TO_CHIP
from test_turns import convolutions as pipelines

loading = import_module("cmc.simulator.load")

_P = ParamSpec("_P")
_R = TypeVar("_R")


def counted(counts: Counter[str], name: str, function: Callable[_P, _R]) -> Callable[_P, _R]:
    def call(*args: _P.args, **options: _P.kwargs) -> _R:
        counts[name] += 1
        return function(*args, **options)

    return call


def work(copies: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often relations are derived, loops generated, and pairs of stages looked at.

    Of two convolutions in so many blocks of two columns each, of which rows are interleaved.
    """

    def copy(pipeline: PipelineOp) -> None:
        names = Names(pipeline)
        for stage in list(pipeline.stages()):
            box = box_of(stage)
            assert box is not None
            cut = [interleaved(box[0], rows), blocks(box[1], copies)]
            replicate(stage, list(product(*cut)), names)

    counts: Counter[str] = Counter()
    with monkeypatch.context() as patch:
        for module, name in (
            (cmpipe_derive_control, "derive"),
            (convert_cmpipe_to_cmctrl, "loops"),
        ):
            patch.setattr(module, name, counted(counts, name, vars(module)[name]))
        reads_any = Share.reads_any.fget
        assert reads_any is not None
        patch.setattr(Share, "reads_any", property(counted(counts, "pairs", reads_any)))
        network = convolutions(2, 2 * copies)
        program = compile_with(network, "minimal", {"cmpipe-tile-crossbars": copy})
        chip = chip_of(program.module)
        counts["channels"] = sum(1 for core in chip.cores() for _ in core.rings())
        program.time(1)
    return counts


def test_more_copies_take_hardly_more_derivations(monkeypatch: pytest.MonkeyPatch):
    few, many = (work(copies, 2, monkeypatch) for copies in (3, 7))
    assert many["channels"] > 2 * few["channels"]
    # Each copy reads another part of the image, which has one writer; all others are alike.
    more = 4 * 2
    assert many["derive"] <= few["derive"] + more
    assert many["loops"] <= few["loops"] + 2 * more
    # Who reads from whom is asked of neighbours alone.
    assert many["pairs"] / many["channels"] <= 1.2 * few["pairs"] / few["channels"]


def test_pipelines_that_take_turns_are_loaded_like_one(monkeypatch: pytest.MonkeyPatch):
    def counts(copies: int) -> Counter[str]:
        chip, found = chip_of(pipelines(copies, *TO_CHIP)), Counter[str]()
        with monkeypatch.context() as patch:
            for name in ("visits", "View", "Places", "_written"):
                patch.setattr(loading, name, counted(found, name, vars(loading)[name]))
            assert len(load(chip).programs) == 3 * copies
        return found

    assert counts(3) == counts(1)


def test_garbage_is_looked_for_as_often_as_before():
    ours, before = gc.get_threshold(), (700, 10, 10)
    gc.set_threshold(*before)
    try:
        with pytest.raises(KeyError), seldom_collected():
            assert gc.get_threshold()[0] > before[0]
            raise KeyError
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*ours)
