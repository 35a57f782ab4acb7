# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The interpreter's speed by itself: a residual pair of convolutions with bounded rings."""

import cmc.api
from cmc.compiler.standard import BufferPolicy
from cmc.streams import random_stream
from cmc.tools.bench.clock import interleave
from cmc.tools.bench.network import core_iterations
from cmc.tools.bench.residual import residual_network

POLICIES: tuple[BufferPolicy, ...] = ("minimal", "throughput")
SIDE = 32
IMAGES = 4


def interpreted_rates(budget: float) -> dict[str, float]:
    """Core iterations a second on 32 by 32 pixels of 16 channels, by the size of the rings."""
    model = residual_network(SIDE, [1])
    programs = {policy: cmc.api.compile(model, buffers=policy) for policy in POLICIES}
    stream = random_stream(programs["minimal"].inputs, IMAGES, 0)
    iterations = sum(core_iterations(programs["minimal"].time(IMAGES)))
    times = interleave(
        {
            policy: lambda program=program: program.run(stream, mode="interpret")
            for policy, program in programs.items()
        },
        budget,
    )
    return {policy: IMAGES * iterations / times.median(policy) for policy in POLICIES}
