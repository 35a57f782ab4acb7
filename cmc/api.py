# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The library in three steps: `compile` a network, `run` the program, look at the result.

```python
program = cmc.compile("digits.onnx")
result = program.run({"image": images})  # [images, 1, 8, 8]
result.outputs["scores"]                 # [images, 10]
```
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from operator import index
from os import PathLike, fspath
from pathlib import Path
from typing import SupportsIndex, get_args

import numpy as np
from numpy.typing import ArrayLike
from onnx import ModelProto
from xdsl.context import Context
from xdsl.dialects import get_all_dialects as get_stock_dialects
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError

from cmc.calibration import Calibration, Seen
from cmc.collection import seldom_collected
from cmc.compiler.fewer import apply_all
from cmc.compiler.stages import passes_to_chip, staged
from cmc.compiler.standard import AUTO, BufferPolicy
from cmc.compression.advice import advising
from cmc.diagnostics import verify_module
from cmc.dialects import get_all_dialects
from cmc.dialects.cmctrl import ChipOp
from cmc.dialects.cmpipe import PipelineOp
from cmc.errors import CmcError
from cmc.files import weights
from cmc.files.output import replacing_text
from cmc.files.parsing import parse_file
from cmc.fitting.mapped import mapping_of
from cmc.fitting.mapping import write_mapping
from cmc.host.turns import NOTHING, Cores, Turns
from cmc.interface import Interface
from cmc.passes.on_target import put_target
from cmc.reports.html.notebook import rows_of, table
from cmc.reports.report import Report
from cmc.semantics.network import Network
from cmc.semantics.tensors import Floats
from cmc.simulator import Mode, Result, Simulator, chip_of
from cmc.simulator.bulk import Values
from cmc.simulator.crossbars import NEW, Conditions
from cmc.simulator.load import Chip
from cmc.simulator.pipeline import Pipeline, pipeline_of
from cmc.streams import Shapes, Stream, check_stream, count_images
from cmc.targets import IDEAL, find_target
from cmc.track import Track, no_track

__all__ = [
    "Hosted",
    "Interface",
    "Network",
    "Pipeline",
    "Program",
    "Result",
    "compile",
    "load",
    "load_level",
]


