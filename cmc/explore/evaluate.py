# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What comes of a design, and what of the work for it is kept for the next one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Generic, TypeVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.api import Program, make_context
from cmc.compiler.fewer import apply_all
from cmc.compiler.stages import passes_to_chip, staged
from cmc.dialects.cmpipe import PipelineOp
from cmc.errors import CmcError
from cmc.explore.objectives import Figures, figures_of, figures_of_target
from cmc.explore.outcome import Outcome
from cmc.explore.point import Point
from cmc.passes.cmpipe_tile_crossbars import what_cuts
from cmc.passes.on_target import put_target
from cmc.targets import find_target

_T = TypeVar("_T")


class _Kept(Generic[_T]):
    """The last few of what was made, or the error that it was."""

    def __init__(self, count: int):
        self._count = count
        self._made: OrderedDict[str, _T | CmcError] = OrderedDict()

    def get(self, key: object, make: Callable[[], _T]) -> _T:
        name = repr(key)
        if name not in self._made:
            try:
                self._made[name] = make()
            except CmcError as error:
                self._made[name] = error
            while len(self._made) > self._count:
                self._made.popitem(last=False)
        self._made.move_to_end(name)
        found = self._made[name]
        if isinstance(found, CmcError):
            raise CmcError(found.message, found.where, found.node)
        return found


class Evaluator:
    """Compiles and times designs one after the other.

    A network is imported and cut into stages once, and its matrices are cut once for crossbars of
    one size, as long as designs that share that follow each other.
    """

    def __init__(self) -> None:
        self._context = make_context()
        self._staged: _Kept[ModuleOp] = _Kept(2)
        self._tiled: _Kept[ModuleOp] = _Kept(2)

    def __call__(self, point: Point) -> Outcome:
        """What comes of it. Whatever is wrong with a design is its outcome."""
        start = perf_counter()
        figures, reason = None, None
        try:
            program = self.program(point)
            figures = {
                **figures_of_target(point.target),
                **figures_of(program.time(point.images)),
                **_accuracy(program, point),
            }
        except CmcError as error:
            reason = str(error)
        except MemoryError:
            reason = "out of memory"
        except Exception as error:
            reason = f"internal error: {type(error).__name__}: {error}"
        return Outcome(figures, reason, round(perf_counter() - start, 3))

    def program(self, point: Point) -> Program:
        """A design as a chip; CmcError where it cannot be one."""
        cut, *passes = passes_to_chip(**point.to_chip)
        module = self._tiled.get(
            (point.network, point.to_stages, what_cuts(find_target(point.target))),
            lambda: self._tile(point, cut),
        ).clone()
        put_target(module, point.target)
        if any(isinstance(op, PipelineOp) for op in module.ops):
            apply_all(passes, self._context, module)
        return Program(module)

    def _tile(self, point: Point, cut: ModulePass) -> ModuleOp:
        module = self._staged.get(
            (point.network, point.to_stages), lambda: self._stage(point)
        ).clone()
        put_target(module, point.target)
        cut.apply(self._context, module)
        return module

    def _stage(self, point: Point) -> ModuleOp:
        return staged(Path(point.network), **point.to_stages, context=self._context)


def _accuracy(program: Program, point: Point) -> Figures:
    """What is asked of the accuracy of a design."""
    asked = point.accuracy
    if asked is None:
        return {}
    # Who asks nothing of it need not import what it takes.
    from cmc.accuracy.images import read_images
    from cmc.accuracy.measure import measure

    labels, network, times = Path(asked.labels), Path(point.network), [asked.time]
    inputs, classes = read_images(program, [asked.inputs], labels, asked.images, asked.output)
    found = measure(program, network, inputs, classes, times, asked.trials, output=asked.output)
    (moment,) = found.moments
    return {
        "accuracy.top1": moment.top1.mean,
        "accuracy.top1_deviation": moment.top1.deviation,
        "accuracy.top5": moment.top5.mean,
        "accuracy.float_top1": found.top1,
        "accuracy.scores_snr_db": moment.scores_snr_db,
    }
