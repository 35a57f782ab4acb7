# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The way down in two parts: to stages, whatever the target is, and from them to a chip."""

from collections.abc import Mapping
from pathlib import Path

from onnx import ModelProto
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.compiler.fewer import apply_all
from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import AUTO, BufferPolicy, standard_pipeline
from cmc.errors import CmcError
from cmc.importer import import_network
from cmc.passes import get_all_passes
from cmc.passes.convert_nn_to_cmpipe import ConvertNnToCmpipePass


def staged(
    source: Path | ModelProto,
    sizes: Mapping[str, int],
    states: Mapping[str, str] | None,
    host: bool,
    context: Context,
) -> ModuleOp:
    """A network cut into stages, in pipelines for no target yet; CmcError for what can be none.

    With `host`, nodes that can be no stage are left to it.
    """
    passes = _passes()
    refused: dict[str, str] = {}
    while True:
        module = import_network(source, sizes, states, host=host, refused=refused)
        try:
            apply_all(passes[: _staging(passes)], context, module)
            return module
        except CmcError as error:
            # A node that can be no stage is for the host.
            if not host or states or error.node is None or error.node in refused:
                raise
            refused[error.node] = error.message


def passes_to_chip(
    buffers: BufferPolicy = "throughput", copies: str = AUTO, place: str = AUTO
) -> tuple[ModulePass, ...]:
    """What makes a chip of stages in pipelines that have their target: first matrices are cut."""
    passes = _passes(buffers, copies, place)
    return passes[_staging(passes) :]


def _passes(
    buffers: BufferPolicy = "throughput", copies: str = AUTO, place: str = AUTO
) -> tuple[ModulePass, ...]:
    names = standard_pipeline(buffers, copies=copies, place=place)
    return parse_passes(get_all_passes(), ",".join(names))


def _staging(passes: tuple[ModulePass, ...]) -> int:
    """How many of them it takes to stages."""
    return 1 + [isinstance(one, ConvertNnToCmpipePass) for one in passes].index(True)