class Program(Interface):
    """A network as a configured chip."""

    module: ModuleOp
    """The `cmctrl` level: what `cmc-opt` prints, and what the simulator executes."""

    @property
    def result_shapes(self) -> dict[str, tuple[int, ...] | None]:
        """The shape of the tensor that each output is for one image; None if that depends on it."""
        ports = chip_of(self.module).gcu.outputs() if self.has_chip else ()
        shapes = {op.tensor_name.data: op.tensor.get_shape() for op in ports}
        return dict(shapes) if self._turns is None else self._turns.result_shapes(shapes)

    @property
    def has_chip(self) -> bool:
        """Whether anything of the network is on the cores."""
        return any(isinstance(op, ChipOp) for op in self.module.ops)

    @cached_property
    @seldom_collected()
    def _simulator(self) -> Simulator:
        return Simulator(chip_of(self.module))

    @property
    def loaded(self) -> Chip:
        """The chip as it is executed; later changes of the module are not seen in it."""
        return self._simulator.chip

    def run(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        mode: Mode = "bulk",
        track: Track = no_track,
        seed: int = 0,
        time: float = 0.0,
        first: int = 0,
    ) -> Result:
        """Stream images through the chip, each array `[images, ...]`.

        On a target whose crossbars differ from chip to chip, `seed` is the chip, and `time` how
        many seconds ago they were programmed; `first` is which image of a longer stream the first
        one is: what is random is the same for an image, however a stream is cut.

        Outputs are float32, but for those that the host computes, which are of their own types. The
        module is loaded by the first run; later changes of it are not seen. Raises `CmcError` for
        arrays that do not fit, and where the host fails; and what the simulator raises for a
        program whose control is wrong.
        """
        if mode not in get_args(Mode):
            raise CmcError(f"mode is {' or '.join(get_args(Mode))}, not {mode!r}")
        conditions = Conditions(_whole(seed, "a seed"), time, _whole(first, "the first image"))
        report: Report | None = None

        def compute(stream: Stream) -> Mapping[str, Floats]:
            nonlocal report
            result = self._simulator.run(stream, mode, track, conditions)
            report = result.report
            return result.outputs

        outputs = self._outputs(inputs, compute)
        if report is None:
            images = count_images({name: np.asarray(array) for name, array in inputs.items()})
            report = Report(images, 0, None, ())
        host = () if self._turns is None else self._turns.reports()
        return Result(outputs, replace(report, host=host))

    def run_with(
        self,
        values: Values,
        inputs: Mapping[str, ArrayLike],
        conditions: Conditions = NEW,
        track: Track = no_track,
    ) -> dict[str, Floats]:
        """The outputs of a stream where other `values` of the chip's dataflow are computed.

        Those of `loaded.with_tiles(...)`, which has other crossbars. What is raised is as for
        `run`.
        """
        return self._outputs(inputs, lambda stream: values(stream, track, conditions))

    def calibrate(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        percentile: float = 100,
        track: Track = no_track,
    ) -> tuple[Seen, ...]:
        """Give converters the ranges of what goes through them for some images, in the module.

        Each array is `[images, ...]`. Largest inputs of crossbars, and largest sums of columns, are
        those of exact products; what is beyond is clipped from then on. With a `percentile` below
        100, only so many % of those that are not 0 are within the ranges, to 1 % of these. Raises
        `CmcError` if the target has no converters, and for what `run` does.
        """
        if not self.has_chip:
            raise CmcError("nothing of the network is on the cores: there is no crossbar")
        calibration = Calibration(self.loaded, percentile)
        self.run_with(Values(calibration.dataflow), inputs, track=track)
        calibration.set_ranges()
        self.__dict__.pop("_simulator", None)
        return calibration.seen

    def _outputs(
        self,
        inputs: Mapping[str, ArrayLike],
        compute: Callable[[Stream], Mapping[str, Floats]],
    ) -> dict[str, Floats]:
        """All outputs, where `compute` is what the chip computes of a stream that it takes."""

        def checked(stream: Stream) -> Mapping[str, Floats]:
            return compute(self._entering(stream))

        if self._turns is None:
            return dict(checked(check_stream(self.inputs, inputs, self.states)))
        return self._turns.run(inputs, self._cores, checked)

    @seldom_collected()
    def time(self, images: int) -> Report:
        """Exactly how long a stream of any number of images takes, without their values.

        What the host takes is not known, and not in it.
        """
        images = _whole(images, "the number of images")
        if images < 1:
            raise CmcError(f"a stream has at least 1 image, not {images}")
        if self._turns is None:
            return self._simulator.time(images)
        if not self.has_chip:
            raise CmcError("nothing of the network is on the cores, so that there is no time")
        return replace(self._simulator.time(images), host=self._turns.reports())

    def _repr_html_(self) -> str:
        """What notebooks show: what goes in and comes out, and how long an image takes."""
        ports = {
            f"{what} {name}": str(list(shape))
            for what, shapes in (("input", self.inputs), ("output", self.outputs))
            for name, shape in shapes.items()
        }
        return table({**ports, **(rows_of(self.time(1)) if self.has_chip else {})})

    def save_mapping(self, path: str | PathLike[str]) -> None:
        """Write copies, cores and places as a file, from which `compile` makes the same chip."""
        if not self.has_chip:
            raise CmcError("nothing of the network is on the cores: there is no mapping to write")
        write_mapping(mapping_of(chip_of(self.module)), Path(path))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the module as text, its large weights to a safetensors file beside it."""
        path = Path(path)
        with (
            replacing_text(path) as stream,
            weights.printing(weights.beside(path)),
        ):
            Printer(stream).print_op(self.module)
            stream.write("\n")
            stream.flush()


@seldom_collected()
def compile(
    model: str | PathLike[str] | ModelProto,
    *,
    shapes: Mapping[str, int] | None = None,
    buffers: BufferPolicy = "throughput",
    target: str | PathLike[str] = IDEAL.name,
    copies: str | PathLike[str] = AUTO,
    place: str | PathLike[str] = AUTO,
    host: bool = True,
    states: Mapping[str, str] | None = None,
    check: Callable[[Interface], None] | None = None,
    track: Track = no_track,
) -> Program:
    """Compile an ONNX network.

    `shapes` gives values to dimensions that the model leaves open, by their names; `buffers` says
    how the rings of the channels are sized; `target` is what to compile for, a preset or a TOML
    file that describes it; `copies` of slow stages are made where it has room for them (`auto`), as
    a mapping file says, or not (`none`); `place` is `auto`, or a mapping file that says which cores
    run which stages, and where they are; `host` lets the host compute what no core can have, but
    not beside states; `states` has the inputs that are outputs of the image before, by the names of
    these outputs; `check` is given inputs and outputs as soon as these are known, and may raise an
    error before a chip is made; `track` goes through the passes. Raises `CmcError` for what cannot
    be compiled.
    """
    if buffers not in get_args(BufferPolicy):
        raise CmcError(f"buffers is one of {', '.join(get_args(BufferPolicy))}, not {buffers!r}")
    find_target(fspath(target))
    given = shapes or {}
    sizes = {name: _whole(size, f"the size of '{name}'") for name, size in given.items()}
    source = model if isinstance(model, ModelProto) else Path(model)
    context = make_context()
    module = staged(source, sizes, states, host, context)
    if check is not None:
        check(Interface(module))
    if any(isinstance(op, PipelineOp) for op in module.ops):
        put_target(module, fspath(target))
        passes = passes_to_chip(buffers, fspath(copies), fspath(place))
        with advising(source, fspath(target), sizes, track):
            apply_all(track(passes, "compiling"), context, module)
    return Program(module)


def _whole(number: SupportsIndex, what: str) -> int:
    """An integer of Python's or numpy's; `CmcError` for another number."""
    try:
        return index(number)
    except TypeError as error:
        raise CmcError(f"{what} is a whole number, not {number}") from error


class Hosted:
    """A module of a level above a chip, of which the host computes parts."""

    def __init__(self, turns: Turns, cores: Pipeline | Network | None):
        self._turns = turns
        self._level = cores
        self._cores = NOTHING if cores is None else Cores(cores.inputs, cores.outputs)
        turns.check(self._cores)

    @property
    def inputs(self) -> Shapes:
        """The shape of one image by input name, without the axis that counts the images."""
        return self._turns.inputs(self._cores)

    @property
    def outputs(self) -> Shapes:
        """The shape of one image's result by output name; -1 for what depends on the image."""
        return self._turns.outputs(self._cores)

    @property
    def states(self) -> dict[str, str]:
        """None: a network with states is all on the cores."""
        return {}

    def run(self, inputs: Mapping[str, ArrayLike], track: Track = no_track) -> dict[str, Floats]:
        """The outputs of a stream, as those of `Program.run`."""

        def compute(stream: Stream) -> Mapping[str, Floats]:
            assert self._level is not None
            return self._level.run(stream, track)

        return self._turns.run(inputs, self._cores, compute)


