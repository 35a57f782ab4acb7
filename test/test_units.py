"""Stages that share the units of a core."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp

from cmc.api import make_context
from cmc.compiler.pass_list import parse_passes
from cmc.dialects.cmpipe import PipelineOp
from cmc.files.parsing import parse_file
from cmc.passes import get_all_passes
from cmc.simulator import chip_of
from cmc.simulator.load import load
from cmc.sizing.model import CountedPipeline
from cmc.timing.flow import Flow, Process
from conftest import ROOT


def test_a_unit_of_one_process_is_an_interval():
    flow = Flow.of(
        [
            Process("a", 3, interval=2, side="core0", place=1, occupies={"digital": 5, "port": 9}),
            Process(
                "b", 3, interval=8, side="core0", place=0, occupies={"digital": 4, "memory": 7}
            ),
            Process("c", 3, side="core1", occupies={"digital": 6}),
        ],
        [],
    )
    found = {name: (p.interval, dict(p.occupies)) for name, p in flow.processes.items()}
    assert found == {"a": (9, {"digital": 5}), "b": (8, {"digital": 4}), "c": (6, {})}
    assert flow.shared
    assert {side: [p.name for p in members] for side, members in flow.sides.items()} == {
        "core0": ["b", "a"],
        "core1": ["c"],
    }
    assert not Flow.of([p for p in flow.processes.values() if p.name != "a"], []).shared


def pipelines_by_hand() -> ModuleOp:
    path = ROOT / "test" / "passes" / "convert_cmpipe_to_cmctrl.mlir"
    return parse_file(make_context(), path.read_text(), path.name)


def test_a_pipeline_and_its_chip_have_the_same_units():
    module = pipelines_by_hand()
    pipeline = next(op for op in module.ops if isinstance(op, PipelineOp))
    for other in list(module.ops):
        if other is not pipeline:
            other.detach()
    before = CountedPipeline(pipeline).flow
    for one in parse_passes(get_all_passes(), "convert-cmpipe-to-cmctrl"):
        one.apply(make_context(), module)
    after = load(chip_of(module)).flow
    for flow in (before, after):
        found = {n: (p.side, p.place, dict(p.occupies)) for n, p in flow.processes.items()}
        assert found == {
            "a_stream": ("", 0, {}),
            "scale": ("core0", 0, {"digital": 4}),
            "add": ("core0", 1, {"digital": 3}),
        }
        # Only @add has the memory to itself.
        assert flow.processes["add"].interval == 6
