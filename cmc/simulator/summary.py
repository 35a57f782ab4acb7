# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Make a report of a simulated stream from the times of its iterations."""

from __future__ import annotations

from functools import cache
from math import prod

import numpy as np

from cmc.dialects.cmpipe import StageOp, Writer, target_of
from cmc.explain.critical import critical_circuit, critical_path
from cmc.fitting.traffic import hop_bytes
from cmc.reports.report import ConstantsReport, CoreReport, ProgramReport, Report, RingReport
from cmc.simulator.counts import counts
from cmc.simulator.details import details_of
from cmc.simulator.load import Chip, LoadedProgram
from cmc.simulator.trace import trace
from cmc.simulator.usage import around, bound_by, cells, copies, interval_bound, links, loads
from cmc.targets import Target
from cmc.timing.flow import Flow
from cmc.timing.load import bound
from cmc.timing.solver import solve
from cmc.timing.times import Times
from cmc.timing.waiting import Waiting

SHOWN = 8
"""Images whose single iterations stand in the report."""

LONG = 10**6
"""Images of a stream that is long enough for all images after some first ones to be alike."""

_LEAST, _MOST = 8, 1 << 21
"""Images of each pipeline, and iterations, in which it shows whether the same comes again."""


def summarize(chip: Chip, times: Times, cycles_per_image: float | None) -> Report:
    """The report of a stream that is through, and of which this is known of its `steady` state."""
    target, waiting, alone = target_of(chip.op), Waiting(times), _alone(times)
    stream = cache(lambda: long_stream(chip.flow))
    programs = {
        writer.sym_name.data: _program(chip.programs[writer.sym_name.data], writer, waiting, target)
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
        1 + max(r.last_cycle or 0 for r in programs.values()),
        cycles_per_image,
        tuple(cores),
        int(alone.ends(1)[0]),
        bound_by(chip),
        target,
        lambda: _interval(stream()),
        chip.flow.turns,
        interval_bound(chip),
        copies(chip),
        links(chip),
        lambda: hop_bytes(chip.op),
        around(chip),
        examined=lambda: details_of(chip, waiting),
        counted=lambda: counts(chip),
        traced=lambda: trace(chip, waiting, min(SHOWN, times.images)),
        why=lambda: critical_circuit(stream()),
        why_late=lambda: critical_path(alone),
    )


def _alone(times: Times) -> Times:
    """The first image with none after it, which would take units and links from it."""
    if times.images == 1 or (times.flow.turns == 1 and not times.flow.shared):
        return times
    return solve(times.flow, 1, arrivals=False)


def latency_of(flow: Flow) -> int:
    """Cycles until an image is through that is alone."""
    return int(solve(flow, 1, arrivals=False).ends(1)[0])


def interval_of(flow: Flow) -> float | None:
    """Cycles from one image's end to the next one's in a long stream."""
    return _interval(long_stream(flow))


def long_stream(flow: Flow) -> Times:
    """A stream that is long enough for its interval, and no longer than can be gone through.

    Where units or links are shared, the same may come again late, or never in a sensible time.
    """
    iterations = sum(process.iterations for process in flow.processes.values())
    images = max(_LEAST, _MOST // max(iterations, 1)) * flow.turns
    if flow.shared and images < LONG:
        times = solve(flow, images)
        if times.period is None:
            return times
    return solve(flow, LONG, arrivals=False)


def _interval(times: Times) -> float | None:
    """Cycles from one image's end to the next one's in a long stream, or on an average there."""
    if not times.complete:
        return None
    found = steady(times)
    if found is not None:
        return found
    if times.period is None:
        first, last = times.middle()
        ends = np.maximum.accumulate(times.ends(times.images))
        return int(ends[last] - ends[first]) / (last - first)
    return max(times.last(n) + p.latency for n, p in times.flow.processes.items()) / times.images


def _of_core(
    chip: Chip, programs: dict[str, ProgramReport], core: str | None
) -> tuple[ProgramReport, ...]:
    return tuple(r for name, r in programs.items() if chip.programs[name].core == core)


def _program(
    program: LoadedProgram, writer: Writer, waiting: Waiting, target: Target
) -> ProgramReport:
    times = waiting.times
    own, process = times.starts[program.name], times.flow.processes[program.name]
    images = program.turn.images(times.images)
    crossbars = list(writer.crossbars()) if isinstance(writer, StageOp) else []
    return ProgramReport(
        program.name,
        program.iterations,
        own.first if images else None,
        times.last(program.name) + process.latency - 1 if images else None,
        images * program.iterations,
        waiting.of(program.name),
        times.of_images(program.name, program.turn.images(min(SHOWN, times.images))),
        program.iterations * process.pace,
        len(crossbars),
        sum(prod(crossbar.value.shape) for crossbar in crossbars),
        sum(cells(crossbar, target) for crossbar in crossbars),
        program.turn,
    )


def steady(times: Times) -> float | None:
    """Cycles from one image's end to the next one's, once that no longer changes.

    The last images, which fewer others contend with, may come alike and faster than any unit can
    go on: that is no steady state. Nor is it one where those who share a unit or a link go on at
    paces of their own, as parts do that never meet: who is through first leaves it to the others.
    """
    flow, turns = times.flow, times.flow.turns
    sharing = [[p.name for p in side if p.occupies] for side in flow.sides.values()]
    sharing += [[edge.writer for edge, *_ in flow.carried[link]] for link in flow.contended]
    if any(len({times.periods.get(name) for name in names}) > 1 for names in sharing):
        return None
    if times.period is not None:
        return float(times.period) / turns
    if times.images < 3 * turns or any(times.leaps.values()):
        return None
    # Results come out in the order of images.
    ends = np.maximum.accumulate(times.ends(times.images))
    rises = ends[-2 * turns :] - ends[-3 * turns : -turns]
    alike = np.all(rises == rises[0]) and rises[0] >= bound(times.flow).cycles
    return float(rises[0]) / turns if alike else None
