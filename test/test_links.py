# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Cores at places of a chip, and what vectors wait for on their ways between these."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from random import Random
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.rewriter import Rewriter

import cmc
from cmc.api import make_context
from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmctrl import CreditsOp
from cmc.dialects.cmpipe import ChannelOp, CoreOp, PipelineOp, TargetAttr, target_of
from cmc.dialects.cmpipe.units import Unit
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.fitting.traffic import hop_bytes, links_cost
from cmc.passes import get_all_passes
from cmc.proof.chip import prove
from cmc.simulator import Mode, Result, chip_of
from cmc.simulator.load import load
from cmc.targets import Target
from cmc.timing.flow import Flow
from cmc.timing.load import link_loads
from cmc.timing.solver import solve
from cmc.timing.times import Leap, Times
from cmc.timing.waiting import Waiting
from conftest import examples
from end_to_end import Arrays, assert_close, assert_same, compile_with, programs
from networks import Network, networks, random_inputs, reference
from test_copies import replicate_at_random
from test_random_networks import policies
from test_units import occupy

TOPOLOGIES = ("all-to-all", "bus", "chain", "mesh", "torus", "edges")


def any_target(random: Random, cores: int) -> Target:
    """A target of at least so many cores, in any topology, with links of any width and latency."""
    topology = random.choice(TOPOLOGIES)
    grid, edges = None, None
    if topology in ("mesh", "torus"):
        rows = random.randint(1, 3)
        grid = rows, -(-cores // rows) + random.randint(0, 1)
        cores = prod(grid)
    if topology == "edges":
        # A tree, and some links more.
        tree = {(random.randrange(core), core) for core in range(1, cores)}
        more = {(random.randrange(one), one) for one in range(1, cores) if random.random() < 0.3}
        edges = tuple(sorted(tree | more)) or None
        if edges is None:
            topology = "bus"
    return Target(
        "any",
        cores=cores,
        crossbars=1000,
        topology=topology,
        reach=random.randint(1, 3) if topology == "chain" else None,
        grid=grid,
        edges=edges,
        link_bytes_per_cycle=random.choice((None, Fraction(64), Fraction(16), Fraction(7, 2))),
        hop=random.choice((0, 0, 1, 3, 7)),
        multicast=random.random() < 0.5,
    )


def spread(pipeline: PipelineOp, random: Random) -> None:
    """Put the stages on cores at any places, and make each slow, in one way or another."""
    stages = list(pipeline.stages())
    shared = random.random() < 0.4
    for stage in stages:
        stage.properties["latency"] = IntegerAttr(random.choice((1, 2, 3, 9)), i64)
        stage.properties["interval"] = IntegerAttr(random.choice((1, 1, 2, 5)), i64)
        if shared:
            occupy(stage, {u: random.randint(1, 5) for u in Unit if random.random() < 0.6})
    names = [stage.sym_name.data for stage in stages]
    random.shuffle(names)
    for core in list(pipeline.cores()):
        Rewriter.erase_op(core)
    cores = random.randint(1, max(1, min(6, len(names))))
    target = any_target(random, cores)
    pipeline.target = TargetAttr(target)
    assert target.cores is not None
    places = random.sample(range(target.cores), cores)
    for number in range(cores):
        if own := names[number::cores]:
            pipeline.body.block.add_op(CoreOp(f"shared{number}", own, places[number]))


def spread_out(network: Network, policy: BufferPolicy, seed: int) -> cmc.Program:
    random = Random(seed)
    return compile_with(network.model, policy, {"cmpipe-assign-cores": lambda p: spread(p, random)})


@examples(14)
@given(networks(), policies, st.integers(0, 2**16))
def test_networks_on_cores_at_any_places(network: Network, policy: BufferPolicy, seed: int):
    inputs = random_inputs(network.model, 3, seed=1)
    program = spread_out(network, policy, seed)
    result = program.run(inputs, mode="interpret")
    assert_close(result.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs), result)
    flow = load(chip_of(program.module)).flow
    for one in programs(result.report):
        begun, process = one.starts.reshape(-1).tolist(), flow.processes[one.name]
        late = begun[-1] - begun[0] - (len(begun) - 1) * process.pace
        assert sum(one.waiting.values()) == late


