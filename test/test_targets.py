# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Targets: their files, what is refused of them, and where they go."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.parser import Parser
from xdsl.printer import Printer

import cmc
from cmc.api import make_context
from cmc.dialects.cmpipe import TargetAttr, target_of
from cmc.errors import CmcError
from cmc.simulator import chip_of
from cmc.targets import IDEAL, describe, find_target, format_description, presets
from cmc.targets.files import read, with_figures
from cmc.targets.keys import GROUPS, KEYS
from cmc.targets.page import page
from cmc.tools.cmc import main
from conftest import ROOT

SMALL = """
name = "small"
clock_ghz = 0.5
cores = 4
activation_bits = 12
sram_bytes = { value = 4096, source = "a wish" }
crossbars = 2
rows = 16
columns = "unlimited"
mxv_ns = 101
mxv_interval_ns = 100.0
lanes = 8
lane_ns = 0.1
sram_bytes_per_ns = 25.6
"""


def test_presets():
    names = (
        *("ideal", "pcm-512", "pcm-64", "pcm-64-analog", "pimcomp", "pimcomp-mesh", "puma"),
        "puma-analog",
    )
    assert presets() == names
    assert find_target("ideal") == IDEAL
    assert [find_target(name).name for name in names] == list(names)
    pcm = find_target("pcm-64")
    assert (pcm.cores, pcm.crossbars, pcm.rows, pcm.columns, pcm.mxv) == (64, 1, 256, 256, 133)
    pimcomp, mesh = find_target("pimcomp"), find_target("pimcomp-mesh")
    assert (pimcomp.issue_interval, pimcomp.mxv, pimcomp.lanes, pimcomp.lane_cycles) == (
        200,
        800,
        32,
        10,
    )
    assert (pimcomp.topology, mesh.topology, mesh.grid) == ("bus", "mesh", (12, 12))


def test_presets_with_physics_are_the_same_chips():
    for name, physics in (
        ("pcm-64", {"weight_model": "hermes", "dac_bits": 8, "adc_bits": 8}),
        ("puma", {"weight_model": "quantised", "weight_bits": 16, "cell_bits": 2, "dac_bits": 16}),
    ):
        base, analog = find_target(name), find_target(f"{name}-analog")
        assert {key: getattr(analog, key) for key in physics} == physics
        others = {
            key.field: getattr(base, key.field) for key in GROUPS["Weights and converters"]
        } | {"name": name}
        assert replace(analog, **others) == base


def test_a_table_of_devices_is_kept_in_a_module():
    rows = [[0, "1e-3", 0.1, "0.04", "0.2"], [0.5, 0.02, 0.06, 0.03, 0.01], [1, 0, 0.05, 0, 0]]
    text = str(rows).replace("'", "")
    target = find_target(f"pcm-64:weight_model=table,weight_table={text}")
    assert target.weight_table == tuple(tuple(map(float, row)) for row in rows)
    printed = StringIO()
    Printer(printed).print_attribute(TargetAttr(target))
    assert Parser(make_context(), printed.getvalue()).parse_attribute() == TargetAttr(target)
    for wrong, reason in (
        ("[[0, 1, 1, 1, 1]]", ": there is 1 row"),
        ("[]", ": there is no row"),
        ("[[0, 1, 1, 1, 1], [1, 1]]", ": row 2 has 2"),
        ("[[0, 1, 1, nan, 1], [1, 1, 1, 1, 1]]", ": row 1 holds what is no number"),
        ("[[0, 1, 1, 1, 1], [1, 1, 1, -1, 1]]", ": row 2 holds -1"),
        (text.replace("[1,", "[0.5,"), ": row 3 begins with 0.5, after 0.5"),
        (text.replace("[1,", "[0.9,"), ": row 3 begins with 0.9, not 1"),
        ("3", ", not 3"),
    ):
        with pytest.raises(
            CmcError, match=f"weight_table: expected .* rows of 5 .* 0 to 1{reason}"
        ):
            find_target(f"pcm-64:weight_model=table,weight_table={wrong}")
    with pytest.raises(CmcError, match="weight_table: missing for this weight model"):
        find_target("pcm-64:weight_model=table")


