"""Make a report of a simulated stream from the times of its iterations."""

from __future__ import annotations

import numpy as np

from cmc.reports.report import ConstantsReport, CoreReport, ProgramReport, Report, RingReport
from cmc.simulator.load import Chip, LoadedProgram
from cmc.timing.runs import Runs
from cmc.timing.solver import Times

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
    return Report(times.images, cycles, _steady(times), tuple(cores))


def _of_core(
    chip: Chip, programs: dict[str, ProgramReport], core: str | None
) -> tuple[ProgramReport, ...]:
    return tuple(r for name, r in programs.items() if chip.programs[name].core == core)


def _program(program: LoadedProgram, times: Times) -> ProgramReport:
    own, latency = times.starts[program.name], times.flow.processes[program.name].latency
    return ProgramReport(
        program.name,
        program.iterations,
        own.first,
        own.last + latency - 1 + times.repeats(program.name),
        times.images * program.iterations,
        _waiting(program, times),
        times.of_images(program.name, min(SHOWN, times.images)),
    )


def _waiting(program: LoadedProgram, times: Times) -> dict[str, int]:
    """Cycles that the program could not begin an iteration in, by what came last."""
    own, interval = times.starts[program.name], times.flow.processes[program.name].interval
    earliest = Runs.joined([Runs.line(1, own.first), own.head(own.length - 1) + interval])
    gaps, latest = own - earliest, Runs.line(own.length, 0)
    # An image that is not solved waits as the last one that is.
    repeated = times.images - times.solved
    waiting: dict[str, int] = {}
    counted = 0
    for wait in times.waits[program.name]:
        on = times.starts[wait.on.name] + wait.on.latency
        latest = latest.maximum(wait.signals(Runs.joined([Runs.line(1, 0), on]), own.length))
        short = own - latest
        total = _sum_at_zeros(gaps, short)
        if repeated:
            ends = own.length - program.iterations
            total += repeated * _sum_at_zeros(gaps.tail(ends), short.tail(ends))
        # What came before it, and came last, too, has its share already.
        if total > counted:
            waiting[wait.why] = total - counted
        counted = total
    return waiting


def _sum_at_zeros(values: Runs, where: Runs) -> int:
    """The sum of those values at whose places a sequence that is nowhere negative is 0."""
    values, where = values.split(where.starts), where.split(values.starts)
    if values.is_array:
        return int(values.values[where.values == 0].sum())
    counts = values.counts
    sums = counts * (values.values + values.lasts) // 2
    first, last = where.values == 0, where.lasts == 0
    ends = np.where(first, values.values, np.where(last, values.lasts, 0))
    return int(np.where(first & last, sums, ends).sum())


def _steady(times: Times) -> float | None:
    """Cycles from one image's end to the next one's, once that no longer changes."""
    if times.periods:
        return float(max(times.periods.values()))
    if times.images < 3:
        return None
    ends = times.ends(times.solved)
    last, before = ends[-1] - ends[-2], ends[-2] - ends[-3]
    return float(last) if last == before else None