def load(path: str | PathLike[str]) -> Program:
    """Read a program that `save` or `cmc-opt` wrote; raises `CmcError` for one that is wrong."""
    module = _read_module(path)
    with _about(path):
        return _program(module)


def _program(module: ModuleOp) -> Program:
    program = Program(module)
    if not program.has_host or program.has_chip:
        chip_of(module)
    return program


def load_level(path: str | PathLike[str]) -> Program | Pipeline | Network | Hosted:
    """Read a module of any level that `cmc-opt` wrote: a chip, a pipeline or a network.

    Raises `CmcError` for one that is wrong.
    """
    module = _read_module(path)
    with _about(path):
        if any(isinstance(op, ChipOp) for op in module.ops):
            return _program(module)
        turns, level = Turns.of(module), _level(module)
        if turns is not None:
            return _program(module) if level is None else Hosted(turns, level)
        if level is None:
            raise CmcError(
                "expected a cmctrl.chip, a cmpipe.pipeline or a func.func of nn operators"
            )
        return level


def _level(module: ModuleOp) -> Pipeline | Network | None:
    if any(isinstance(op, PipelineOp) for op in module.ops):
        return Pipeline(pipeline_of(module))
    return Network(module) if any(isinstance(op, FuncOp) for op in module.ops) else None


def _read_module(path: str | PathLike[str]) -> ModuleOp:
    try:
        module = parse_file(make_context(), Path(path).read_bytes(), str(path))
    except ParseError as error:
        raise CmcError(error.msg, str(error.span.get_location())) from error
    verify_module(module)
    return module


@contextmanager
def _about(path: str | PathLike[str]) -> Generator[None]:
    """Let an error that names no place name the file."""
    try:
        yield
    except CmcError as error:
        raise CmcError(error.message, error.where or str(path)) from error


def make_context() -> Context:
    """A context that knows the dialects of this package and those of xDSL."""
    context = Context()
    for name, factory in {**get_stock_dialects(), **get_all_dialects()}.items():
        context.register_dialect(name, factory)
    return context
