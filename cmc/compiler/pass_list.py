# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Pass pipelines as text: MLIR's `builtin.module(a,b{x=1})` and xDSL's `a,b{x=1}`."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints

from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec, parse_spec

from cmc.errors import CmcError

PassTable = Mapping[str, Callable[[], type[ModulePass]]]

_ANCHOR = "builtin.module("


class CompositePass(ModulePass, ABC):
    """A pass that is a sequence of others, which a pipeline shows and runs in its place."""

    @abstractmethod
    def passes(self) -> tuple[ModulePass, ...]:
        """The passes, in order. CmcError for an option that one of them does not take."""


def parse_passes(table: PassTable, text: str) -> tuple[ModulePass, ...]:
    """The passes that `text` names, with their options; composite ones as what they consist of.

    Raises `CmcError` for malformed text, an unknown pass, an unknown option or a wrong value.
    """
    passes: list[ModulePass] = []
    for element in _flatten(text):
        one = _make_pass(table, parse_spec(element))
        passes.extend(one.passes() if isinstance(one, CompositePass) else (one,))
    return tuple(passes)


def format_passes(passes: tuple[ModulePass, ...]) -> str:
    """The pipeline as `--pass-pipeline` takes it, one pass a line."""
    lines = ",\n".join(f"  {one.spec()}" for one in passes)
    return f"{_ANCHOR}\n{lines}\n)" if passes else f"{_ANCHOR})"


def _flatten(text: str) -> list[str]:
    """The elements of a pipeline, those inside `builtin.module(...)` in their place."""
    elements: list[str] = []
    for element in _split(text):
        if element.startswith(_ANCHOR) and element.endswith(")"):
            elements.extend(_flatten(element[len(_ANCHOR) : -1]))
        elif "(" in element.partition("{")[0]:
            raise CmcError(
                f"'{element}': passes run on the whole module, write builtin.module(...)",
                "pass pipeline",
            )
        else:
            elements.append(element)
    return elements


def _split(text: str) -> list[str]:
    """Cut at the commas that stand outside quotes, braces, brackets and parentheses."""
    closers = {"(": ")", "{": "}", "[": "]"}
    expected: list[str] = []
    elements = [""]
    quoted = escaped = False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in closers:
            expected.append(closers[character])
        elif character in ")}]":
            if not expected or expected.pop() != character:
                raise CmcError(f"unmatched '{character}' in '{text}'", "pass pipeline")
        elif character == "," and not expected:
            elements.append("")
            continue
        elements[-1] += character
    if quoted or expected:
        missing = '"' if quoted else expected[-1]
        raise CmcError(f"missing '{missing}' in '{text}'", "pass pipeline")
    stripped = [element.strip() for element in elements]
    if stripped == [""]:
        return []
    if "" in stripped:
        raise CmcError(f"empty pass name in '{text}'", "pass pipeline")
    return stripped


def _make_pass(table: PassTable, spec: ArgSpec) -> ModulePass:
    if spec.name not in table:
        close = get_close_matches(spec.name, table, 1)
        hint = f"did you mean '{close[0]}'?" if close else "--list-passes shows all"
        raise CmcError(f"unknown pass '{spec.name}'; {hint}", "pass pipeline")
    pass_type = table[spec.name]()
    options = [field.name for field in dataclasses.fields(pass_type) if field.init]
    for option in spec.normalize_parameter_names().parameters:
        if option not in options:
            raise _unknown_option(spec.name, option, options)
    try:
        return pass_type.from_spec(spec)
    except ValueError as error:
        hints = get_type_hints(pass_type)
        wanted = ", ".join(f"{option}: {_values_of(hints[option])}" for option in options)
        message = f"an option has a wrong value; it takes {wanted}"
        raise CmcError(message, f"pass '{spec.name}'") from error


def _values_of(hint: object) -> str:
    """The values that an option takes, for a person."""
    inner = get_args(hint)
    if get_origin(hint) is Literal:
        return " or ".join(map(str, inner))
    if get_origin(hint) is tuple:
        return f"{_values_of(inner[0])},..."
    return " or ".join(_values_of(one) for one in inner if one is not NoneType) or (
        hint.__name__ if isinstance(hint, type) else str(hint)
    )


def _unknown_option(name: str, option: str, options: list[str]) -> CmcError:
    known = f"it has {', '.join(options)}" if options else "it has none"
    return CmcError(f"unknown option '{option}'; {known}", f"pass '{name}'")
