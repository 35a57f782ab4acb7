"""The library in three steps: `compile` a network, `run` the program, look at the result.

```python
program = cmc.compile("digits.onnx")
result = program.run({"image": images})  # [images, 1, 8, 8]
result.outputs["scores"]                 # [images, 10]
```
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from operator import index
from os import PathLike, fspath
from pathlib import Path
from typing import SupportsIndex, get_args

from numpy.typing import ArrayLike
from onnx import ModelProto
from xdsl.context import Context
from xdsl.dialects import get_all_dialects as get_stock_dialects
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError

from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import AUTO, BufferPolicy, standard_pipeline
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
from cmc.importer import import_model
from cmc.passes import get_all_passes
from cmc.reports.report import Report
from cmc.semantics.network import Network
from cmc.simulator import Mode, Result, Simulator, chip_of
from cmc.simulator.pipeline import Pipeline, pipeline_of
from cmc.simulator.ports import port_shapes
from cmc.streams import check_stream
from cmc.targets import IDEAL, find_target
from cmc.track import Track, no_track

__all__ = ["Network", "Pipeline", "Program", "Result", "compile", "load", "load_level"]


class Program:
    """A network as a configured chip."""

    module: ModuleOp
    """The `cmctrl` level: what `cmc-opt` prints, and what the simulator executes."""

    def __init__(self, module: ModuleOp):
        self.module = module

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of one image by input name, without the axis that counts the images."""
        return port_shapes(chip_of(self.module).gcu.inputs())

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of one image's result by output name."""
        return port_shapes(chip_of(self.module).gcu.outputs())

    @cached_property
    def _simulator(self) -> Simulator:
        return Simulator(chip_of(self.module))

    def run(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        mode: Mode = "bulk",
        track: Track = no_track,
    ) -> Result:
        """Stream images through the chip, each array `[images, ...]`.

        The module is loaded by the first run; later changes of it are not seen. Raises `CmcError`
        for arrays that do not fit, and what the simulator raises for a program whose control is
        wrong.
        """
        if mode not in get_args(Mode):
            raise CmcError(f"mode is {' or '.join(get_args(Mode))}, not {mode!r}")
        return self._simulator.run(check_stream(self.inputs, inputs), mode, track)

    def time(self, images: int) -> Report:
        """Exactly how long a stream of any number of images takes, without their values."""
        images = _whole(images, "the number of images")
        if images < 1:
            raise CmcError(f"a stream has at least 1 image, not {images}")
        return self._simulator.time(images)

    def save_mapping(self, path: str | PathLike[str]) -> None:
        """Write copies, cores and places as a file, from which `compile` makes the same chip."""
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


def compile(
    model: str | PathLike[str] | ModelProto,
    *,
    shapes: Mapping[str, int] | None = None,
    buffers: BufferPolicy = "throughput",
    target: str | PathLike[str] = IDEAL.name,
    copies: str | PathLike[str] = AUTO,
    place: str | PathLike[str] = AUTO,
    track: Track = no_track,
) -> Program:
    """Compile an ONNX network.

    `shapes` gives values to dimensions that the model leaves open, by their names; `buffers` says
    how the rings of the channels are sized; `target` is what to compile for, a preset or a TOML
    file that describes it; `copies` of slow stages are made where it has room for them (`auto`), as
    a mapping file says, or not (`none`); `place` is `auto`, or a mapping file that says which cores
    run which stages, and where they are; `track` goes through the passes. Raises `CmcError` for
    what cannot be compiled.
    """
    if buffers not in get_args(BufferPolicy):
        raise CmcError(f"buffers is one of {', '.join(get_args(BufferPolicy))}, not {buffers!r}")
    find_target(fspath(target))
    given = shapes or {}
    sizes = {name: _whole(size, f"the size of '{name}'") for name, size in given.items()}
    source = model if isinstance(model, ModelProto) else Path(model)
    module = import_model(source, sizes)
    context = make_context()
    names = standard_pipeline(buffers, fspath(target), fspath(copies), fspath(place))
    passes = parse_passes(get_all_passes(), ",".join(names))
    with advising(source, fspath(target), sizes, track):
        for one in track(passes, "compiling"):
            one.apply(context, module)
    return Program(module)


def _whole(number: SupportsIndex, what: str) -> int:
    """An integer of Python's or numpy's; `CmcError` for another number."""
    try:
        return index(number)
    except TypeError as error:
        raise CmcError(f"{what} is a whole number, not {number}") from error


def load(path: str | PathLike[str]) -> Program:
    """Read a program that `save` or `cmc-opt` wrote; raises `CmcError` for one that is wrong."""
    module = _read_module(path)
    with _about(path):
        chip_of(module)
    return Program(module)


def load_level(path: str | PathLike[str]) -> Program | Pipeline | Network:
    """Read a module of any level that `cmc-opt` wrote: a chip, a pipeline or a network.

    Raises `CmcError` for one that is wrong.
    """
    module = _read_module(path)
    with _about(path):
        if any(isinstance(op, ChipOp) for op in module.ops):
            chip_of(module)
            return Program(module)
        if any(isinstance(op, PipelineOp) for op in module.ops):
            return Pipeline(pipeline_of(module))
        if any(isinstance(op, FuncOp) for op in module.ops):
            return Network(module)
        raise CmcError("expected a cmctrl.chip, a cmpipe.pipeline or a func.func of nn operators")


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
