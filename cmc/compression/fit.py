# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The least error of ranks with which the crossbars of a network fit a chip."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor, log10

import onnx
from xdsl.context import Context

from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import standard_pipeline
from cmc.compression.choice import least_error
from cmc.compression.compress import Compressible
from cmc.compression.spectrum import EXACT
from cmc.dialects.cmpipe import PipelineOp
from cmc.fitting.cores import Need, Room, assigned
from cmc.importer import import_model
from cmc.passes import get_all_passes
from cmc.targets import Target

_TILES = "cmpipe-tile-crossbars"

_ATTEMPTS = 8
"""How often less is asked for where crossbars are enough and still do not fit the cores."""


def crossbars_of_stages(
    model: onnx.ModelProto, target: str, shapes: Mapping[str, int]
) -> dict[str, int]:
    """The crossbars that the stages of a network take on a target, a preset or a file.

    They are those of the compiler itself. CmcError for a network that it does not take.
    """
    module = import_model(model, shapes)
    context = Context()
    names = standard_pipeline(target=target)
    for one in parse_passes(get_all_passes(), ",".join(names[: names.index(_TILES) + 1])):
        one.apply(context, module)
    stages = [s for op in module.walk() if isinstance(op, PipelineOp) for s in op.stages()]
    return {stage.sym_name.data: len(list(stage.crossbars())) for stage in stages}


def fits(crossbars: Mapping[str, int], target: Target) -> bool:
    """Whether cores are found for stages that take so many crossbars."""
    if target.cores is None:
        return True
    needs = [Need(name, count, 0, {}, 0) for name, count in crossbars.items()]
    return assigned(needs, Room(target.cores, target.crossbars)) is not None


def error_that_fits(
    network: Compressible, target: Target, name: str, shapes: Mapping[str, int]
) -> float | None:
    """The least relative error, in three digits, with which a network fits the crossbars of a
    target; None if it does with none.

    It is tried on the network with matrices of these ranks. `name` is that of the target, or its
    file.
    """
    before = crossbars_of_stages(network.model.proto, name, shapes)
    if target.cores is None or fits(before, target):
        return 0.0
    saving = max(1, sum(before.values()) - target.cores * target.crossbars)
    for _ in range(_ATTEMPTS):
        error = least_error(network.matrices, saving)
        if error is None:
            return None
        error = _rounded_up(error)
        now = crossbars_of_stages(network.sketched(error), name, shapes)
        if fits(now, target):
            return error
        saving = max(saving, network.saved(error)) + 1
    return None


def _rounded_up(error: float) -> float:
    """The least number of three digits that is no less; one is the largest error that there is."""
    if error <= EXACT:
        return EXACT
    digits = 2 - floor(log10(error))
    up = float(f"{ceil(error * 10**digits) / 10**digits:.3g}")
    return up if up >= error else float(f"{up + 10**-digits:.3g}")
