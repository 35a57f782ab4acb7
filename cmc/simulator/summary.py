"""Make a report of a simulated stream from the times of its iterations."""

from __future__ import annotations

import numpy as np

from cmc.dialects.cmpipe import find_object
from cmc.flow import Starts, Times, Wait, waits
from cmc.poly.evaluate import Ints
from cmc.report import CoreReport, ProgramReport, Report, RingReport
from cmc.simulator.load import Chip, Program


SHOWN = 8
"""Images whose single iterations stand in the report."""


def summarize(chip: Chip, times: Times) -> Report:
    """The report of a stream that is through."""
    starts, images = times.starts, times.images
    waiting = waits(chip.flow, images)
    programs = {
        name: _program(program, starts, waiting[name], images)
        for name, program in chip.programs.items()
    }
    cores = [CoreReport("GCU", tuple(r for n, r in programs.items() if _core(chip, n) is None), ())]
    for core in chip.op.cores():
        name = core.sym_name.data
        rings = tuple(
            RingReport(
                str(ring.channel),
                ring.address.value.data,
                ring.slots.value.data,
                4 * ring.slots.value.data * find_object(ring, ring.object).vector,
            )
            for ring in core.rings()
        )
        own = tuple(r for n, r in programs.items() if _core(chip, n) == name)
        cores.append(CoreReport(name, own, rings))
    cycles = 1 + max(r.last_cycle for r in programs.values())
    return Report(images, cycles, _steady(chip, starts, images), tuple(cores))


def _core(chip: Chip, program: str) -> str | None:
    return chip.programs[program].core


def _program(program: Program, starts: Starts, waits: list[Wait], images: int) -> ProgramReport:
    own = starts[program.name]
    return ProgramReport(
        program.name,
        program.iterations,
        int(own[0]),
        int(own[-1]) + program.latency - 1,
        len(own),
        _waiting(program, starts, waits),
        own.reshape(images, -1)[:SHOWN],
    )


def _waiting(program: Program, starts: Starts, waits: list[Wait]) -> dict[str, int]:
    """Cycles that the program could not begin an iteration in, by what came last."""
    own = starts[program.name]
    free = np.concatenate([own[:1], own[:-1] + program.interval])
    gaps = own - free
    if not waits:
        return {}
    signals = np.stack([_signals(starts, wait) for wait in waits])
    last = signals.argmax(0)
    totals = np.bincount(last, gaps, len(waits)).astype(np.int64)
    return {wait.why: int(total) for wait, total in zip(waits, totals, strict=True) if total}


def _signals(starts: Starts, wait: Wait) -> Ints:
    times = starts[wait.on.name][wait.need - 1] + wait.on.latency
    return np.where(wait.need > 0, times, 0)


def _steady(chip: Chip, starts: Starts, images: int) -> float | None:
    """Cycles from one image's last output to the next one's, once that no longer changes."""
    if images < 3:
        return None
    outputs = {port.object.root_reference.data for port in chip.op.gcu.outputs()}
    ends = np.max(
        [
            starts[p.name].reshape(images, -1)[:, -1] + p.latency
            for p in chip.programs.values()
            if p.writes in outputs
        ],
        axis=0,
    )
    last, before = ends[-1] - ends[-2], ends[-2] - ends[-3]
    return float(last) if last == before else None
