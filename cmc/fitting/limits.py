# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Whether a chip is one that its target describes: what it holds is no more than there is."""

from __future__ import annotations

from cmc.diagnostics import describe_location
from cmc.dialects.cmctrl import ChipOp, CoreOp
from cmc.dialects.cmpipe import StageOp, target_of
from cmc.errors import CmcError
from cmc.fitting.refusal import SMALLER_RINGS, too_much
from cmc.targets import Target
from cmc.targets.topology import topology_of


def expect_limits(chip: ChipOp) -> None:
    """CmcError that names what a chip needs too much of, how much there is, and who needs most.

    Its cores are as many as those of its target or fewer. Each has crossbars that are as large as
    their matrices, for all of its stages, and SRAM for rings and constants. Links lead to where
    something is sent.
    """
    target, cores = target_of(chip), list(chip.cores())
    for core in cores:
        for stage in core.stages():
            _expect_matrices(stage, target)
        crossbars = {f"@{s.sym_name.data}": len(list(s.crossbars())) for s in core.stages()}
        if sum(crossbars.values()) > target.crossbars:
            raise too_much(
                "crossbars", core.title, target.crossbars, crossbars, describe_location(core)
            )
        _expect_sram(core, target)
    if target.cores is not None and len(cores) > target.cores:
        raise CmcError(
            f"{len(cores)} cores are needed, and target {target.name} has {target.cores}: assign "
            "stages to them with cmpipe-assign-cores",
            f"chip @{chip.sym_name.data}",
        )
    expect_ways(chip)


def expect_ways(chip: ChipOp) -> None:
    """CmcError that names a core that has no place where places matter, or no way to another."""
    target = target_of(chip)
    topology = topology_of(target)
    if not topology.placed:
        return
    sides: dict[str, CoreOp] = {}
    places: dict[str, int] = {}
    for core in chip.cores():
        if core.place is None:
            raise CmcError(
                f"{core.title} has no place, and in topology {target.topology} ways depend on it: "
                "give it one, or let cmpipe-place-cores do so",
                describe_location(core),
            )
        places[core.sym_name.data] = core.place
        sides |= {stage.sym_name.data: core for stage in core.stages()}
    for core in chip.cores():
        for ring in core.rings():
            source = sides.get(ring.channel.writer)
            if source is None:
                continue
            ends = places[source.sym_name.data], places[core.sym_name.data]
            if topology.route(*ends) is None:
                raise CmcError(
                    f"{source.title} at {ends[0]} sends {ring.channel} to {core.title} at "
                    f"{ends[1]}, and no links of target {target.name} lead there",
                    describe_location(core),
                )


def _expect_matrices(stage: StageOp, target: Target) -> None:
    for crossbar in stage.crossbars():
        sizes = zip(crossbar.size, (target.rows, target.columns), strict=True)
        for what, (need, limit) in zip(("rows", "columns"), sizes, strict=True):
            if limit is not None and need > limit:
                raise CmcError(
                    f"the matrix @{crossbar.sym_name.data} of @{stage.sym_name.data} has {need} "
                    f"{what}, and a crossbar has {limit}: cut it with cmpipe-tile-crossbars",
                    describe_location(crossbar),
                )


def _expect_sram(core: CoreOp, target: Target) -> None:
    needs = {op.title: op.bytes for op in core.in_sram()}
    if sum(needs.values()) > target.sram_capacity:
        where = describe_location(core)
        helps = [SMALLER_RINGS]
        raise too_much("bytes of SRAM", core.title, target.sram_capacity, needs, where, helps)
