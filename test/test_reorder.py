# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The order in which a stage runs its iterations is a choice: all that follows goes with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import islpy as isl
import pytest

from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmpipe import PipelineOp
from cmc.passes.cmpipe_reorder_stage import reorder
from cmc.reference import Reference
from cmc.streams import random_stream
from conftest import by_turns, find_trained
from end_to_end import assert_close, assert_same, bound, compile_with, lower

IMAGES = 4

POLICIES: tuple[BufferPolicy, ...] = ("minimal", "throughput")


RandomOrder = Callable[[Random, list[str]], isl.Map]


def random_order(random: Random, loops: list[str]) -> isl.Map:
    """An order of a nest: loops interchanged, and then blocks, diagonals, or some backwards."""
    new = random.sample(loops, len(loops))
    match random.choice(("interchange", "reverse", "blocks", "strips", "diagonals", "snake")):
        case "reverse":
            new = [random.choice((loop, f"-{loop}")) for loop in new]
        case "blocks":
            new = in_blocks(random, new)
        case "strips" if new:
            size = random.randint(2, 5)
            new = [f"floor({new[0]}/{size})", *new[1:], f"{new[0]} mod {size}"]
        case "diagonals" if new:
            new = [" + ".join(new), *new[1:]]
        case "snake" if len(new) > 1:
            back = [*new[:-1], f"-{new[-1]}"]
            return isl.Map(
                f"{{ {text(loops)} -> {text(new)} : {new[0]} mod 2 = 0;"
                f"   {text(loops)} -> {text(back)} : {new[0]} mod 2 = 1 }}"
            )
        case _:
            pass
    return isl.Map(f"{{ {text(loops)} -> {text(new)} }}")


def random_blocks(random: Random, loops: list[str]) -> isl.Map:
    """An order of a nest in blocks, all loops interchanged."""
    new = in_blocks(random, random.sample(loops, len(loops)))
    return isl.Map(f"{{ {text(loops)} -> {text(new)} }}")


def in_blocks(random: Random, loops: list[str]) -> list[str]:
    sizes = [random.randint(2, 5) for _ in loops]
    return [
        *(f"floor({loop}/{size})" for loop, size in zip(loops, sizes, strict=True)),
        *(f"{loop} mod {size}" for loop, size in zip(loops, sizes, strict=True)),
    ]


def text(dims: list[str]) -> str:
    return f"[{', '.join(dims)}]"


def reorder_at_random(random: Random, pipeline: PipelineOp, order: RandomOrder) -> None:
    """Another order for some stages, or for all."""
    share = random.choice((0.3, 1.0))
    for stage in pipeline.stages():
        if random.random() < share:
            loops = [f"i{d}" for d in range(stage.iteration_rank())]
            reorder(stage, order(random, loops))


def check(model: Path, policy: BufferPolicy, seed: int, order: RandomOrder = random_order) -> None:
    """A stream through a network with its stages in random orders: values, bound and proof."""
    program = compile_with(
        model,
        policy,
        {"convert-nn-to-cmpipe": lambda pipeline: reorder_at_random(Random(seed), pipeline, order)},
    )
    inputs = random_stream(program.inputs, IMAGES, seed)
    bulk = program.run(inputs)
    assert_close(bulk.outputs, Reference(model)(inputs))
    assert_same(program.run(inputs, mode="interpret"), bulk)
    if policy == "throughput":
        assert program.time(100).cycles_per_image == bound(bulk.report)
    lower(program.module, "cmctrl-verify-control")


@pytest.mark.parametrize(("seed", "policy"), by_turns(range(4), POLICIES))
def test_digits_in_any_order(digits: Path, policy: BufferPolicy, seed: int):
    check(digits, policy, seed)


@pytest.mark.parametrize(("name", "policy"), by_turns(["same", "mnist_cntk"], POLICIES))
def test_chains_in_any_order(name: str, policy: BufferPolicy):
    check(find_trained(name), policy, seed=0)


@pytest.mark.parametrize(("seed", "policy"), by_turns([1, 2], POLICIES))
@pytest.mark.parametrize("name", ["shortcuts", "separable", "mlperftiny_resnet8"])
def test_resnet_in_any_order(name: str, policy: BufferPolicy, seed: int):
    check(find_trained(name), policy, seed)


@pytest.mark.parametrize(("seed", "policy"), by_turns([2, 6], POLICIES))
@pytest.mark.parametrize("name", ["shortcuts", "separable", "mlperftiny_resnet8"])
def test_resnet_in_blocks(name: str, policy: BufferPolicy, seed: int):
    check(find_trained(name), policy, seed, random_blocks)
