# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Pipelines that take turns with images: values in order, times, faults and what is refused."""

from __future__ import annotations

import time
from itertools import pairwise, product
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.interpreter import Interpreter
from xdsl.utils.exceptions import VerifyException

import cmc
from cmc.api import Pipeline, Program, make_context
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmctrl import CreditsOp
from cmc.dialects.cmpipe import InputOp, OutputOp, PipelineOp, TargetAttr
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.fitting.mapped import mapping_of
from cmc.fitting.mapping import write_mapping
from cmc.passes.cmpipe_replicate_pipeline import replicate
from cmc.proof.chip import prove
from cmc.reference import Reference
from cmc.simulator import chip_of
from cmc.simulator.functions import CmctrlFunctions, CmpipeFunctions
from cmc.simulator.pipeline import pipeline_of
from cmc.sizing.model import CountedPipeline
from cmc.streams import Turn
from cmc.timing.flow import Deadlock
from damages import damages
from end_to_end import assert_close, assert_same, compile_with, lower, programs
from mutants import mutations
from networks import Network, networks, random_inputs, reference
from onnx_models import chain_model, normal, one_node_model
from test_assigned_networks import random_target, slow_down
from test_random_networks import examples, policies

HERE = Path(__file__).parent
TWO = HERE / "turns" / "two_pipelines.mlir"
CONVOLUTIONS = HERE / "two_convolutions" / "cmpipe.mlir"
TO_CHIP = ("cmpipe-derive-control", "cmpipe-size-buffers", "convert-cmpipe-to-cmctrl")


def module_of(path: Path) -> ModuleOp:
    return parse_file(make_context(), path.read_bytes(), str(path))


def convolutions(copies: int, *after: str) -> ModuleOp:
    module = module_of(CONVOLUTIONS)
    lower(module, f"cmpipe-replicate-pipeline{{copies={copies}}}", *after)
    module.verify()
    return module


@pytest.mark.parametrize("images", range(9))
def test_a_stream_is_shared_out(images: int):
    stream = np.arange(images)
    shares = [Turn(number, 3).share(stream).tolist() for number in range(3)]
    assert [Turn(number, 3).images(images) for number in range(3)] == list(map(len, shares))
    assert sorted(image for share in shares for image in share) == stream.tolist()
    for number, share in enumerate(shares):
        assert [Turn(number, 3).image(own) for own in range(len(share))] == share


@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.parametrize("images", [1, 2, 5, 6])
def test_values_come_out_in_the_order_of_images(copies: int, images: int):
    x = np.random.default_rng(0).standard_normal((images, 1, 10)).astype(np.float32)
    first = x[:, :, :-2] + 2 * x[:, :, 1:-1] + 3 * x[:, :, 2:]
    second = 4 * first[:, :, :-2] + 5 * first[:, :, 1:-1] + 6 * first[:, :, 2:]
    expected = {"y": np.asarray(second, np.float32)}
    module = convolutions(copies)
    assert_close(Pipeline(pipeline_of(module)).run({"x": x}), expected)
    lower(module, *TO_CHIP, "cmctrl-verify-control")
    program = Program(module)
    result = program.run({"x": x})
    assert_close(result.outputs, expected)
    assert_same(program.run({"x": x}, mode="interpret"), result)


def random_program(network: Network, policy: BufferPolicy, copies: int, seed: int) -> Program:
    random = Random(seed)

    def choose(pipeline: PipelineOp) -> None:
        pipeline.target = TargetAttr(random_target(random))

    def annotate(pipeline: PipelineOp) -> None:
        slow_down(pipeline, random)
        replicate(pipeline, copies)

    after = {"cmpipe-annotate-timing": annotate}
    if random.random() < 0.7:
        after["convert-nn-to-cmpipe"] = choose
    return compile_with(network.model, policy, after)


@examples(25)
@given(networks(), policies, st.integers(2, 4), st.integers(1, 7), st.integers(0, 2**16))
def test_random_networks_by_turns(
    network: Network, policy: BufferPolicy, copies: int, images: int, seed: int
):
    try:
        program = random_program(network, policy, copies, seed)
    except CmcError as error:
        assert "crossbars" in error.message or "SRAM" in error.message
        return
    prove(chip_of(program.module))
    inputs = random_inputs(network.model, images, seed=1)
    bulk = program.run(inputs)
    assert_close(bulk.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs, mode="interpret"), bulk)