def test_a_target_based_on_a_preset(tmp_path: Path):
    text = 'base = "pcm-64"\nrows = 128\nname = "mine"\n'
    mine = read(text, "mine.toml").target
    assert replace(mine, name="pcm-64", rows=256) == find_target("pcm-64")
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert find_target(f"{file}:columns=64").name == "mine with columns 64"
    for base, shown in (("pcm-63", '"pcm-63"'), (3, "3"), (str(file), "")):
        with pytest.raises(CmcError, match=f"base: expected the name of a preset, not {shown}"):
            read(f"base = {json.dumps(base)}", "mine.toml")
    with pytest.raises(CmcError, match="name is missing"):
        read('base = "pcm-64"', "mine.toml")


NS = "mxv_ns: expected a number of ns above 0, at most 2147483647 cycles"


def test_a_target_with_other_figures(tmp_path: Path):
    one = describe("pcm-64:rows=128,mxv_ns=99.5,sram_bytes=unlimited").target
    base = find_target("pcm-64")
    assert one.name == "pcm-64 with rows 128 and mxv_ns 99.5 and sram_bytes unlimited"
    assert (one.rows, one.mxv, one.sram_bytes) == (128, 100, None)
    assert replace(one, name="pcm-64", rows=256, mxv=133, sram_bytes=base.sram_bytes) == base
    mesh = find_target("pimcomp-mesh:grid=[9,16],topology=torus,name=mine")
    assert (mesh.name, mesh.grid, mesh.topology) == ("mine", (9, 16), "torus")
    table = [[place / 20, 0.01, 0.05, 0.01, 0.01] for place in range(21)]
    devices = find_target(with_figures("ideal", {"weight_model": "table", "weight_table": table}))
    assert devices.weight_table is not None and len(devices.weight_table) == 21
    file = tmp_path / "odd:rows=1.toml"
    file.write_text(SMALL)
    assert find_target(str(file)).rows == 16


def test_figures_are_written_as_they_are_read():
    figures = {"rows": 128, "mxv_ns": Decimal("99.5"), "topology": "torus", "grid": [8, 8]}
    name = with_figures("pcm-64", figures)
    assert with_figures(with_figures("pcm-64", {"rows": 128}), {"lanes": 8}) == (
        with_figures("pcm-64", {"rows": 128, "lanes": 8})
    )
    assert {key: describe(name).figures[key].value for key in figures} == figures
    assert with_figures("pcm-64", {}) == "pcm-64"
    assert with_figures("pcm-64:rows=1,lanes=8", {"rows": 2}) == "pcm-64:rows=2,lanes=8"


@pytest.mark.parametrize(
    "name, error",
    [
        ("pcm-64:rows=1x", 'target pcm-64:rows=1x: rows: expected a whole .* not "1x"'),
        ("pcm-64:row=1", "target pcm-64:row=1: unknown key row; did you mean rows?"),
        ("pcm-64:rows=", "rows: expected"),
        ("pcm-64:rows=1,rows=2", "rows is given twice"),
        ("nope:rows=1", "target nope: no such target"),
        ("pcm-64:", "expected KEY=VALUE,... after pcm-64:, got ''"),
        ("pcm-64:grid=[8,8]", "grid: of another topology"),
    ],
)
def test_figures_that_are_refused(name: str, error: str):
    with pytest.raises(CmcError, match=error.replace("?", r"\?")):
        find_target(name)


@pytest.mark.parametrize("name", presets())
def test_every_figure_of_a_preset_has_its_source(name: str):
    figures = describe(name).figures
    known = {"name"} if name != "ideal" else figures.keys() - {"clock_ghz"}
    assert {key for key, figure in figures.items() if figure.source is None} == known


