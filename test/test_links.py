"""Cores at places of a chip, and what vectors wait for on their ways between these."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.rewriter import Rewriter

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmctrl import CreditsOp
from cmc.dialects.cmpipe import CoreOp, PipelineOp, TargetAttr
from cmc.dialects.cmpipe.units import Unit
from cmc.errors import CmcError
from cmc.simulator import Mode, Result, chip_of
from cmc.simulator.load import load
from cmc.targets import Target
from conftest import examples
from end_to_end import Arrays, assert_close, assert_same, compile_with, programs
from networks import Network, networks, random_inputs, reference
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


@examples(40)
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


def outcome(program: cmc.Program, inputs: Arrays, mode: Mode) -> Result | str:
    """What a stream came to: a fault's words, if it ended in one."""
    try:
        return program.run(inputs, mode=mode)
    except CmcError as error:
        return str(error)


@examples(30)
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
