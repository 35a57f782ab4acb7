# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What comes of models that may be malformed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

import onnx

import cmc
from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.importer import import_network
from cmc.importer.load import load_model
from cmc.streams import random_stream
from conformance.run import load_tests
from conftest import OTHER_NETWORKS, ROOT
from malformed.damage import damaged_bytes, damaged_model

_OWN = sorted((ROOT / "examples" / "digits").glob("*.onnx"))
_OTHERS = [ROOT.parent / "shared" / "models" / f"{name}.onnx" for name in OTHER_NETWORKS]

Outcome = Literal["result", "refused"]


def try_mutants(seed: int, count: int, folder: Path) -> list[Outcome]:
    """Damage `count` models, onnx's tests and trained networks, and see what comes of them."""
    draw = random.Random(seed)
    path = folder / "model.onnx"
    outcomes: list[Outcome] = []
    for _ in range(count):
        model, small = _model(draw)
        data = damaged_model(model, draw).SerializeToString()
        path.write_bytes(damaged_bytes(data, draw) if draw.random() < 0.3 else data)
        outcomes.append(_outcome_of(path, compiled=small))
    return outcomes


def _model(draw: random.Random) -> tuple[onnx.ModelProto, bool]:
    """A model, and whether it is compiled quickly."""
    if draw.random() < 0.7:
        return draw.choice(list(load_tests().values())).model, True
    path = draw.choice([*_OWN, *filter(Path.is_file, _OTHERS)])
    return load_model(path).proto, path in _OWN


def _outcome_of(path: Path, *, compiled: bool) -> Outcome:
    """Import a model, and compile and run it if so asked. What is refused is so in one line.

    What the host would compute is not run: how its runtime takes it is no matter of ours.
    """
    try:
        module = import_network(path)
        module.verify()
        if compiled and not any(isinstance(op, nn.HostOp) for op in module.ops):
            program = cmc.compile(path)
            program.run(random_stream(program.inputs, 2, 0))
    except CmcError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        return "refused"
    return "result"
