# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The tables of dialects and passes say what is there."""

from pathlib import Path

import pytest
from xdsl.universe import XDSL_UNIVERSE
from xdsl.utils.arg_spec import parse_spec

import cmc
from cmc.api import make_context
from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import standard_pipeline
from cmc.importer import import_model
from cmc.universe import CMC_UNIVERSE


@pytest.mark.parametrize("name", CMC_UNIVERSE.all_dialects)
def test_dialect(name: str):
    dialect = CMC_UNIVERSE.all_dialects[name]()
    assert dialect.name == name
    members = [*dialect.operations, *dialect.attributes]
    assert all(member.name.startswith(f"{name}.") for member in members)
    undocumented = [member.name for member in members if not member.__doc__]
    assert not undocumented


@pytest.mark.parametrize("name", CMC_UNIVERSE.all_passes)
def test_pass(name: str):
    """A pass is named as its file, documented, and needs no option."""
    pass_type = CMC_UNIVERSE.all_passes[name]()
    assert pass_type.name == name
    assert pass_type.__module__ == f"cmc.passes.{name.replace('-', '_')}"
    assert pass_type.__doc__
    assert pass_type().spec().parameters == {}


def test_names_are_free_in_xdsl():
    assert not CMC_UNIVERSE.all_dialects.keys() & XDSL_UNIVERSE.all_dialects.keys()
    assert not CMC_UNIVERSE.all_passes.keys() & XDSL_UNIVERSE.all_passes.keys()


def test_standard_pipeline_by_its_name():
    table = CMC_UNIVERSE.all_passes
    assert parse_passes(table, "nn-to-cmctrl{buffers=minimal}") == parse_passes(
        table, ",".join(standard_pipeline("minimal"))
    )


def test_standard_pipeline_is_a_pass_among_others():
    """Whoever runs passes by their tables, as stock tools do, gets what `cmc-opt` makes of it."""
    digits = Path(__file__).parent.parent / "examples" / "digits" / "digits.onnx"
    module = import_model(digits)
    pass_type = CMC_UNIVERSE.all_passes["nn-to-cmctrl"]()
    pass_type.from_spec(parse_spec("nn-to-cmctrl{buffers=minimal}")).apply(make_context(), module)
    assert module.is_structurally_equivalent(cmc.compile(digits, buffers="minimal").module)
