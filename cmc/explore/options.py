# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a space may say of a compilation beside its target: one table, as of a target's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from xdsl.utils.hints import isa

from cmc.compiler.standard import AUTO, NONE, BufferPolicy
from cmc.targets.kinds import Choice, Flag, Kind, Value, Whole, WrongValue


@dataclass(frozen=True)
class WordOrFile(Kind):
    """One of some words, or a mapping file."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return " or ".join([*(f'"{word}"' for word in self.words), "a mapping file"])

    def normal(self, value: object) -> Value:
        if not isinstance(value, str) or not (value in self.words or value.endswith(".toml")):
            raise WrongValue
        return value


@dataclass(frozen=True)
class Named(Kind):
    """Sizes, or else names, by the names that they are for."""

    sizes: bool

    @property
    def allowed(self) -> str:
        return "{ NAME = N }" if self.sizes else '{ OUTPUT = "INPUT" }'

    def normal(self, value: object) -> Value:
        if not isa(value, dict[str, object]) or not value:
            raise WrongValue
        for one in value.values():
            if self.sizes:
                Whole().normal(one)
            elif not isinstance(one, str):
                raise WrongValue
        return None


@dataclass(frozen=True)
class Option:
    """An option of a compilation, as `cmc run` has it."""

    name: str
    kind: Kind

    def flags(self, value: object) -> Sequence[str]:
        """How a command line says that."""
        if isinstance(value, bool):
            return () if value else (f"--no-{self.name}",)
        if isa(value, dict[str, object]):
            pairs = (f"{name}={one}" for name, one in value.items())
            return tuple(part for pair in pairs for part in (f"--{self.name}", pair))
        return f"--{self.name}", str(value)

    def names_file(self, value: object) -> bool:
        """Whether a value is the name of a file."""
        return isinstance(self.kind, WordOrFile) and value not in self.kind.words


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option("buffers", Choice(get_args(BufferPolicy))),
        Option("copies", WordOrFile((AUTO, NONE))),
        Option("place", WordOrFile((AUTO,))),
        Option("host", Flag()),
        Option("shape", Named(sizes=True)),
        Option("state", Named(sizes=False)),
    )
}
