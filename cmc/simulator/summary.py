"""Make a report of a simulated stream from the times of its iterations."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from cmc.dialects.cmpipe import StageOp, Writer, target_of
from cmc.poly.evaluate import Ints
from cmc.reports.report import ConstantsReport, CoreReport, ProgramReport, Report, RingReport
from cmc.simulator.load import Chip, LoadedProgram
from cmc.simulator.usage import bound_by, cells, loads
from cmc.targets import Target
from cmc.timing.runs import Runs
from cmc.timing.solver import Times, solve

SHOWN = 8
"""Images whose single iterations stand in the report."""

LONG = 10**6
"""Images of a stream that is long enough for all images after some first ones to be alike."""


def summarize(chip: Chip, times: Times) -> Report:
    """The report of a stream that is through."""
    target = target_of(chip.op)
    programs = {
        writer.sym_name.data: _program(chip.programs[writer.sym_name.data], writer, times, target)
        for side in (chip.op.gcu, *chip.op.cores())
        for writer in side.writers()
    }
    cores = [CoreReport("GCU", _of_core(chip, programs, None), (), (), loads(chip, chip.op.gcu))]
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
        ran = _of_core(chip, programs, name)
        cores.append(CoreReport(name, ran, rings, constants, loads(chip, core)))
    return Report(
        times.images,
        1 + max(r.last_cycle for r in programs.values()),
        _steady(times),
        tuple(cores),
        int(times.ends(1)[0]),
        bound_by(chip),
        target,
        lambda: _interval(chip),
    )


def _interval(chip: Chip) -> float | None:
    """Cycles from one image's end to the next one's in a long stream."""
    times = solve(chip.flow, LONG)
    return _steady(times) if times.complete else None


def _of_core(
    chip: Chip, programs: dict[str, ProgramReport], core: str | None
) -> tuple[ProgramReport, ...]:
    return tuple(r for name, r in programs.items() if chip.programs[name].core == core)


def _program(program: LoadedProgram, writer: Writer, times: Times, target: Target) -> ProgramReport:
    own, process = times.starts[program.name], times.flow.processes[program.name]
    crossbars = list(writer.crossbars()) if isinstance(writer, StageOp) else []
    return ProgramReport(
        program.name,
        program.iterations,
        own.first,
        own.last + process.latency - 1 + times.repeats(program.name),
        times.images * program.iterations,
        _waiting(program, times),
        times.of_images(program.name, min(SHOWN, times.images)),
        program.iterations * process.pace,
        len(crossbars),
        sum(prod(crossbar.value.shape) for crossbar in crossbars),
        sum(cells(crossbar, target) for crossbar in crossbars),
    )


def _waiting(program: LoadedProgram, times: Times) -> dict[str, int]:
    """Cycles that the program could not begin an iteration in, by what came last."""
    own, process = times.starts[program.name], times.flow.processes[program.name]
    earliest = Runs.joined([Runs.line(1, own.first), own.head(own.length - 1) + process.pace])
    gaps, latest = own - earliest, Runs.line(own.length, 0)
    # An image that is not solved waits as the last one that is.
    repeated = times.images - times.solved
    waiting: dict[str, int] = {}
    counted = 0

    def gaps_at_zeros(where: Runs) -> int:
        ends = own.length - program.iterations
        repeats = _sum_at_zeros(gaps.tail(ends), where.tail(ends)) if repeated else 0
        return _sum_at_zeros(gaps, where) + repeated * repeats

    for why, there in (*_signals(program, times), *_units(program, times)):
        latest = latest.maximum(there)
        total = gaps_at_zeros(own - latest)
        # What came before it, and came last, too, has its share already.
        if total > counted:
            waiting[why] = total - counted
        counted = total
    return waiting


def _signals(program: LoadedProgram, times: Times) -> Iterator[tuple[str, Runs]]:
    """What the program's iterations wait for of others, and when it is there for each."""
    own = times.starts[program.name]
    for wait in times.waits[program.name]:
        on = times.starts[wait.on.name] + wait.on.latency
        yield wait.why, wait.signals(Runs.joined([Runs.line(1, 0), on]), own.length)


def _units(program: LoadedProgram, times: Times) -> Iterator[tuple[str, Runs]]:
    """The units that the program's iterations take, and when who had one before gave it back."""
    process = times.flow.processes[program.name]
    own = times.starts[program.name].expanded() if process.occupies else np.zeros(0, np.int64)
    for unit in process.occupies:
        taken = [np.full(1, -1)]
        given_back = [np.zeros(1, np.int64)]
        for other in times.flow.sides[process.side]:
            if unit in other.occupies:
                starts = _until(times, other.name, int(own[-1]))
                taken.append(starts)
                given_back.append(starts + other.occupies[unit])
        starts = np.sort(np.concatenate(taken))
        ends = np.sort(np.concatenate(given_back))
        # Nobody takes a unit that another one has: they end in the order in which they begin.
        yield f"the {unit} unit", Runs.array(ends[np.searchsorted(starts, own) - 1])


def _until(times: Times, process: str, cycle: int) -> Ints:
    """When a process's iterations begin, at least as far as up to a cycle."""
    images = times.solved
    starts = times.of_images(process, images)
    while starts.last < cycle and images < times.images:
        images = min(2 * images, times.images)
        starts = times.of_images(process, images)
    return starts.expanded()


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
