# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The driver of `cmc-opt`."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import IO, NoReturn

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass, PassPipeline
from xdsl.utils.exceptions import DiagnosticException, ParseError, ShrinkException
from xdsl.xdsl_opt_main import xDSLOptMain

from cmc.compiler.pass_list import format_passes, parse_passes
from cmc.diagnostics import describe_error, verify_module
from cmc.errors import CmcError
from cmc.files.output import naming, replacing_text
from cmc.files.parsing import parse_file
from cmc.tools.command import DEBUG_FLAG, dimension, run_tool
from cmc.universe import CMC_UNIVERSE

_PROGRAM = "cmc-opt"


class CmcOptMain(xDSLOptMain):
    """The driver: parse or import, apply passes, verify in between, print."""

    version_format = f"{_PROGRAM} {version('cmc')} on xdsl {{xdsl_version}}"

    line_offset: int
    """Lines of the input file before the chunk that is being parsed."""

    printing_contexts: ExitStack
    """What must last until the whole output is written."""

    weights_printing: AbstractContextManager[object] | None
    """The policy for weights, once there are any."""

    def __init__(self, args: Sequence[str] | None = None):
        self.line_offset = 0
        self.printing_contexts = ExitStack()
        self.weights_printing = None
        super().__init__("Optimizer driver of cmc: MLIR or ONNX in, MLIR out", args)

    def register_all_dialects(self) -> None:
        super().register_all_dialects()
        # Present already when the package is installed: stock discovery finds its entry point.
        known = self.ctx.registered_dialect_names
        for name, factory in CMC_UNIVERSE.all_dialects.items():
            if name not in known:
                self.ctx.register_dialect(name, factory)

    def register_all_passes(self) -> None:
        super().register_all_passes()
        for name, factory in CMC_UNIVERSE.all_passes.items():
            self.available_passes.setdefault(name, factory)

    def register_all_frontends(self) -> None:
        def parse_mlir(stream: IO[bytes]) -> ModuleOp:
            return parse_file(
                self.ctx,
                stream.read(),
                self.get_input_name(),
                line_offset=self.line_offset,
                implicit=not self.args.no_implicit_module,
            )

        def import_onnx(stream: IO[bytes]) -> ModuleOp:
            if self.args.input_file is None:
                raise CmcError("an ONNX network is read from a file", self.get_input_name())
            # External data lies beside the file: its name matters as much as its content.
            from cmc.importer import import_network

            return import_network(
                Path(self.args.input_file),
                dict(self.args.shape),
                host=not self.args.no_host,
            )

        self.available_frontends["mlir"] = parse_mlir
        self.available_frontends["onnx"] = import_onnx

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        arg_parser.allow_abbrev = False
        arg_parser.error = _misuse
        super().register_all_arguments(arg_parser)
        arg_parser.add_argument(
            "--pass-pipeline",
            metavar="PIPELINE",
            help="the passes in MLIR's syntax, such as 'builtin.module(nn-canonicalize)'",
        )
        arg_parser.add_argument(
            "--print-pipeline",
            action="store_true",
            help="print the pipeline, named ones as the passes they stand for, and stop",
        )
        arg_parser.add_argument(
            "--list-passes", action="store_true", help="print the names of all passes and stop"
        )
        arg_parser.add_argument(
            "--shape",
            action="append",
            type=dimension,
            default=[],
            metavar="NAME=N",
            help="the size of a dimension that an ONNX network leaves open (repeatable)",
        )
        arg_parser.add_argument(
            "--no-host",
            action="store_true",
            help="refuse what of an ONNX network no core can have (default: for the host)",
        )
        arg_parser.add_argument(
            "--weights",
            choices=("auto", "inline", "elide"),
            default="auto",
            help="large weights in the output: all of them inline, elided (shape and hash only), or"
            " auto: in a safetensors file beside the one of -o, elided on a terminal, else inline",
        )
        arg_parser.add_argument(
            "--debug", action="store_true", help="show the traceback of an error"
        )

    def setup_pipeline(self) -> None:
        if self.args.passes and self.args.pass_pipeline is not None:
            raise CmcError("give the passes with -p or with --pass-pipeline, not both", _PROGRAM)
        text: str = self.args.passes or self.args.pass_pipeline or ""
        self.pipeline = PassPipeline(parse_passes(self.available_passes, text))

    def run(self) -> None:
        if self.args.list_passes:
            print("\n".join(sorted(self.available_passes)))
        elif self.args.print_pipeline:
            print(format_passes(self.pipeline.passes))
        else:
            path = self.args.output_file
            with ExitStack() as stack:
                output = (
                    sys.stdout if path is None else stack.enter_context(replacing_text(Path(path)))
                )
                self.printing_contexts = stack
                self._process(output)

    def _process(self, output: IO[str]) -> None:
        """Take the input, or each of its chunks, through the pipeline and print the result."""
        try:
            chunks, extension = self.prepare_input()
            for index, (chunk, offset) in enumerate(chunks):
                if index > 0:
                    output.write("// -----\n")
                self.line_offset = offset
                with chunk:
                    self._process_chunk(chunk, extension, output)
        except ShrinkException:
            if not self.args.shrink:
                raise
            print("Success, can shrink")
        else:
            if self.args.shrink:
                raise CmcError("no ShrinkException was raised: can't shrink", _PROGRAM)

    def prepare_input(self) -> tuple[list[tuple[IO[bytes], int]], str]:
        name = self.get_input_name()
        try:
            with naming(name):
                return super().prepare_input()
        except ValueError as error:
            known = ", ".join(f".{extension}" for extension in self.available_frontends)
            message = f"not a known file extension ({known}): say what it holds with --frontend"
            raise CmcError(message, name) from error

    def _process_chunk(self, chunk: IO[bytes], extension: str, output: IO[str]) -> None:
        try:
            with naming(self.get_input_name()):
                module = self.parse_chunk(chunk, extension)
            if module is not None:
                self.apply_passes(module)
                output.write(self.output_resulting_program(module))
        except ParseError as error:
            error.span = replace(error.span, line_offset=self.line_offset)
            if not self.args.parsing_diagnostics:
                raise
            print(describe_error(error))
        except (CmcError, DiagnosticException) as error:
            if not self.args.verify_diagnostics:
                raise
            print(describe_error(error, self.get_input_name()))

    def apply_passes(self, prog: ModuleOp) -> None:
        self._verify(prog)
        passes = self.pipeline.passes
        for index, one in enumerate(passes):
            start = perf_counter()
            self._apply(one, prog)
            if self.args.time_passes:
                print(f"{one.name}: {perf_counter() - start:.3f} s", file=sys.stderr)
            try:
                self._verify(prog)
            except CmcError as error:
                message = f"{error.message} (after pass '{one.name}')"
                raise CmcError(message, error.where, error.node) from error
            if self.args.print_between_passes and index + 1 < len(passes):
                print(f"// IR after {one.name}:\n{self.output_resulting_program(prog)}")

    def _apply(self, one: ModulePass, module: ModuleOp) -> None:
        where = f"pass '{one.name}'"
        try:
            one.apply(self.ctx, module)
        except (ParseError, ShrinkException):
            raise
        except CmcError as error:
            raise error if error.where else CmcError(error.message, where) from error
        except DiagnosticException as error:
            raise CmcError(str(error), where) from error
        except Exception as error:
            message = f"internal error, {DEBUG_FLAG} shows where: {type(error).__name__}: {error}"
            raise CmcError(message, where) from error

    def _verify(self, module: ModuleOp) -> None:
        if not self.args.disable_verify:
            verify_module(module)

    def output_resulting_program(self, prog: ModuleOp) -> str:
        # A module with weights cannot exist before their Python module was imported, and numpy
        # with it: programs without weights are not to wait for that.
        if "cmc.files.weights" in sys.modules and self.weights_printing is None:
            self.weights_printing = self._weights_printing()
            self.printing_contexts.enter_context(self.weights_printing)
        return super().output_resulting_program(prog)

    def _weights_printing(self) -> AbstractContextManager[object]:
        """How large weights are printed, beside the output file or within the text."""
        from cmc.files import weights

        match self.args.weights, self.args.output_file:
            case "elide", _:
                return weights.printing(weights.Elide())
            case "auto", str(path):
                return weights.printing(weights.beside(Path(path)))
            case "auto", _ if sys.stdout.isatty():
                return weights.printing(weights.Elide())
            case _:
                return weights.printing(weights.Inline())


def _misuse(message: str) -> NoReturn:
    raise CmcError(f"{message} (see {_PROGRAM} --help)", _PROGRAM)


def _run(arguments: Sequence[str]) -> int:
    CmcOptMain(arguments).run()
    return 0


def run(arguments: Sequence[str] | None) -> int:
    """Run the tool on a command line; the exit code is 1 when there was an error."""
    return run_tool(_run, arguments)
