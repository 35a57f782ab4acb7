# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The proof of a whole chip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cmc.dialects.cmctrl import ChipOp, MachineKind, MachineOp, ProgramOp
from cmc.fitting.limits import expect_limits
from cmc.proof.live import ProvedChannel, prove_live
from cmc.proof.machines import Driven, MachineKey, prove_machine
from cmc.proof.parts import prove_found, prove_parts
from cmc.proof.programs import ProgramKey, ProvedProgram, prove_program
from cmc.proof.rings import prove_rings
from cmc.widths import CONTROL_BITS, bits_needed


@dataclass(frozen=True, eq=False)
class Known:
    """What was proved, by all that it depends on: layers that differ only in names are alike."""

    programs: set[ProgramKey] = field(default_factory=set[ProgramKey])
    machines: dict[MachineKey, Driven] = field(default_factory=dict[MachineKey, Driven])


def _control(chip: ChipOp) -> Iterator[ProgramOp | MachineOp]:
    for side in (chip.gcu, *chip.cores()):
        yield from side.programs()
    for core in chip.cores():
        yield from core.machines()


def prove(
    chip: ChipOp, known: Known | None = None, width: int = CONTROL_BITS
) -> Mapping[ProgramOp | MachineOp, int]:
    """Prove that the control of a chip that verifies is sound, tight and live.

    The result has the bits of the words in which each program and machine has to compute, of the
    `width` that there are. The chip has no more of anything than its target. CmcError names what is
    wrong: the program, machine, ring or credits, the iteration and what it waits for and need not,
    or does not wait for and must. `known` saves work on chips that are alike in parts.
    """
    widths = {op: bits_needed(op.body.block, width) for op in _control(chip)}
    known = known or Known()
    programs: dict[str, ProvedProgram] = {}
    for side in (chip.gcu, *chip.cores()):
        for op in side.programs():
            program = prove_program(op, side, known.programs)
            programs[program.name] = program
    expect_limits(chip)
    writers = prove_parts(programs.values())
    slots = prove_rings(chip)
    senders = {
        ring.channel: programs[ring.channel.writer].over(ring)
        for core in chip.cores()
        for ring in core.rings()
    }
    for program in programs.values():
        prove_found(program, writers, senders)
    links: list[ProvedChannel] = []
    for core in chip.cores():
        driven = {
            (op.kind.data, op.channel): prove_machine(
                op, core, senders[op.channel], programs[op.channel.reader], known.machines
            )
            for op in core.machines()
        }
        for ring in core.rings():
            channel = ring.channel
            links.append(
                ProvedChannel(
                    channel,
                    programs[channel.writer],
                    programs[channel.reader],
                    senders[channel],
                    driven[MachineKind.READY, channel],
                    driven[MachineKind.FREE, channel],
                    slots[channel],
                )
            )
    prove_live(programs, links)
    return widths
