# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which layer hurts, and which range is wrong: noise of each stage, and what converters clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.ir import Operation

from cmc.accuracy.trials import Inputs, ratio_as_json
from cmc.analog.crossbar import Clipped
from cmc.api import Program
from cmc.dialects.cmpipe import CrossbarOp, StageOp
from cmc.simulator.bulk import Values
from cmc.simulator.crossbars import Conditions, Tile, tiles_of
from cmc.simulator.load import LoadedProgram
from cmc.simulator.watch import Watch

IMAGES = 64
"""How many of the images stages are examined with."""


@dataclass(frozen=True)
class TileNoise:
    """What the converters of a crossbar clip, of all its copies."""

    crossbar: str
    inputs: float | None
    """The share of its inputs that are beyond the range of the DAC; None without one."""
    sums: float | None
    """The share of its sums, of each slice by itself, that are beyond that of the ADC; or None."""

    def as_json(self) -> dict[str, object]:
        return {
            "crossbar": self.crossbar,
            "inputs_clipped": self.inputs,
            "sums_clipped": self.sums,
        }


@dataclass(frozen=True)
class StageNoise:
    """What the crossbars of a stage add to what it writes, and rounding of that on its way.

    The stage is run on the inputs that it has on the chip, with all noise of those before it, and
    once more with exact products. `snr_db` is 10 log10 of the sum of the squares of what it should
    write over that of the differences, of all elements of all images. So it is of the stage alone:
    noise that it is given is in both, and no difference.
    """

    stage: str
    snr_db: float | None
    """None where nothing differs, -inf where only zeros should be written."""
    tiles: tuple[TileNoise, ...]

    def as_json(self) -> dict[str, object]:
        tiles = [tile.as_json() for tile in self.tiles]
        return {"stage": self.stage, "snr_db": ratio_as_json(self.snr_db), "tiles": tiles}


class Examiner:
    """Runs a program's stages on one of its chips as they are, and as they should be."""

    def __init__(self, program: Program):
        self._program = program
        self._watch = Watch({})
        loaded = program.loaded.with_tiles(self._tiles)
        self._watch.stages = {
            one.name: stage.origin
            for one in loaded.programs.values()
            if (stage := stage_of(one)) is not None
        }
        self._values = Values(loaded, self._watch)

    def _tiles(self, program: LoadedProgram) -> Mapping[Operation, Tile]:
        stage = stage_of(program)
        if stage is None:
            return {}

        def clipped(op: CrossbarOp) -> Clipped:
            return self._watch.clipped.setdefault((stage.origin, op.sym_name.data), Clipped())

        return tiles_of(stage, program.iterations, clipped=clipped)

    def __call__(self, inputs: Inputs, seed: int, time: float) -> tuple[StageNoise, ...]:
        """The stages with crossbars, in the order in which they come."""
        self._watch.clear()
        self._program.run_with(self._values, inputs, Conditions(seed, time))
        names = dict.fromkeys(stage for stage, _ in self._watch.clipped)
        return tuple(
            StageNoise(
                name,
                self._watch.noises[name].decibels,
                tuple(
                    TileNoise(
                        crossbar,
                        _share(counts.inputs_beyond, counts.inputs),
                        _share(counts.sums_beyond, counts.sums),
                    )
                    for (stage, crossbar), counts in self._watch.clipped.items()
                    if stage == name
                ),
            )
            for name in names
        )


def exact_values(program: Program) -> Values:
    """The values of a chip whose products are just that."""
    return Values(program.loaded.exact())


def stage_of(program: LoadedProgram) -> StageOp | None:
    """The stage that a program is; None for one of the GCU."""
    for op in program.body[:1]:
        stage = op.parent_op()
        return stage if isinstance(stage, StageOp) else None
    return None


def _share(part: int, all: int) -> float | None:
    return part / all if all else None
