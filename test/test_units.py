# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages that share the units of a core."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.rewriter import Rewriter

import cmc
from cmc.api import make_context
from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmctrl import CreditsOp
from cmc.dialects.cmpipe import CoreOp, PipelineOp, TargetAttr, Unit, UnitsAttr, Writer
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.passes import get_all_passes
from cmc.simulator import Mode, chip_of
from cmc.simulator.load import load
from cmc.simulator.summary import steady
from cmc.sizing.model import CountedPipeline
from cmc.targets import Target
from cmc.timing.flow import Flow, Process
from cmc.timing.solver import solve
from conftest import ROOT
from end_to_end import Arrays, Result, assert_close, assert_same, compile_with, programs
from networks import Network, networks, random_inputs, reference
from test_random_networks import examples, policies
from test_timing import starts_by_definition


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


def test_the_end_of_a_stream_is_no_steady_state():
    units = {"port": 8}
    flow = Flow.of([Process("a", 8, occupies=units), Process("b", 1, occupies=units)], [])
    times = solve(flow, images=4)
    assert times.ends(4).tolist() == [89, 153, 217, 281]
    assert steady(times) is None


def test_parts_that_never_meet_and_share_a_unit_have_no_steady_state():
    """While the short part has images, the other gets every second turn: later it has them all."""
    units = {"port": 8}
    flow = Flow.of([Process("a", 8, occupies=units), Process("b", 1, occupies=units)], [])
    times = solve(flow, images=1000)
    assert times.last("a") + 8 == 1000 * 72
    assert steady(times) is None


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


# Random networks, their stages on few cores.


def occupy(writer: Writer, units: dict[Unit, int]) -> None:
    """Let a writer occupy some of these units, which may be none."""
    if units:
        writer.properties["occupies"] = UnitsAttr.of(units)


def arrange(pipeline: PipelineOp, random: Random) -> None:
    """Put the stages on few cores, in any order, and make each slow, in one way or another."""
    pipeline.target = TargetAttr(Target("any", crossbars=1000))
    stages = list(pipeline.stages())
    for stage in stages:
        stage.properties["latency"] = IntegerAttr(random.choice((1, 2, 3, 9)), i64)
        stage.properties["interval"] = IntegerAttr(random.choice((1, 1, 2, 5)), i64)
        occupy(stage, {u: random.randint(1, 5) for u in Unit if random.random() < 0.6})
    for stream in pipeline.inputs():
        occupy(stream, {Unit.PORT: random.randint(1, 3)})
    names = [stage.sym_name.data for stage in stages]
    random.shuffle(names)
    for core in list(pipeline.cores()):
        Rewriter.erase_op(core)
    cores = random.randint(1, 3)
    for number in range(cores):
        if own := names[number::cores]:
            pipeline.body.block.add_op(CoreOp(f"shared{number}", own))


def arranged(network: Network, policy: BufferPolicy, seed: int) -> cmc.Program:
    random = Random(seed)
    return compile_with(
        network.model, policy, {"cmpipe-assign-cores": lambda p: arrange(p, random)}
    )


def starts_of(result: Result) -> dict[str, list[int]]:
    return {p.name: p.starts.reshape(-1).tolist() for p in programs(result.report)}


@examples(30)
@given(networks(), policies, st.integers(0, 2**16))
def test_stages_on_few_cores(network: Network, policy: BufferPolicy, seed: int):
    """Nothing deadlocks, whatever shares what, and whoever is served first."""
    inputs = random_inputs(network.model, 2, seed=1)
    program = arranged(network, policy, seed)
    result = program.run(inputs, mode="interpret")
    assert_close(result.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs), result)
    flow = load(chip_of(program.module)).flow
    starts = starts_of(result)
    assert starts == starts_by_definition(flow, 2)
    for one in programs(result.report):
        begun, process = starts[one.name], flow.processes[one.name]
        late = begun[-1] - begun[0] - (len(begun) - 1) * process.pace
        assert sum(one.waiting.values()) == late


def outcome(program: cmc.Program, inputs: Arrays, mode: Mode) -> Result | str:
    """What a stream came to: a fault's words, if it ended in one."""
    try:
        return program.run(inputs, mode=mode)
    except CmcError as error:
        return str(error)


@examples(25)
@given(networks(), policies, st.integers(0, 2**16))
def test_both_modes_find_the_same_faults_on_few_cores(
    network: Network, policy: BufferPolicy, seed: int
):
    """A writer with more credits than its reader has slots, or with fewer."""
    inputs = random_inputs(network.model, 3, seed=1)
    module, random = arranged(network, policy, seed).module, Random(seed)
    credits = [op for op in module.walk() if isinstance(op, CreditsOp)]
    for op in random.sample(credits, min(2, len(credits))):
        count = max(0, op.count.value.data + random.choice((-1, 1, 2, 5)))
        op.properties["count"] = IntegerAttr(count, i64)
    program = cmc.Program(module)
    interpreted, bulk = (outcome(program, inputs, mode) for mode in ("interpret", "bulk"))
    if isinstance(interpreted, str) or isinstance(bulk, str):
        assert interpreted == bulk
    else:
        assert_same(interpreted, bulk)
