# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What copies would send each other, before they are made, and what they do when they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from cmc.compiler.standard import standard_pipeline
from cmc.fitting.exchange import Exchange, copy_name
from cmc.fitting.parts import Part, Sharing
from cmc.fitting.traffic import sent
from cmc.importer import import_model
from cmc.passes.cmpipe_replicate_stage import box_of, replicate
from cmc.simulator.pipeline import pipeline_of
from cmc.tiling.select import Names
from end_to_end import lower

BUS = """
name = "bus"
clock_ghz = 1
cores = 64
activation_bits = 8
sram_bytes = "unlimited"
crossbars = 4
rows = 48
columns = 16
mxv_ns = 20
mxv_interval_ns = 20
topology = "bus"
link_bytes_per_ns = 4
"""


@pytest.mark.parametrize("seed", range(3))
def test_what_is_sent_is_known_before_copies_are_made(seed: int, tmp_path: Path, digits: Path):
    (tmp_path / "bus.toml").write_text(BUS)
    module, random = import_model(digits), Random(seed)
    passes = standard_pipeline(target=str(tmp_path / "bus.toml"))
    lower(module, *passes[: passes.index("cmpipe-balance")])
    pipeline = pipeline_of(module)
    parts: dict[str, list[Part]] = {}
    for stage in pipeline.stages():
        box = box_of(stage)
        assert box is not None
        if random.random() < 0.7:
            parts[stage.sym_name.data] = Sharing(box).parts(random.randint(3, 40))
    expected = Exchange(pipeline).sent(parts)
    assert len(expected) > len(list(pipeline.stages()))
    names: dict[str, str] = {}
    for stage in list(pipeline.stages()):
        name = stage.sym_name.data
        made = replicate(stage, parts[name], Names(pipeline)) if name in parts else [stage]
        names |= {one.sym_name.data: copy_name(name, number) for number, one in enumerate(made)}
    found: Counter[tuple[str, str]] = Counter()
    for one in sent(pipeline):
        ends = names[one.channel.writer], names[one.channel.reader]
        found[ends] += one.vectors * one.cycles
    assert found == expected