@pytest.mark.parametrize("copies", [2, 3])
def test_a_network_of_one_stage_an_image(copies: int):
    """On pipelines that have nothing in common an image comes that much more often."""
    one = Program(convolutions(1, *TO_CHIP))
    several = Program(convolutions(copies, *TO_CHIP))
    for images in (1, 7, 10**6):
        own = -(-images // copies)
        assert several.time(images).cycles == one.time(own).cycles
    report = several.time(10**6)
    assert report.cycles_per_image == 10 / copies
    assert report.bound == 10 / copies
    assert (report.pipelines, report.latency) == (copies, one.time(1).latency)
    assert several.time(1).interval == 10 / copies


def test_streams_of_any_length_are_timed_at_once():
    program = Program(convolutions(7, *TO_CHIP))
    started = time.perf_counter()
    report = program.time(10**6)
    assert time.perf_counter() - started < 5
    # The first pipeline has an image more than all others.
    assert report.cycles == 10 * 142858 + 2
    busy = {program.name: program.busy // program.iterations for program in programs(report)}
    assert busy["conv1"] == 142858
    assert {busy[f"conv1_turn{number}"] for number in range(1, 7)} == {142857}


def test_alike_in_a_shared_port():
    """The GCU's port is shared: a stream of any length is exact there, too."""
    module = module_of(TWO)
    lower(module, *TO_CHIP)
    program = Program(module)
    # The second pipeline begins in cycle 2, the first one in cycle 1.
    assert program.time(10**6).cycles == 4 * 10**6 + 1
    assert program.time(10**6 + 1).cycles == 4 * 10**6 + 8
    assert program.time(9).cycles_per_image == program.time(2).interval == 4


def test_pipelines_without_an_image_have_no_times():
    report = Program(convolutions(3, *TO_CHIP)).time(2)
    last = next(p for p in programs(report) if p.name == "conv2_turn2")
    assert (last.first_cycle, last.last_cycle, last.busy, last.waiting) == (None, None, 0, {})
    assert last.starts.shape == (0, 6)


def test_an_image_that_is_stuck_is_named_by_its_place_in_the_stream():
    module = convolutions(2, *TO_CHIP)
    for op in module.walk():
        if isinstance(op, CreditsOp) and op.channel.reader == "conv2_turn1":
            op.properties["count"] = IntegerAttr(2, i64)
    program = Program(module)
    x = np.zeros((4, 1, 10), np.float32)
    for mode in ("bulk", "interpret"):
        with pytest.raises(Deadlock, match=r"@conv2_turn1\[0\] of image 1 waits for data"):
            program.run({"x": x}, mode=mode)
    # The first image is another one's.
    assert program.run({"x": x[:1]}).outputs["y"].shape == (1, 1, 6)


def test_a_tensor_is_one_argument():
    module = convolutions(3)
    x = np.random.default_rng(0).standard_normal((4, 1, 10), np.float32)
    assert Pipeline(pipeline_of(module)).inputs == {"x": (1, 10)}
    interpreter = Interpreter(module)
    interpreter.register_implementations(CmpipeFunctions())
    (computed,) = interpreter.call_op("two_convolutions", (x,))
    lower(module, *TO_CHIP)
    program = Program(module)
    assert (program.inputs, program.outputs) == ({"x": (1, 10)}, {"y": (1, 6)})
    interpreter = Interpreter(module)
    interpreter.register_implementations(CmctrlFunctions())
    (simulated,) = interpreter.call_op("two_convolutions", (x,))
    assert_close({"y": simulated}, {"y": computed})


def test_copies_of_copies_take_turns():
    module = convolutions(2, "cmpipe-replicate-pipeline{copies=3}")
    turns = [port.turn for port in ports_of(module) if isinstance(port, OutputOp)]
    assert sorted(turns) == [Turn(number, 6) for number in range(6)]


def test_control_may_be_derived_before():
    before = convolutions(3, *TO_CHIP)
    after = module_of(CONVOLUTIONS)
    lower(after, *TO_CHIP[:2], "cmpipe-replicate-pipeline{copies=3}", TO_CHIP[2])
    assert before.is_structurally_equivalent(after)


def test_weights_are_stored_once(tmp_path: Path, digits: Path):
    program = compile_with(
        digits, "throughput", {"cmpipe-annotate-timing": lambda p: replicate(p, 3)}
    )
    program.save(tmp_path / "three.mlir")
    compile_with(digits, "throughput", {}).save(tmp_path / "one.mlir")
    one, three = (tmp_path / f"{name}.safetensors" for name in ("one", "three"))
    assert one.read_bytes() == three.read_bytes()
    x = np.random.default_rng(0).standard_normal((4, 1, 8, 8), np.float32)
    loaded = cmc.load(tmp_path / "three.mlir")
    assert_close(loaded.run({"image": x}).outputs, cmc.compile(digits).run({"image": x}).outputs)


def ports_of(module: ModuleOp) -> list[InputOp | OutputOp]:
    return [op for op in module.walk() if isinstance(op, InputOp | OutputOp)]


def test_no_turns_but_consistent_ones():
    """Of all turns that ports may say, those are let through that share a stream out."""
    chip = module_of(TWO)
    lower(chip, *TO_CHIP)
    x = np.random.default_rng(0).standard_normal((5, 1, 4)).astype(np.float32)
    allowed: list[tuple[Turn, ...]] = []
    for turns in product([Turn(0, 2), Turn(1, 2), Turn(0, 1), Turn(2, 2)], repeat=4):
        changed = chip.clone()
        for port, turn in zip(ports_of(changed), turns, strict=True):
            port.turn = turn
        try:
            changed.verify()
            prove(chip_of(changed))
        except (VerifyException, CmcError):
            continue
        allowed.append(turns)
        for mode in ("bulk", "interpret"):
            assert_close(Program(changed).run({"x": x}, mode=mode).outputs, {"y": 2 * x})
    # As they are, or all the other way round.
    assert allowed == [(Turn(0, 2), Turn(1, 2)) * 2, (Turn(1, 2), Turn(0, 2)) * 2]


def test_mutants_of_two_pipelines():
    """What is not refused is simulated alike in both modes."""
    module = module_of(TWO)
    lower(module, "cmpipe-derive-control", "cmpipe-size-buffers{policy=minimal}", TO_CHIP[2])
    x = np.random.default_rng(0).standard_normal((3, 1, 4)).astype(np.float32)
    survived = 0
    for mutation in Random(0).sample([*mutations(module), *damages(module)], 60):
        try:
            changed = mutation.of(module)
            changed.verify()
            prove(chip_of(changed))
        except (VerifyException, CmcError):
            continue
        program = Program(changed)
        found = program.run({name: x for name in program.inputs})
        assert_same(program.run({name: x for name in program.inputs}, mode="interpret"), found)
        survived += 1
    assert survived


def dense(layers: int, features: int) -> onnx.ModelProto:
    """Layers of one iteration an image, which copies of a stage cannot share."""
    names = ["x", *(f"y{number}" for number in range(layers - 1)), "y"]
    nodes = [
        node
        for number in range(layers)
        for node in (
            helper.make_node("MatMul", [names[number], f"w{number}"], [f"p{number}"]),
            helper.make_node("Relu", [f"p{number}"], [names[number + 1]]),
        )
    ]
    weights = {f"w{number}": normal(features, features, seed=number) for number in range(layers)}
    return chain_model([1, features], *nodes, constants=weights)


TARGET = """
name = "small"
clock_ghz = 1
cores = 16
activation_bits = 8
sram_bytes = "unlimited"
crossbars = 1
rows = 16
columns = 16
mxv_ns = 20
mxv_interval_ns = 20
"""


def on(tmp_path: Path, more: str = "", cores: int = 16) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(TARGET.replace("cores = 16", f"cores = {cores}") + more)
    return path


def test_idle_cores_get_pipelines(tmp_path: Path):
    program = cmc.compile(dense(3, 16), target=on(tmp_path))
    prove(chip_of(program.module))
    report = program.time(100)
    # Five of three crossbars each; one core is left.
    assert (report.pipelines, report.cycles_per_image) == (5, 20 / 5)
    assert report.interval_bound == 20 / 5
    x = normal(7, 16)
    found = program.run({"x": x})
    assert_close(found.outputs, Reference(dense(3, 16))({"x": x}))
    assert_same(program.run({"x": x}, mode="interpret"), found)
    assert cmc.compile(dense(3, 16), target=on(tmp_path), copies="none").time(1).pipelines == 1


def test_no_more_pipelines_than_the_input_comes_for(tmp_path: Path):
    # A vector of 16 bytes takes the port for 8 cycles: three pipelines are fast enough for that.
    report = cmc.compile(dense(3, 16), target=on(tmp_path, "gcu_bytes_per_ns = 2")).time(100)
    assert (report.pipelines, report.interval) == (3, 8)


def test_stages_that_can_have_copies_have_them(tmp_path: Path):
    model = one_node_model("Conv", (1, 2, 8, 8), [normal(2, 2, 3, 3)], pads=[1, 1, 1, 1])
    report = cmc.compile(model, target=on(tmp_path, cores=32)).time(20)
    assert report.pipelines == 1
    assert sum(report.copies.values()) > 16


@pytest.mark.parametrize("topology", ["mesh", "torus"])
def test_every_pipeline_has_places(tmp_path: Path, topology: str):
    more = f'topology = "{topology}"\ngrid = [4, 4]\nlink_bytes_per_ns = 16\nhop_ns = 1'
    program = cmc.compile(dense(3, 16), target=on(tmp_path, more))
    places = [core.place for core in chip_of(program.module).cores()]
    assert len(set(places)) == len(places) == 15
    x = normal(7, 16)
    found = program.run({"x": x})
    assert_close(found.outputs, Reference(dense(3, 16))({"x": x}))
    assert_same(program.run({"x": x}, mode="interpret"), found)


@pytest.mark.parametrize("more", ["", 'topology = "mesh"\ngrid = [4, 4]\nhop_ns = 1'])
def test_a_mapping_says_how_many_there_are(tmp_path: Path, more: str):
    target, file = on(tmp_path, more), tmp_path / "mapping.toml"
    program = cmc.compile(dense(3, 16), target=target)
    write_mapping(mapping_of(chip_of(program.module)), file)
    assert "pipelines = 5" in file.read_text()
    again = cmc.compile(dense(3, 16), target=target, copies=file, place=file)
    assert again.time(20).pipelines == 5
    assert again.module.is_structurally_equivalent(program.module)


def test_a_bus_that_binds_is_shared_by_more_pipelines(tmp_path: Path):
    """Of a chain of convolutions on one core each, all that is computed goes over the bus."""
    nodes = [
        helper.make_node("Conv", [a, f"w{b}"], [b], kernel_shape=[1, 1])
        for a, b in pairwise(["x", "a", "b", "y"])
    ]
    weights = {f"w{b}": normal(16, 16, 1, 1) for b in "aby"}
    model = chain_model([1, 16, 8, 8], *nodes, constants=weights)
    bus = 'topology = "bus"\nlink_bytes_per_ns = {}'
    target = on(tmp_path, bus.format(4)).read_text().replace("crossbars = 1", "crossbars = 3")
    (tmp_path / "bus.toml").write_text(target)
    narrow = cmc.compile(model, target=tmp_path / "bus.toml").time(200)
    # Stages that share a core send nothing over the bus.
    assert narrow.pipelines > 1
    assert narrow.interval == narrow.interval_bound == 64 * 20 / 16


@pytest.mark.parametrize(("topology", "times"), [("bus", 3), ("all-to-all", 1)])
def test_sizes_know_who_shares_a_bus(tmp_path: Path, topology: str, times: int):
    """Sizes are found for one of three pipelines: a bus has a third of its width for each."""
    module = module_of(CONVOLUTIONS)
    more = f'topology = "{topology}"\nlink_bytes_per_ns = 0.5'
    target = on(tmp_path, more)
    lower(module, f'cmpipe-balance{{target="{target}" copies=none}}', TO_CHIP[0])
    held = [edge.way.held for edge in CountedPipeline(pipeline_of(module)).flow.edges]
    pipeline_of(module).copies = 3
    shared = [edge.way.held for edge in CountedPipeline(pipeline_of(module)).flow.edges]
    assert (held, shared) == ([0, 2], [0, 2 * times])


def test_copies_that_there_are_to_be():
    module = module_of(CONVOLUTIONS)
    pipeline_of(module).copies = 3
    lower(module, *TO_CHIP[:2])
    with pytest.raises(CmcError, match="there are to be 3 of it: make them"):
        lower(module.clone(), TO_CHIP[2])
    lower(module, "cmpipe-replicate-pipeline")
    assert pipeline_of(module).copies == 1
    assert len(ports_of(module)) == 6
