# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The reference pages, as the code says them: dialects, passes, commands, library.

`make docs` writes them before it builds the site.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import MISSING, fields
from enum import Enum
from importlib import import_module
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import get_args, get_type_hints

from sphinx.pycode import ModuleAnalyzer
from xdsl.ir import Attribute, Operation, ParametrizedAttribute
from xdsl.irdl import IRDLOperation
from xdsl.passes import ModulePass

import cmc
from cmc.dialects import get_all_dialects
from cmc.passes import get_all_passes
from cmc.tools.options import Options, parse_options


def pages() -> Mapping[str, str]:
    """The text of each page, in Markdown, by its name."""
    written = {
        "commands": _commands(),
        "dialects": _contents("Dialects", _DIALECTS, [f"dialect-{name}" for name in _dialects()]),
        **{f"dialect-{name}": _dialect(name) for name in _dialects()},
        "passes": _passes(),
        "report": _keys_of("Report", "report"),
        "accuracy": _keys_of("Accuracy", "accuracy"),
        "library": _library(),
    }
    return {name: "\n".join(lines) + "\n" for name, lines in written.items()}


def write(folder: Path) -> None:
    """Write the pages; those that are as they were are left alone."""
    # The width of help texts does not depend on a terminal.
    os.environ["COLUMNS"] = "100"
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


_DIALECTS = """\
Every dialect has a file or a package in `dialects/`. Of each operation there is what it means, its
syntax where that is declared, and what it holds."""


def _contents(title: str, text: str, entries: list[str]) -> Iterator[str]:
    yield from (f"# {title}", "", text, "", "```{toctree}", *entries, "```")


def _dialects() -> list[str]:
    return list(get_all_dialects())


def _dialect(name: str) -> Iterator[str]:
    dialect = get_all_dialects()[name]()
    yield from (f"# `{name}`", "", *_text(import_module(f"cmc.dialects.{name}")))
    if operations := sorted(dialect.operations, key=lambda one: one.name):
        yield from ("", "## Operations")
        for operation in operations:
            yield from _operation(operation)
    if attributes := sorted(dialect.attributes, key=lambda one: one.name):
        yield from ("", "## Attributes")
        for attribute in attributes:
            yield from _attribute(attribute)


def _operation(operation: type[Operation]) -> Iterator[str]:
    assert issubclass(operation, IRDLOperation)
    definition = operation.get_irdl_definition()
    yield from ("", f"### `{operation.name}`", "", *_text(operation))
    if definition.assembly_format is not None:
        syntax = " ".join(definition.assembly_format.split())
        yield from ("", "```text", f"{operation.name} {syntax}", "```")
    held = {
        "operands": [name for name, _ in definition.operands],
        "properties": list(definition.properties),
        "results": [name for name, _ in definition.results],
        "regions": [name for name, _ in definition.regions],
    }
    told = [f"{kind} {_names(names)}" for kind, names in held.items() if names]
    if told:
        yield from ("", f"Holds {'; '.join(told)}.")


def _attribute(attribute: type[Attribute]) -> Iterator[str]:
    yield from ("", f"### `#{attribute.name}`", "", *_text(attribute))
    if issubclass(attribute, ParametrizedAttribute):
        names = [name for name, _ in attribute.get_irdl_definition().parameters]
        yield from ("", f"Holds {_names(names)}.")


def _passes() -> Iterator[str]:
    yield from ("# Passes", "", "Options are given as `name{option=value}`; all may be left out.")
    for name, factory in get_all_passes().items():
        one = factory()
        yield from ("", f"## `{name}`", "", *_text(one))
        options = [field for field in fields(one) if field.name != "name"]
        if options:
            yield from ("", "| option | type | default |", "| --- | --- | --- |")
        for option in options:
            default = "none" if option.default in (None, MISSING) else f"`{_value(option.default)}`"
            kind = str(_type(option.type)).replace("|", "or")
            yield f"| `{option.name}` | {kind} | {default} |"
        if (about := _about(one)) is not None:
            yield from ("", *about)


def _about(one: type[ModulePass]) -> list[str] | None:
    """What the file of a pass says after its first line."""
    text = inspect.getdoc(sys.modules[one.__module__])
    _, _, rest = (text or "").partition("\n\n")
    return rest.splitlines() or None


def _type(kind: object) -> object:
    return getattr(kind, "__name__", kind) if inspect.isclass(kind) else str(kind)


def _value(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool):
        return str(value).lower()
    return '""' if value in ("", ()) else value


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", *_help())
    for name in get_args(get_type_hints(Options)["command"]):
        yield from ("", f"## `cmc {name}`", "", *_help(name))


def _help(*command: str) -> Iterator[str]:
    text = StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        parse_options([*command, "--help"])
    yield from ("```text", *text.getvalue().rstrip().splitlines(), "```")


def _keys_of(title: str, name: str) -> Iterator[str]:
    """What JSON holds, as a schema of this name has it."""
    schema = json.loads((Path(__file__).parent / f"{name}.schema.json").read_text())
    yield from (f"# {title}", "", schema["description"], *_keys(schema["properties"]))
    for name, one in schema["$defs"].items():
        yield from ("", f"## {name}", "", one["description"], *_keys(one.get("properties", {})))


def _keys(properties: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    if properties:
        yield from ("", "| key | meaning |", "| --- | --- |")
    for key, one in properties.items():
        yield f"| `{key}` | {one.get('description', '')} |"


def _library() -> Iterator[str]:
    yield from ("# Library", "", "What `import cmc` has.")
    for name in cmc.__all__:
        value = getattr(cmc, name)
        if inspect.isclass(value):
            yield from ("", f"## `cmc.{name}`", "", *_text(value))
            for (of, attribute), text in _attributes(value).items():
                if of == value.__name__ and not attribute.startswith("_"):
                    yield from ("", f"### `{name}.{attribute}`", "", *text)
            for attribute, member in _members(value).items():
                if not attribute.startswith("_") and (what := _member(attribute, member)):
                    yield from ("", f"### `{name}.{what}`", "", *_text(_getter(member)))
        else:
            yield from ("", f"## `cmc.{_call(name, value)}`", "", *_text(value))


def _attributes(value: type) -> Mapping[tuple[str, str], list[str]]:
    """The strings that follow attributes in the source, by class and name."""
    return ModuleAnalyzer.for_module(value.__module__).find_attr_docs()


def _members(value: type) -> Mapping[str, object]:
    """What a class has, and what it inherits from others of `cmc`."""
    members: dict[str, object] = {}
    for base in reversed(value.__mro__):
        if base.__module__.partition(".")[0] == cmc.__name__:
            members |= vars(base)
    return members


def _member(name: str, member: object) -> str | None:
    if inspect.isfunction(member):
        return _call(name, member)
    return name if _getter(member) is not member else None


def _getter(member: object) -> object:
    """The function of a property."""
    return getattr(member, "fget", None) or getattr(member, "func", None) or member


def _call(name: str, function: Callable[..., object]) -> str:
    """How a function is called, with the types that its source has."""
    (node,) = ast.parse(dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef) and node.returns is not None
    given = [one for one in node.args.args if one.arg == "self"]
    arguments = ast.unparse(node.args).removeprefix("self" if given else "").removeprefix(", ")
    return f"{name}({arguments}) -> {ast.unparse(node.returns)}"


def _text(documented: object) -> list[str]:
    text = inspect.getdoc(documented)
    assert text, f"{documented} says nothing of itself"
    return text.splitlines()


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
