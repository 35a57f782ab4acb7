# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What is in SRAM lies in it, and apart, and the writer's credits are the slots that a ring has."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from cmc.diagnostics import describe_location
from cmc.dialects.cmctrl import ChipOp, CoreOp, CreditsOp, RingOp
from cmc.dialects.cmpipe import Channel, target_of
from cmc.errors import CmcError


def prove_rings(chip: ChipOp) -> Mapping[Channel, int]:
    """The slots of every channel; CmcError that names a ring or the credits that are wrong."""
    credits: dict[Channel, CreditsOp] = {}
    for side in (chip.gcu, *chip.cores()):
        for op in side.credits():
            if op.channel in credits:
                raise CmcError(
                    f"the credits of {op.channel} are given twice",
                    describe_location(op) or side.title,
                )
            credits[op.channel] = op
    slots: dict[Channel, int] = {}
    for core in chip.cores():
        _within(core)
        _apart(core)
        for ring in core.rings():
            slots[ring.channel] = ring.slots.value.data
            _credited(ring, credits[ring.channel], core)
    return slots


def _within(core: CoreOp) -> None:
    capacity = target_of(core).sram_capacity
    for one in core.in_sram():
        if one.start < 0 or one.end > capacity:
            raise CmcError(
                f"{one.title} lies from {one.start} to {one.end}, and the SRAM from 0 to "
                f"{capacity}",
                describe_location(one) or core.title,
            )


def _apart(core: CoreOp) -> None:
    for one, other in pairwise(sorted(core.in_sram(), key=lambda op: op.start)):
        if other.start < one.end:
            raise CmcError(
                f"{other.title} begins at {other.start}, and {one.title} ends at {one.end}: they "
                "overlap",
                describe_location(other) or core.title,
            )


def _credited(ring: RingOp, credits: CreditsOp, core: CoreOp) -> None:
    slots, count = ring.slots.value.data, credits.count.value.data
    where = describe_location(credits) or core.title
    if count > slots:
        raise CmcError(
            f"the writer has {count} credits for the {slots} slots of {ring.channel}: it fills a "
            "slot that was not released",
            where,
        )
    if count < slots:
        raise CmcError(
            f"the writer has {count} credits for the {slots} slots of {ring.channel}: it waits for "
            "room that is there",
            where,
        )