@examples(14)
@given(networks(), policies, st.integers(0, 2**16))
def test_copies_on_cores_at_any_places(network: Network, policy: BufferPolicy, seed: int):
    """Of what a copy writes others read a part, or nothing: each is sent what it reads."""
    random = Random(seed)
    program = compile_with(
        network.model,
        policy,
        {
            "cmpipe-tile-crossbars": lambda pipeline: replicate_at_random(random, pipeline),
            "cmpipe-assign-cores": lambda pipeline: spread(pipeline, random),
        },
    )
    inputs = random_inputs(network.model, 3, seed=1)
    result = program.run(inputs, mode="interpret")
    assert_close(result.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs), result)
    prove(chip_of(program.module))
    chip = load(chip_of(program.module))
    crossed = sum(load.bytes for load in link_loads(chip.flow))
    found = hop_bytes(chip.op)
    if found is not None and links_cost(target_of(chip.op)):
        assert found.found == crossed >= found.least


LONG = 40


@examples(10)
@given(networks(), policies, st.integers(0, 2**16))
def test_long_streams_are_exact(network: Network, policy: BufferPolicy, seed: int):
    """What comes again is left out, and comes when it would if it were not."""
    flow = load(chip_of(spread_out(network, policy, seed).module)).flow
    times = solve(flow, LONG)
    with patch("cmc.timing.events.LOOKED_AT", 0):
        whole = solve(flow, LONG)
    assert not any(leaps for part in flow.apart() if part.shared for leaps in leaps_of(whole, part))
    for name, process in flow.processes.items():
        iterations = np.arange(LONG * process.iterations)
        assert np.array_equal(times.at(name, iterations), whole.at(name, iterations))
        assert Waiting(times).of(name) == Waiting(whole).of(name)


def leaps_of(times: Times, part: Flow) -> list[Sequence[Leap]]:
    """What is left out of a part of a stream."""
    return [times.leaps[name] for name in part.processes if name in times.leaps]


def outcome(program: cmc.Program, inputs: Arrays, mode: Mode) -> Result | str:
    """What a stream came to: a fault's words, if it ended in one."""
    try:
        return program.run(inputs, mode=mode)
    except CmcError as error:
        return str(error)


@examples(14)
@given(networks(), policies, st.integers(0, 2**16))
def test_both_modes_find_the_same_faults(network: Network, policy: BufferPolicy, seed: int):
    """A writer with more credits than its reader has slots, or with fewer."""
    inputs = random_inputs(network.model, 3, seed=1)
    module, random = spread_out(network, policy, seed).module, Random(seed)
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


# By hand: what is sent from one stage to others, with one number of four bytes a pixel.

PIXELS = 4


def by_hand(target: str, stages: dict[str, tuple[int, str]], slots: int) -> dict[str, list[int]]:
    """When the iterations of one image begin, in both modes.

    Each stage has its place, and copies the object that it reads. The GCU sends `x`, a pixel a
    cycle from cycle 0 on; all rings but those of `x` have so many slots.
    """
    width = f"memref<{PIXELS}xvector<1xf32>>"
    domain = f"{{ [w] : 0 <= w < {PIXELS} }}"
    lines = [f"cmpipe.object @{name} : {width}" for name in ("x", *stages)]
    tensor = f"tensor<1x1x{PIXELS}xf32>"
    layout = '#poly.map<"{ [n, c, w] -> [w, c] }">'
    lines.append(f'cmpipe.input @stream "x" @x {layout} : {tensor}')
    lines += [f'cmpipe.output "{name}" @{name} {layout} : {tensor}' for name in stages]
    for name, (place, read) in stages.items():
        lines += [
            f'cmpipe.stage @run_{name} in #poly.set<"{domain}"> {{',
            f'%v = cmpipe.read @{read} #poly.map<"{{ [w, c] -> [w, c] }}"> : vector<1xf32>',
            f'cmpipe.write %v, @{name} #poly.map<"{{ [w] -> [w] }}"> : vector<1xf32>',
            "}",
            f"cmpipe.core @at{place} at {place} runs [@run_{name}]",
        ]
    text = f"cmpipe.pipeline @p on #cmpipe.target<{target}> {{ {chr(10).join(lines)} }}"
    module = parse_file(make_context(), text, "by_hand.mlir")
    for one in parse_passes(get_all_passes(), "cmpipe-derive-control"):
        one.apply(make_context(), module)
    for op in module.walk():
        if isinstance(op, ChannelOp):
            op.properties["slots"] = IntegerAttr(PIXELS if op.channel.object == "x" else slots, i64)
    for one in parse_passes(get_all_passes(), "convert-cmpipe-to-cmctrl,cmctrl-verify-control"):
        one.apply(make_context(), module)
    program = cmc.Program(module)
    inputs = {"x": np.arange(PIXELS, dtype=np.float32).reshape(1, 1, PIXELS)}
    result = program.run(inputs, mode="interpret")
    assert_same(program.run(inputs), result)
    assert all(np.array_equal(array, inputs["x"]) for array in result.outputs.values())
    return {p.name.removeprefix("run_"): p.starts[0].tolist() for p in programs(result.report)}


