"""Make a report of a simulated stream from the times of its iterations."""

from __future__ import annotations

import numpy as np

from cmc.flow import Times, Wait
from cmc.poly.evaluate import Ints
from cmc.report import ConstantsReport, CoreReport, ProgramReport, Report, RingReport
from cmc.simulator.load import Chip, LoadedProgram

SHOWN = 8
"""Images whose single iterations stand in the report."""


def summarize(chip: Chip, times: Times) -> Report:
    """The report of a stream that is through."""
    programs = {name: _program(program, times) for name, program in chip.programs.items()}
    cores = [CoreReport("GCU", _of_core(chip, programs, None), ())]
    for core in chip.op.cores():
        rings = tuple(
            RingReport(str(ring.channel), ring.start, ring.slots.value.data, ring.bytes)
            for ring in core.rings()
        )
        constants = tuple(
            ConstantsReport(op.stage.root_reference.data, op.start, op.bytes)
            for op in core.constants()
        )
        name = core.sym_name.data
        cores.append(CoreReport(name, _of_core(chip, programs, name), rings, constants))
    cycles = 1 + max(r.last_cycle for r in programs.values())
    return Report(times.images, cycles, _steady(chip, times), tuple(cores))


def _of_core(
    chip: Chip, programs: dict[str, ProgramReport], core: str | None
) -> tuple[ProgramReport, ...]:
    return tuple(r for name, r in programs.items() if chip.programs[name].core == core)


def _program(program: LoadedProgram, times: Times) -> ProgramReport:
    own = times.starts[program.name]
    repeated = times.images - times.solved
    starts = times.of_images(program.name, min(SHOWN, times.images))
    starts.flags.writeable = False
    return ProgramReport(
        program.name,
        program.iterations,
        int(own[0]),
        int(own[-1]) + program.latency - 1 + repeated * (times.period or 0),
        times.images * program.iterations,
        _waiting(program, times),
        starts,
    )


def _waiting(program: LoadedProgram, times: Times) -> dict[str, int]:
    """Cycles that the program could not begin an iteration in, by what came last."""
    waits = times.waits[program.name]
    if not waits:
        return {}
    own = times.starts[program.name]
    gaps = own - np.append(own[0], own[:-1] + program.interval)
    late = np.flatnonzero(gaps)
    last = np.stack([_signals(times, wait, late) for wait in waits]).argmax(0)
    of_last_image = late >= len(own) - program.iterations
    totals, of_last = (
        np.bincount(last[part], gaps[late][part], len(waits)).astype(np.int64).tolist()
        for part in (slice(None), of_last_image)
    )
    # An image that is not solved waits as the last one that is.
    repeated = times.images - times.solved
    return {
        wait.why: cycles
        for wait, total, again in zip(waits, totals, of_last, strict=True)
        if (cycles := total + repeated * again)
    }


def _signals(times: Times, wait: Wait, iterations: Ints) -> Ints:
    """When what some iterations wait for was there."""
    need = wait.need[iterations]
    return np.where(need > 0, times.starts[wait.on.name][need - 1] + wait.on.latency, 0)


def _steady(chip: Chip, times: Times) -> float | None:
    """Cycles from one image's end to the next one's, once that no longer changes."""
    if times.period is not None:
        return float(times.period)
    if times.images < 3:
        return None
    ends = np.max(
        [
            times.starts[p.name].reshape(times.solved, -1)[:, -1] + p.latency
            for p in chip.programs.values()
        ],
        axis=0,
    )
    last, before = ends[-1] - ends[-2], ends[-2] - ends[-3]
    return float(last) if last == before else None
