# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""cmc-opt as a person meets it: pipelines, errors in one line, output files whole or untouched."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from conftest import RunTool

SUM = """\
func.func @sum(%x : i32) -> i32 {
  %y = arith.addi %x, %x : i32
  func.return %y : i32
}
"""

WRONG_RETURN = """\
func.func @sum(%x : i32) -> i32 {
  func.return
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sum.mlir"
    path.write_text(SUM)
    return path


def expect_error(run_tool: RunTool, *arguments: str | Path, stdin: str | None = None) -> str:
    """Run cmc-opt, expect failure in the form that is promised, and return the line."""
    result = run_tool("cmc-opt", *arguments, stdin=stdin)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert "error: " in lines[0]
    return lines[0]


def test_parse_error_has_file_line_and_column(run_tool: RunTool, file: Path):
    file.write_text(SUM.replace("%x, %x", "%x, %z"))
    line = expect_error(run_tool, file)
    assert line == f"{file}:2:3: error: %z is not defined"
    file.write_text(SUM.replace("%x, %x", "%x %x"))
    assert expect_error(run_tool, file).startswith(f"{file}:2:22: error: ")


def test_parse_error_of_second_chunk_counts_lines_of_the_file(run_tool: RunTool, file: Path):
    file.write_text(SUM + "// -----\n" + "func.func @g() { bogus.op }\n")
    line = expect_error(run_tool, file, "--split-input-file")
    assert line.startswith(f"{file}:6:")


def test_string_that_is_never_closed(run_tool: RunTool, file: Path):
    """Soon, however much follows the quote."""
    file.write_text(f'module attributes {{a = "{"x" * 100_000}')
    line = expect_error(run_tool, file)
    assert line.startswith(f"{file}:1:24: error: End of file reached before closing string")


def test_unknown_dialect(run_tool: RunTool):
    line = expect_error(run_tool, stdin='"bogus.op"() : () -> ()')
    assert line.startswith("stdin:1:11: error: ") and "bogus.op" in line


def test_verifier_names_operation_file_and_line(run_tool: RunTool, file: Path):
    file.write_text(SUM + WRONG_RETURN.replace("@sum", "@other"))
    line = expect_error(run_tool, file)
    assert line.startswith(f"{file}:6:3: error: 'func.return' op ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("func.func @f() { %c = arith.constant 1 : i32 }", "ends a block of 'func.func'"),
        (
            '"func.func"() <{sym_name = "f", function_type = () -> ()}> ({^bb0:}) : () -> ()',
            "empty",
        ),
        ("cmctrl.chip @p { cmctrl.gcu {} }", "'cmctrl.gcu' op has an empty body: at least "),
        ("func.func @f() { cf.br ^a ^a: func.return cf.br ^a }", "must be the last"),
    ],
)
def test_structure_is_verified(run_tool: RunTool, text: str, message: str):
    assert message in expect_error(run_tool, stdin=text)


def test_invalid_attribute_has_a_location(run_tool: RunTool):
    text = 'func.func @f() attributes {a = #poly.set<"{ [i : }">} {\n  func.return\n}\n'
    line = expect_error(run_tool, stdin=text)
    assert line.startswith("stdin:1:") and "not an isl set" in line


def test_verify_diagnostics_prints_and_goes_on(run_tool: RunTool, file: Path):
    file.write_text(WRONG_RETURN + "// -----\n" + SUM)
    result = run_tool("cmc-opt", file, "--split-input-file", "--verify-diagnostics")
    assert result.returncode == 0
    assert f"{file}:2:3: error: 'func.return' op " in result.stdout
    assert "arith.addi" in result.stdout


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("canonicalise", "unknown pass 'canonicalise'; did you mean 'canonicalize'?"),
        ("canonicalize,", "empty pass name"),
        ("canonicalize{x=1}", "pass 'canonicalize': error: unknown option 'x'"),
        ("builtin.module(canonicalize", "missing ')'"),
        ("canonicalize}", "unmatched '}'"),
        ("func.func(canonicalize)", "write builtin.module(...)"),
        (
            "nn-to-cmctrl{buffers=tiny}",
            "it takes buffers: minimal or throughput or whole, target: str",
        ),
        ("nn-to-cmctrl{target=3}", "it takes buffers: minimal or throughput or whole, target: str"),
        (
            "cmpipe-reorder-stage{tile=h}",
            "it takes stage: str, schedule: str, reverse: str,..., interchange: str,..., "
            "tile: int,...",
        ),
        ("test-constant-folding{=", "missing '}'"),
        ("canonicalize{a=b=c}", "Malformed pass arguments"),
        ("apply-pdl{pdl_file=3}", "a wrong value"),
    ],
)
@pytest.mark.parametrize("flag", ["-p", "--pass-pipeline"])
def test_bad_pipeline(run_tool: RunTool, file: Path, flag: str, pipeline: str, message: str):
    assert message in expect_error(run_tool, file, f"{flag}", pipeline)


@pytest.mark.parametrize(
    "pipeline", ["cse,canonicalize", "builtin.module(cse,canonicalize)", "builtin.module(cse), cse"]
)
def test_pipelines(run_tool: RunTool, file: Path, pipeline: str):
    result = run_tool("cmc-opt", file, "--pass-pipeline", pipeline)
    assert result.returncode == 0, result.stderr
    assert "arith.addi" in result.stdout


def test_printed_pipeline_can_be_given(run_tool: RunTool, file: Path):
    printed = run_tool("cmc-opt", "--print-pipeline", "-p", "cse,canonicalize").stdout
    result = run_tool("cmc-opt", file, "--pass-pipeline", printed)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.mlir"], "missing.mlir: error: no such file or directory"),
        (["."], "error: "),
        (["file.unknown"], "file.unknown: error: not a known file extension (.mlir, .onnx): say"),
        (["folder"], "folder: error: is a directory"),
        (["--pass-pipe", "cse"], "unrecognized arguments"),
        (["-p", "cse", "--pass-pipeline", "cse"], "not both"),
        (["-t", "nonsense"], "invalid choice: 'nonsense'"),
        (["--weights=maybe"], "invalid choice: 'maybe'"),
    ],
)
def test_misuse(run_tool: RunTool, tmp_path: Path, arguments: list[str], message: str):
    (tmp_path / "file.unknown").touch()
    (tmp_path / "folder").mkdir()
    result = run_tool("cmc-opt", *arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_not_text(run_tool: RunTool, file: Path):
    file.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in expect_error(run_tool, file)


def test_debug_shows_the_traceback(run_tool: RunTool, file: Path):
    file.write_text(WRONG_RETURN)
    result = run_tool("cmc-opt", file, "--debug")
    assert result.returncode != 0
    assert "Traceback" in result.stderr


def test_output_appears(run_tool: RunTool, file: Path, tmp_path: Path):
    output = tmp_path / "out.mlir"
    result = run_tool("cmc-opt", file, "-o", output)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert "arith.addi" in output.read_text()
    assert sorted(tmp_path.iterdir()) == [output, file]


@pytest.mark.parametrize("text", [WRONG_RETURN, "garbage"])
def test_output_is_untouched_on_failure(run_tool: RunTool, file: Path, tmp_path: Path, text: str):
    output = tmp_path / "out.mlir"
    output.write_text("as before")
    file.write_text(text)
    expect_error(run_tool, file, "-o", output)
    assert output.read_text() == "as before"
    assert sorted(tmp_path.iterdir()) == [output, file]


def test_output_in_missing_folder(run_tool: RunTool, file: Path, tmp_path: Path):
    line = expect_error(run_tool, file, "-o", tmp_path / "nowhere" / "out.mlir")
    assert line == f"{tmp_path / 'nowhere'}: error: no such folder"


def test_output_may_be_a_device(run_tool: RunTool, digits: Path):
    """Beside which no file of weights can lie."""
    assert run_tool("cmc-opt", digits, "-o", "/dev/null").returncode == 0
    assert not Path("/dev/null.safetensors").exists()


def test_output_is_not_the_file_of_weights(run_tool: RunTool, digits: Path, tmp_path: Path):
    line = expect_error(run_tool, digits, "-o", tmp_path / "out.safetensors")
    assert "out.safetensors: error: is where the weights go" in line
    assert not list(tmp_path.iterdir())


def test_version(run_tool: RunTool):
    for tool in ("cmc", "cmc-opt"):
        result = run_tool(tool, "--version")
        assert result.stdout.startswith(f"{tool} {version('cmc')}")
        assert (result.returncode, result.stderr) == (0, "")


HEAVY = ("numpy", "onnx", "islpy", "safetensors", "tqdm")


def test_starting_imports_nothing_heavy(run_tool: RunTool, file: Path):
    """Neither `--help` nor a pipeline that needs none of them."""
    for arguments in (["--help"], [str(file), "-p", "canonicalize"]):
        code = (
            "import contextlib, io, sys\n"
            "from cmc.tools.cmc_opt import main\n"
            "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
            f"    main({arguments!r})\n"
            f"print([m for m in {HEAVY!r} if m in sys.modules])"
        )
        assert run_tool(Path(sys.executable).name, "-c", code).stdout == "[]\n"


def test_compiling_imports_no_interpreters_of_other_dialects(run_tool: RunTool):
    code = "import sys, cmc.api; print([m for m in sys.modules if 'xdsl.interpreters' in m])"
    assert run_tool(Path(sys.executable).name, "-c", code).stdout == "[]\n"


def test_tables_import_nothing_heavy(run_tool: RunTool):
    code = f"import sys, cmc.universe; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run_tool(Path(sys.executable).name, "-c", code).stdout == "[]\n"