CHAIN = 'cores = 8, topology = "chain", reach = 1, '


def test_a_channel_over_three_links():
    """a[0] ends in cycle 2; its head takes 3 x 5 cycles, and its bytes take 2 more."""
    starts = by_hand(f"{CHAIN}link_bytes_per_cycle = 2, hop = 5", {"a": (1, "x"), "b": (4, "a")}, 4)
    assert starts["a"] == [1, 2, 3, 4]
    # The first link is free again every 2 cycles.
    assert starts["b"] == [19, 21, 23, 25]


def test_latency_alone_holds_up_nothing():
    starts = by_hand(f"{CHAIN}hop = 5", {"a": (1, "x"), "b": (4, "a")}, 4)
    assert starts["b"] == [17, 18, 19, 20]


def test_credits_take_a_hop_for_each_link():
    """With one slot, a[1] waits until b[0] has ended in cycle 20, and 3 x 5 cycles more."""
    starts = by_hand(f"{CHAIN}link_bytes_per_cycle = 2, hop = 5", {"a": (1, "x"), "b": (4, "a")}, 1)
    assert starts["b"][0] == 19
    assert starts["a"] == [1, 35, 69, 103]


def test_two_channels_share_a_link():
    """The link 1 -> 2 has a vector for b, then one for c, which comes in the same cycle."""
    stages = {"a": (1, "x"), "b": (2, "a"), "c": (3, "a")}
    starts = by_hand(f"{CHAIN}link_bytes_per_cycle = 2, hop = 1", stages, 4)
    assert starts["b"] == [5, 9, 13, 17]
    # From cycle 4 on the link 1 -> 2, from cycle 5 on 2 -> 3, and there in 5 + 1 + 2.
    assert starts["c"] == [8, 12, 16, 20]


def test_with_multicast_a_vector_crosses_a_shared_link_once():
    stages = {"a": (1, "x"), "b": (2, "a"), "c": (3, "a")}
    target = f"{CHAIN}link_bytes_per_cycle = 2, hop = 1, multicast = true"
    starts = by_hand(target, stages, 4)
    assert starts["b"] == [5, 7, 9, 11]
    assert starts["c"] == [6, 8, 10, 12]


def test_a_link_serves_in_order_of_arrival():
    """c is sent by b, which runs later than a: what a sends to d came to the link 2 -> 3 before."""
    stages = {"a": (1, "x"), "b": (2, "a"), "c": (3, "b"), "d": (4, "a")}
    starts = by_hand(f"{CHAIN}link_bytes_per_cycle = 2, hop = 1", stages, 4)
    assert starts["b"] == [5, 9, 13, 17]
    # a[0] is on 2 -> 3 from cycle 5 to 7, b[0] comes in cycle 6, and is there in 7 + 1 + 2.
    assert starts["c"] == [10, 14, 18, 22]
    # On 1 -> 2 from cycle 4, on 2 -> 3 from 5, on 3 -> 4 from 6.
    assert starts["d"] == [9, 13, 17, 21]


def test_all_share_the_bus():
    stages = {"a": (0, "x"), "b": (1, "a"), "c": (2, "b")}
    starts = by_hand('cores = 3, topology = "bus", link_bytes_per_cycle = 4, hop = 1', stages, 4)
    # A vector takes the bus for a cycle: a[i] has it in cycle 2 + i, and b[0], which comes in
    # cycle 5 with a[3], after that one, as its channel is the later one.
    assert starts["b"] == [4, 5, 6, 7]
    assert starts["c"] == [8, 9, 10, 11]


def test_a_core_that_moves_changes_times_and_no_outputs():
    target = f"{CHAIN}link_bytes_per_cycle = 2, hop = 1"
    near = by_hand(target, {"a": (1, "x"), "b": (2, "a")}, 4)
    far = by_hand(target, {"a": (1, "x"), "b": (7, "a")}, 4)
    assert [f - n for f, n in zip(far["b"], near["b"], strict=True)] == [5] * PIXELS
