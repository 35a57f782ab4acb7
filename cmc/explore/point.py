# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""One design: a network, a target and options, and what is compiled and timed for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from shlex import join
from typing import TypedDict, cast

from xdsl.utils.hints import isa

from cmc.compiler.standard import AUTO, BufferPolicy
from cmc.errors import CmcError
from cmc.explore.asked import Asked
from cmc.explore.options import OPTIONS
from cmc.explore.space import BASE, NETWORK, OPTION, TARGET, Choices
from cmc.targets import Target, find_target
from cmc.targets.files import with_figures

_NO_FIGURES: Mapping[str, object] = {"name": "", "sources": ()}
"""What of a target nothing depends on."""


class ToStages(TypedDict):
    """What `cmc.compiler.stages.staged` takes."""

    sizes: Mapping[str, int]
    states: Mapping[str, str]
    host: bool


class ToChip(TypedDict):
    """What `cmc.compiler.stages.passes_to_chip` takes."""

    buffers: BufferPolicy
    copies: str
    place: str


@dataclass(frozen=True)
class Point:
    """A design that is to be tried."""

    network: str
    """A file."""
    target: str
    """As `--target` takes it."""
    options: Mapping[str, object]
    images: int
    choices: Choices = field(compare=False)
    """What was chosen of the space."""
    accuracy: Asked | None = None

    @staticmethod
    def of(choices: Choices, images: int, accuracy: Asked | None = None) -> Point:
        figures = {
            name.removeprefix(TARGET): value
            for name, value in choices.items()
            if name.startswith(TARGET) and name != BASE
        }
        options = {
            name.removeprefix(OPTION): value
            for name, value in choices.items()
            if name.startswith(OPTION)
        }
        target = with_figures(str(choices[BASE]), figures)
        return Point(str(choices[NETWORK]), target, options, images, choices, accuracy)

    @cached_property
    def chip(self) -> Target | None:
        """The target; None if there can be none such."""
        try:
            return find_target(self.target)
        except CmcError:
            return None

    @cached_property
    def id(self) -> str:
        """The same for the same content of all that the design is of, whatever files are called."""
        chip = self.chip
        content = {
            "program": version_of_program(),
            "network": _digest_of_network(self.network),
            "target": self.target if chip is None else {**asdict(chip), **_NO_FIGURES},
            "options": {
                name: _digest(str(value)) if OPTIONS[name].names_file(value) else value
                for name, value in self.options.items()
            },
            "images": self.images,
        }
        if (asked := self.accuracy) is not None:
            files = {"inputs": _digest(asked.inputs), "labels": _digest(asked.labels)}
            content["accuracy"] = {**asdict(asked), **files}
        text = json.dumps(content, sort_keys=True, default=str)
        return sha256(text.encode()).hexdigest()[:16]

    @property
    def to_stages(self) -> ToStages:
        """What its stages are of, beside the network."""
        sizes, states = self.options.get("shape", {}), self.options.get("state", {})
        assert isa(sizes, dict[str, int]) and isa(states, dict[str, str])
        return {"sizes": sizes, "states": states, "host": self.options.get("host") is not False}

    @property
    def to_chip(self) -> ToChip:
        """What makes a chip of them, beside the target."""
        return {
            "buffers": cast(BufferPolicy, self.options.get("buffers", "throughput")),
            "copies": str(self.options.get("copies", AUTO)),
            "place": str(self.options.get("place", AUTO)),
        }

    @property
    def command(self) -> str:
        """What shows the same of this design alone."""
        flags = [flag for name, one in self.options.items() for flag in OPTIONS[name].flags(one)]
        if self.accuracy is not None:
            asked = ["cmc", "accuracy", self.network, *self.accuracy.flags]
            return join([*asked, "--target", self.target, *flags])
        images = ["--images", str(self.images)]
        return join(
            ["cmc", "run", self.network, "--timing", *images, "--target", self.target, *flags]
        )


@cache
def version_of_program() -> str:
    """The version of this package, and a digest of its own code."""
    digest = sha256()
    for part in ("cmc", "cmc.dialects", "cmc.passes"):
        spec = find_spec(part)
        assert spec is not None and spec.origin is not None
        for path in sorted(Path(spec.origin).parent.rglob("*.py")):
            digest.update(path.read_bytes())
    return f"{version('cmc')}+{digest.hexdigest()[:8]}"


@cache
def _digest(path: str) -> str:
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise CmcError(f"cannot be read: {error.strerror}", path) from error


@cache
def _digest_of_network(path: str) -> str:
    """That of a network's file, and of those that it has its weights in."""
    import onnx
    from google.protobuf.message import DecodeError
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    digests = [_digest(path)]
    try:
        model = onnx.load_model_from_string(Path(path).read_bytes())
    except DecodeError:  # what is no network is refused when it is compiled
        return digests[0]
    files = sorted(
        {
            ExternalDataInfo(tensor).location
            for tensor in model.graph.initializer
            if uses_external_data(tensor)
        }
    )
    digests += [_digest(str(Path(path).parent / file)) for file in files if file]
    return ".".join(digests)
