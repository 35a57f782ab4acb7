# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What more room in a ring would change: the equations are solved again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cmc.dialects.cmpipe import target_of
from cmc.reports.help import Figures
from cmc.reports.report import Report
from cmc.simulator.load import Chip, Ring
from cmc.simulator.summary import interval_of, latency_of


@dataclass(frozen=True)
class RingStep:
    """A ring with some slots more."""

    ring: Ring
    slots: int
    """How many more."""

    @property
    def title(self) -> str:
        slots = self.ring.slots
        return f"{self.ring.channel}: {slots} to {slots + self.slots} slots"


def ring_steps(chip: Chip, report: Report) -> Iterator[RingStep]:
    """A slot, and a row, more in each ring that the critical circuit and the path wait for.

    Others cannot help where no units or links are shared: these waits stay as long as they are.
    Where some are, any wait may matter: rings are all those that anything waited for.
    """
    chains = (report.critical, report.critical_path)
    waits = [one for chain in chains if chain is not None for one in chain.links.summed]
    waited = {one.what for one in waits if one.kind == "room"}
    if chip.flow.shared:
        programs = (program for core in report.cores for program in core.programs)
        whys = {why for program in programs for why, cycles in program.waiting.items() if cycles}
        waited |= {why.removeprefix("room in ") for why in whys if why.startswith("room in ")}
    for ring in chip.rings:
        if str(ring.channel) in waited:
            yield RingStep(ring, 1)
            shape = ring.part.object.shape
            row = -(-ring.part.count // shape[0]) if shape else 1
            if row > 1:
                yield RingStep(ring, row)


def with_ring(chip: Chip, report: Report, step: RingStep) -> Figures | str:
    """What a chip comes to with that; or why it cannot be."""
    target, title = target_of(chip.op), str(step.ring.channel)
    needed = report.sram_bytes
    for core in report.cores:
        for ring in core.rings:
            if ring.channel == title:
                bytes = core.sram_bytes + ring.bytes // ring.slots * step.slots
                if bytes > target.sram_capacity:
                    return f"@{core.name} needs {bytes:,} of {target.sram_capacity:,} bytes of SRAM"
                needed = max(needed, bytes)
    slots = [edge.slots + (step.slots if edge.title == title else 0) for edge in chip.flow.edges]
    flow = chip.flow.with_slots(slots)
    interval = interval_of(flow)
    changed = replace(report, longer=lambda: interval, cycles_per_image=None)
    changed = replace(changed, latency=latency_of(flow))
    return replace(changed.figures, sram_bytes=needed)