def test_times_are_whole_cycles_and_rates_exact():
    target = read(SMALL, "small.toml").target
    assert (target.mxv, target.mxv_interval, target.lane_cycles) == (51, 50, 1)
    assert target.sram_bytes_per_cycle is not None
    assert -(-512 // target.sram_bytes_per_cycle) == 10
    assert target.ns(target.mxv) == 102
    assert (target.element_bytes, target.sram_bytes, target.columns) == (2, 4096, None)


@pytest.mark.parametrize("name", presets())
def test_a_printed_target_is_the_same_target(name: str):
    text = format_description(describe(name))
    assert read(text, "again.toml") == describe(name)
    assert all(re.search(rf"^(# )?{key.name} = ", text, re.MULTILINE) for key in KEYS)


NUMBERS = st.decimals(min_value="0.001", max_value=10**6, allow_nan=False, allow_infinity=False)


@given(
    clock=st.decimals(min_value="0.1", max_value=10, places=3),
    bits=st.integers(1, 32),
    sram=st.none() | st.integers(1, 1 << 32),
    time=NUMBERS,
    rate=st.none() | st.decimals(min_value="0.001", max_value=10**6),
    energy=NUMBERS,
    chain=st.none() | st.integers(1, 99),
)
def test_a_module_keeps_what_a_file_says(
    clock: Decimal,
    bits: int,
    sram: int | None,
    time: Decimal,
    rate: Decimal | None,
    energy: Decimal,
    chain: int | None,
):
    values = {
        "clock_ghz": f"{clock:f}",
        "cores": "3",
        "activation_bits": str(bits),
        "sram_bytes": str(sram or '"unlimited"'),
        "crossbars": "1",
        "rows": "7",
        "columns": '"unlimited"',
        "mxv_ns": f"{time:f}",
        "mxv_interval_ns": "1",
        "link_bytes_per_ns": '"unlimited"' if rate is None else f"{rate:f}",
        "mxv_pj": f"{energy:f}",
        **({} if chain is None else {"topology": '"chain"', "reach": str(chain)}),
    }
    text = "\n".join(['name = "t+1"', *(f"{key} = {value}" for key, value in values.items())])
    target = read(text, "t.toml").target
    printed = StringIO()
    Printer(printed).print_attribute(TargetAttr(target))
    assert Parser(make_context(), printed.getvalue()).parse_attribute() == TargetAttr(target)
    exact = Fraction(round(time, 12)) * Fraction(clock)
    assert exact <= target.mxv < exact + 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mxv_ns =", "mxv_us =", "mxv_us: this is given in ns, as mxv_ns"),
        ("mxv_ns =", "mxv =", "mxv: this is given in ns, as mxv_ns"),
        (
            "mxv_interval_ns =",
            "mxv_interval_cycles =",
            "mxv_interval_cycles: this is given in ns, as mxv_interval_ns",
        ),
        ("sram_bytes =", "sram_kb =", "sram_kb: this is given in bytes, as sram_bytes"),
        (
            "sram_bytes_per_ns =",
            "sram_gb_per_s =",
            "sram_gb_per_s: this is given in bytes per ns, as sram_bytes_per_ns",
        ),
        ("lanes =", "lains =", "unknown key lains; did you mean lanes?"),
        ("cores = 4", "cores = 4\n[extra]\nx = 1", "unknown key extra; there is name, clock_ghz,"),
        ("lanes =", "xyzzy =", "unknown key xyzzy; there is name, clock_ghz,"),
        (
            "rows = 16",
            "",
            'rows is missing: a whole number from 1 to 2147483647 or "unlimited". The rows of a',
        ),
        ("cores = 4", "cores = 0", 'cores: expected a whole number from 1 to 2147483647 or "unli'),
        ("cores = 4", "cores = 4.0", "cores: expected a whole number"),
        ("cores = 4", "cores = true", 'or "unlimited", not true'),
        ("cores = 4", 'cores = "many"', 'or "unlimited", not "many"'),
        ("cores = 4", "cores = [4]", "cores: expected a whole number"),
        ("cores = 4", "cores = { source = 'x' }", "cores: there is no value beside the source"),
        ("cores = 4", "cores = { valeu = 4 }", "cores: unknown 'valeu'"),
        ("cores = 4", "cores = { value = 4, source = 4 }", "cores: expected text as its source"),
        ("= 12", "= 33", "activation_bits: expected a whole number from 1 to 32, not 33"),
        (
            "= 101",
            "= 0",
            f"{NS}, not 0",
        ),
        (
            "= 101",
            "= -1.5",
            f"{NS}, not -1.5",
        ),
        (
            "= 101",
            "= nan",
            f"{NS}, not NaN",
        ),
        (
            "= 101",
            "= 1e999999999",
            f"{NS}, not 1E+999999999",
        ),
        ("= 101", f"= 1{'0' * 5000}", "this is not TOML"),
        ("= 0.5", "= 'fast'", 'clock_ghz: expected a number above 0 up to 2147483647, not "fast"'),
        ('"small"', "1", "name: expected a name of letters, digits"),
        ("lanes = 8", "lanes = ", "this is not TOML: Invalid value (at line 12, column 9)"),
        ("lanes = 8", "cores = 8", "this is not TOML: Cannot overwrite a value (at line 12"),
        ("lanes = 8", 'topology = "chain"', "reach: missing for this topology"),
        ("lanes = 8", "reach = 2", "reach: of another topology: it belongs to chain"),
        (
            "lanes = 8",
            'topology = "mesh"\ngrid = [2, 3]',
            "grid: expected all cores, and cores is 4",
        ),
        (
            "lanes = 8",
            'topology = "edges"\nedges = [[0, 1], [1, 4]]',
            "edges: expected cores from 0 to 3, not 4",
        ),
        ("lanes = 8", 'topology = "edges"\nedges = [[0, 0]]', "edges: expected [[0, 1], ...]"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, old: str, new: str, message: str):
    assert SMALL.count(f"\n{old}") == 1 or SMALL.count(old) == 1
    path = tmp_path / "small.toml"
    path.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(CmcError) as caught:
        find_target(str(path))
    assert message in caught.value.message
    assert caught.value.where == str(path)
    assert "\n" not in caught.value.message


def test_names_of_no_target(tmp_path: Path):
    with pytest.raises(CmcError, match="did you mean 'pcm-64'"):
        find_target("pcm64")
    with pytest.raises(CmcError, match="there is ideal, pcm-512"):
        find_target("")
    with pytest.raises(CmcError, match="no such file") as caught:
        find_target("nowhere/chip.toml")
    assert caught.value.where == "nowhere/chip.toml"
    with pytest.raises(CmcError, match="is a directory"):
        find_target(str(tmp_path))
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(CmcError, match="not UTF-8"):
        find_target(str(tmp_path / "latin.toml"))


def test_a_program_carries_the_target_of_its_file(digits: Path, tmp_path: Path):
    path = tmp_path / 'a "small" one.toml'
    path.write_text(SMALL.replace("4096", "65536").replace("cores = 4", "cores = 16"))
    program = cmc.compile(digits, target=path)
    assert target_of(chip_of(program.module)) == find_target(str(path))
    assert target_of(chip_of(cmc.compile(digits).module)) == IDEAL
    with pytest.raises(CmcError, match="did you mean 'puma'"):
        cmc.compile(digits, target="pumas")


def test_commands(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["targets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["target", *presets()]
    assert main(["targets", "puma"]) == 0
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out.replace('"puma"', '"mine"'))
    compiled = ["compile", str(digits), "-o", str(tmp_path / "o.mlir"), "--copies", "none"]
    assert main([*compiled, "--target", str(path)]) == 0
    assert 'on #cmpipe.target<name = "mine", cores = 1104,' in (tmp_path / "o.mlir").read_text()
    path.write_text(path.read_text().replace("mxv_ns", "mxv_ms"))
    assert main(["run", str(digits), "--random", "1", "--target", str(path)]) == 1
    assert capsys.readouterr().err == f"{path}: error: mxv_ms: this is given in ns, as mxv_ns\n"


def test_the_page_says_what_the_table_says():
    """`python -m cmc.targets.page > docs/targets.md` brings it up to date."""
    assert (ROOT / "docs" / "targets.md").read_text() == page()
