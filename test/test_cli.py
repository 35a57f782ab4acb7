# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The `cmc` command as a person meets it, on the digits network."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from cmc.tools.cmc import main
from conftest import TOOLS, RunTool
from onnx_models import chain_model

Run = Callable[..., str]

TWO_CORES = """
name = "two"
clock_ghz = 1
cores = 2
activation_bits = 32
sram_bytes = "unlimited"
crossbars = 8
rows = "unlimited"
columns = "unlimited"
mxv_ns = 1
mxv_interval_ns = 1
lanes = 4
"""


@pytest.fixture
def images() -> NDArray[np.float32]:
    return np.random.default_rng(0).random((3, 1, 8, 8), np.float32)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `cmc` in this process, expect success, and return what it printed."""

    def call(*arguments: str | Path) -> str:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, "")
        return captured.out

    return call


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `cmc` in this process, expect failure, and return its one line about it."""

    def call(*arguments: str | Path) -> str:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert code == 1
        assert len(captured.err.splitlines()) == 1, captured.err
        assert "error: " in captured.err
        return captured.err

    return call


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "digits.mlir"
    assert main(["compile", str(digits), "-o", str(path)]) == 0
    return path


def test_compile_writes_the_program_and_its_weights(compiled: Path):
    assert "cmctrl.chip" in compiled.read_text()
    names = {path.name for path in compiled.parent.iterdir()}
    assert names == {"digits.mlir", "digits.safetensors"}


def test_network_and_compiled_program_run_alike(
    run: Run, digits: Path, compiled: Path, tmp_path: Path, images: NDArray[np.float32]
):
    np.savez(tmp_path / "in.npz", image=images, labels=np.arange(3))
    results: list[NDArray[np.float32]] = []
    for model in (digits, compiled):
        output = tmp_path / f"{model.suffix}.npz"
        run("run", model, "--input", tmp_path / "in.npz", "-o", output)
        with np.load(output) as archive:
            assert archive.files == ["scores"]
            results.append(archive["scores"])
    assert results[0].shape == (3, 10)
    assert (results[0] == results[1]).all()


@pytest.mark.parametrize("mode", ["bulk", "interpret"])
@pytest.mark.parametrize("buffers", ["minimal", "throughput", "whole"])
def test_check_passes(run: Run, digits: Path, mode: str, buffers: str):
    text = run(
        "run", digits, "--random", "1", "--images", "2", "--check",
        "--mode", mode, "--buffers", buffers,
    )  # fmt: skip
    assert "largest errors against " in text
    assert "  scores: " in text


def test_check_of_a_compiled_program(run: Run, fail: Run, digits: Path, compiled: Path):
    assert "--check needs --model" in fail("run", compiled, "--random", "1", "--check")
    text = run("run", compiled, "--random", "1", "--check", "--model", digits)
    assert "  scores: " in text


def test_check_fails_beyond_the_tolerance(
    digits: Path, compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    model = onnx.load_model_from_string(digits.read_bytes())
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            tensor.CopyFrom(onnx.numpy_helper.from_array(array * np.float32(1.01), tensor.name))
    other = tmp_path / "other.onnx"
    other.write_bytes(model.SerializeToString())
    arguments = ["run", str(compiled), "--random", "1", "--check", "--model", str(other)]
    assert main(arguments) == 1
    assert (
        capsys.readouterr().err == "check: error: output 'scores' beyond the tolerance of 0.0001\n"
    )


def test_summary_and_report(run: Run, digits: Path, tmp_path: Path):
    report = tmp_path / "report.json"
    text = run("run", digits, "--random", "1", "--images", "4", "--report", report)
    data = json.loads(report.read_text())
    assert data["images"] == 4
    assert f"4 images in {data['cycles']:,} cycles" in text
    assert all(core["name"] in text for core in data["cores"])
    slowest = max(program["iterations"] for core in data["cores"] for program in core["programs"])
    assert data["cycles_per_image"] == max(slowest, 64)


def test_array_of_the_only_input_needs_no_name(
    run: Run, digits: Path, tmp_path: Path, images: NDArray[np.float32]
):
    np.save(tmp_path / "in.npy", images)
    unnamed = run("run", digits, "--input", tmp_path / "in.npy")
    assert unnamed == run("run", digits, "--input", f"image={tmp_path / 'in.npy'}")


@pytest.fixture
def arrays(tmp_path: Path, images: NDArray[np.float32]) -> Path:
    """A folder of arrays, most of which are wrong in some way."""
    np.save(tmp_path / "good.npy", images)
    np.save(tmp_path / "flat.npy", images.reshape(3, 64))
    np.save(tmp_path / "nan.npy", np.where(images > 0.5, images, np.nan))
    np.save(tmp_path / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "other.npz", imag=images)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:200])
    (tmp_path / "cut.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:200])
    (tmp_path / "text.npy").write_text("not an array")
    np.savez_compressed(tmp_path / "bits.npz", image=images)
    content = bytearray((tmp_path / "bits.npz").read_bytes())
    content[150:200] = bytes(50)
    (tmp_path / "bits.npz").write_bytes(content)
    (tmp_path / "empty.npz").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("image={}/flat.npy", "input 'image' expects shape [images, 1, 8, 8], got [3, 64]"),
        ("image={}/nan.npy", "input 'image' is NaN in image 0 at "),
        ("{}/objects.npy", "objects.npy: error: not an array file of numpy"),
        ("{}/cut.npy", "cut.npy: error: not an array file of numpy"),
        ("{}/cut.npz", "cut.npz: error: not an array file of numpy"),
        ("{}/text.npy", "text.npy: error: not an array file of numpy"),
        ("{}/empty.npz", "empty.npz: error: not an array file of numpy"),
        ("{}/bits.npz", "bits.npz: error: not an array file of numpy"),
        ("{}/other.npz", "holds 'imag', and the network's inputs are 'image'"),
        ("imag={}/good.npy", "no input 'imag'; did you mean 'image'?"),
        ("image={}/other.npz", "this is an archive"),
        ("{}/missing.npz", "missing.npz: error: no such file or directory"),
        ("image={}/missing.npy", "missing.npy: error: no such file or directory"),
        ("{}", "error: is a directory"),
    ],
)
def test_bad_input(fail: Run, compiled: Path, arrays: Path, spec: str, message: str):
    output = arrays / "out.npz"
    line = fail("run", compiled, "--input", spec.format(arrays), "-o", output)
    assert message in line
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no images: give --input"),
        (["--random", "1", "--input", "x.npz"], "not from both"),
        (["--random", "one"], "argument --random: expected a number of at least 0, got 'one'"),
        (["--random", "-1"], "argument --random: "),
        (["--random", "1", "--images", "-3"], "at least 1, got '-3'"),
        (["--random", "1", "--buffers", "tiny"], "argument --buffers: invalid choice: 'tiny'"),
        (["--random", "1", "--buffers", "whole"], "--buffers is for networks"),
        (["--random", "1", "--shape", "N=3"], "--shape is for networks"),
        (["--random", "1", "--copies", "none"], "--copies is for networks"),
        (["--random", "1", "--shape", "N"], "expected NAME=N, got 'N'"),
        (["--random", "1", "-o", "nowhere/out.npz"], "nowhere: error: no such folder"),
        (["--random", "1", "--report", "."], "is a folder"),
        (["--random", "1", "--report", "-"], "-: error: names a file here; standard output is"),
        (
            ["--rand", "1"],
            "cmc run: error: unrecognized arguments: --rand 1; did you mean --random? "
            "(see cmc run --help)",
        ),
        (["more", "--verbos"], "unrecognized arguments: more --verbos (see cmc run --help)"),
    ],
)
def test_misuse(fail: Run, compiled: Path, arguments: list[str], message: str):
    assert message in fail("run", compiled, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--input", "{}/flat.npy"], "expects shape [images, 1, 8, 8], got [3, 64]"),
        (["run", "--input", "{}/good.npy", "--images", "4"], "asks for 4, and there are 3"),
        (["run"], "no images: give --input"),
        (["run", "--random", "1", "--check", "--model", "{}/two.onnx"], "two.onnx: error: its in"),
        (["calibrate", "--inputs", "{}/flat.npy"], "expects shape [images, 1, 8, 8]"),
        (["calibrate", "--inputs", "{}/good.npy", "--target", "pcm-64"], "no converters to calib"),
        (["accuracy", "--inputs", "{}/flat.npy", "--labels", "{}/labels.npy"], "expects shape"),
        (["accuracy", "--inputs", "{}/good.npy", "--labels", "{}/labels.npy"], "3 images, and 2"),
        (
            ["accuracy", "--inputs", "{}/good.npy", "--labels", "{}/labels.npy", "--output", "x"],
            "no output 'x'",
        ),
    ],
)
def test_images_are_refused_before_a_chip_is_made(
    fail: Run,
    digits: Path,
    arrays: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
):
    """Which may take minutes."""

    def compiles(buffers: str, copies: str, place: str) -> None:
        pytest.fail("compiles")

    monkeypatch.setattr("cmc.api.passes_to_chip", compiles)
    np.save(arrays / "labels.npy", np.array([3, 4]))
    two = chain_model((1, 4), onnx.helper.make_node("Relu", ["x"], ["y"]))
    (arrays / "two.onnx").write_bytes(two.SerializeToString())
    command, *rest = (argument.format(arrays) for argument in arguments)
    if command == "calibrate":
        rest += ["-o", str(arrays / "out.mlir")]
        rest += [] if "--target" in rest else ["--target", "pcm-64-analog"]
    assert message in fail(command, digits, *rest)


@pytest.mark.parametrize("command", ["accuracy", "calibrate", "explain"])
def test_a_chip_is_compiled_already(
    fail: Run, compiled: Path, digits: Path, command: str, tmp_path: Path
):
    images = str(digits.with_name("digits_test.npz"))
    more = {
        "accuracy": ["--inputs", images, "--labels", images],
        "calibrate": ["--inputs", images, "-o", str(tmp_path / "out.mlir")],
    }
    error = fail(command, compiled, "--target", "pcm-64", *more.get(command, []))
    assert "--target is for networks of ONNX; this is a module already" in error


def test_more_images_than_there_are(fail: Run, compiled: Path, arrays: Path):
    arguments = ("--input", f"{arrays}/good.npy", "--images", "4")
    assert "--images asks for 4, and there are 3" in fail("run", compiled, *arguments)
    twice = ("--input", f"{arrays}/good.npy", "--input", f"image={arrays}/good.npy")
    assert "input 'image' is given twice" in fail("run", compiled, *twice)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.onnx", None, "missing.onnx: error: "),
        ("text.onnx", b"not a model", "text.onnx: error: not an ONNX model"),
        ("empty.onnx", b"", "empty.onnx: error: not an ONNX model"),
        ("text.mlir", b"not a program", "text.mlir:1:5: error: "),
        (
            "nothing.mlir",
            b"builtin.module {\n}",
            "nothing.mlir: error: expected a cmctrl.chip, a cmpipe.pipeline or a func.func of nn",
        ),
        ("binary.mlir", b"\xff\xfe", "binary.mlir: error: not UTF-8 text"),
        ("chip.txt", b"builtin.module {\n}", "chip.txt: error: no ONNX model but a module"),
        ("lfs.onnx", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull fetches it"),
    ],
)
def test_bad_model(fail: Run, tmp_path: Path, name: str, content: bytes | None, message: str):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert message in fail("run", tmp_path / name, "--random", "1")


def test_network_with_names_that_are_no_text(fail: Run, digits: Path, tmp_path: Path):
    (tmp_path / "bad.onnx").write_bytes(
        digits.read_bytes().replace(b"block.norm2", b"block.n\xffrm2")
    )
    message = fail("compile", tmp_path / "bad.onnx", "-o", tmp_path / "out.mlir")
    assert "bad.onnx: error: not an ONNX model" in message


def test_any_number_of_images_is_timed(run: Run, compiled: Path):
    images = 10**30
    text = run("run", compiled, "--timing", "--images", images)
    assert f"{images:,} images in {64 * images + 39:,} cycles, " in text


def test_any_number_of_images_takes_turns(run: Run, digits: Path, tmp_path: Path):
    """On two cores, whose stages share a digital unit."""
    target, images = tmp_path / "two.toml", 10**30
    target.write_text(TWO_CORES)
    text = run("run", digits, "--target", target, "--timing", "--images", images)
    assert f"{images:,} images in " in text


def test_truncated_network_leaves_no_output(fail: Run, digits: Path, tmp_path: Path):
    cut, output = tmp_path / "cut.onnx", tmp_path / "out.mlir"
    cut.write_bytes(digits.read_bytes()[:5000])
    assert "cut.onnx" in fail("compile", cut, "-o", output)
    assert list(tmp_path.iterdir()) == [cut]


def test_missing_weights_file(fail: Run, compiled: Path, tmp_path: Path):
    (tmp_path / "digits.mlir").write_text(compiled.read_text())
    assert "digits.safetensors: error: " in fail("run", tmp_path / "digits.mlir", "--random", "1")


def test_as_a_process(run_tool: RunTool, compiled: Path):
    result = run_tool("cmc", "run", compiled, "--random", "1", "--images", "2")
    assert result.returncode == 0
    assert "2 images in " in result.stdout
    assert result.stderr == ""
    result = run_tool("cmc", "run", "missing.onnx", "--random", "1", "--debug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


@pytest.mark.parametrize("tool", ["cmc run --timing", "cmc-opt"])
def test_closed_standard_output(compiled: Path, tool: str):
    name, *flags = tool.split()
    command = shlex.join([str(TOOLS / name), *flags, str(compiled)])
    result = subprocess.run(
        f"{command} >&-", shell=True, stderr=subprocess.PIPE, text=True, check=False
    )
    assert result.stderr == "standard output: error: is closed\n"
    assert result.returncode == 1


def test_outputs_may_be_devices(run: Run, digits: Path, compiled: Path):
    run("run", compiled, "--random", 1, "-o", "/dev/null", "--report", "/dev/null")
    run("compile", digits, "-o", "/dev/null")
    assert not Path("/dev/null.safetensors").exists()


def test_what_a_terminal_has_no_letters_for(compiled: Path, monkeypatch: pytest.MonkeyPatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    assert main(["run", "--timing", str(compiled)]) == 0
    assert rb"latency 0.103 \xb5s, 103 cycles" in written.getvalue()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_full_outputs_are_named(fail: Run, digits: Path, compiled: Path):
    line = "/dev/full: error: no space left on device\n"
    assert fail("run", compiled, "--random", 1, "-o", "/dev/full") == line
    assert fail("run", compiled, "--random", 1, "--report", "/dev/full") == line
    assert fail("compile", digits, "-o", "/dev/full") == line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("tool", ["cmc run --timing", "cmc-opt"])
def test_full_standard_output_is_named(compiled: Path, tool: str):
    name, *flags = tool.split()
    command = [TOOLS / name, *flags, compiled]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.stderr == "standard output: error: no space left on device\n"
    assert result.returncode == 1


def test_what_is_read_is_not_overwritten(fail: Run, compiled: Path, tmp_path: Path):
    program = tmp_path / "program.mlir"
    program.write_bytes(compiled.read_bytes())
    message = fail("run", program, "--random", 1, "-o", program)
    assert "would overwrite" in message
    assert program.read_bytes() == compiled.read_bytes()
    weights = tmp_path / "program.safetensors"
    weights.write_bytes(compiled.with_suffix(".safetensors").read_bytes())
    assert "would overwrite" in fail("run", program, "--random", 1, "-o", weights)
    both = tmp_path / "both"
    assert "written twice" in fail("run", program, "--random", 1, "-o", both, "--report", both)


def test_descriptions_that_are_read_are_not_overwritten(run: Run, fail: Run, tmp_path: Path):
    model = tmp_path / "model.onnx"
    relu = onnx.helper.make_node("Relu", ["x"], ["y"])
    model.write_bytes(chain_model((1, 4), relu).SerializeToString())
    target, mapping = tmp_path / "two.toml", tmp_path / "mapping.toml"
    target.write_text(TWO_CORES)
    run("explain", model, "--target", target, "--mapping", mapping, "--only", "rings")
    assert "[cores." in mapping.read_text()
    for path, *given in (
        (target, "--target", f"{target}:lanes=3"),
        (mapping, "--target", target, "--place", mapping),
        (mapping, "--target", target, "--copies", mapping),
    ):
        before = path.read_text()
        for command, flag in (("run", "--report"), ("explain", "--json"), ("compile", "-o")):
            assert "would overwrite what is read" in fail(command, model, *given, flag, path)
        assert path.read_text() == before


def test_check_wants_the_network_that_was_compiled(fail: Run, compiled: Path, tmp_path: Path):
    other = tmp_path / "other.onnx"
    relu = onnx.helper.make_node("Relu", ["x"], ["y"])
    other.write_bytes(chain_model((1, 4), relu).SerializeToString())
    message = fail("run", compiled, "--random", 1, "--check", "--model", other)
    assert "not the network that was compiled" in message


def typed_model(element: int, dtype: str) -> onnx.ModelProto:
    """A convolution and a softmax, all of whose numbers are of that type."""
    weights = np.random.default_rng(0).random((2, 3, 2, 2), np.float32).astype(dtype)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Conv", ["x", "w"], ["h"]),
            onnx.helper.make_node("Softmax", ["h"], ["y"], axis=1),
        ],
        "typed",
        [onnx.helper.make_tensor_value_info("x", element, [1, 3, 4, 4])],
        [onnx.helper.make_tensor_value_info("y", element, [1, 2, 3, 3])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opset = onnx.helper.make_opsetid("", 17)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)


@pytest.mark.parametrize("engine", ["onnxruntime", "onnx"])
@pytest.mark.parametrize(
    ("element", "dtype"),
    [(onnx.TensorProto.DOUBLE, "float64"), (onnx.TensorProto.FLOAT16, "float16")],
)
def test_check_of_other_precisions(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, element: int, dtype: str
):
    if engine == "onnx":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model, output = tmp_path / "model.onnx", tmp_path / "out.npz"
    model.write_bytes(typed_model(element, dtype).SerializeToString())
    text = run("run", model, "--random", 1, "--images", 2, "--check", "-o", output)
    assert "largest errors against " in text and "  y: " in text
    with np.load(output) as archive:
        assert archive["y"].shape == (2, 2, 3, 3)


def small_model(*nodes: onnx.NodeProto) -> bytes:
    return chain_model((1, 4, 3, 3), *nodes).SerializeToString()


def test_check_without_onnxruntime_says_what_it_cannot_compare(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """onnx's evaluator is wrong on some operators, and on opsets that it cannot convert."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = tmp_path / "model.onnx"
    lrn = onnx.helper.make_node("LRN", ["x"], ["n"], "norm", size=3, alpha=0.5)
    proto = chain_model(
        (1, 4, 3, 3), lrn, onnx.helper.make_node("Relu", ["n"], ["y"]),
        onnx.helper.make_node("Neg", ["x"], ["z"]),
    )  # fmt: skip
    proto.graph.output.add().CopyFrom(proto.graph.output[0])
    proto.graph.output[1].name = "z"
    model.write_bytes(proto.SerializeToString())
    text = run("run", model, "--random", 1, "--check")
    assert " errs on LRN (node 'norm'): install onnxruntime" in text
    assert "  y: not compared, as the reference evaluator of onnx " in text
    assert "  z: 0, 0 of the largest magnitude" in text
    del proto.graph.output[1]
    model.write_bytes(proto.SerializeToString())
    assert main(["run", str(model), "--random", "1", "--check"]) == 1
    error = capsys.readouterr().err
    assert error == "check: error: no output could be compared: install onnxruntime\n"


def test_check_explains_outputs_of_another_size(fail: Run, tmp_path: Path):
    for name, axis in (("model", 2), ("other", 3)):
        nodes = [
            onnx.helper.make_node("Concat", ["x", "x"], ["c"], axis=axis),
            onnx.helper.make_node("ReduceMean", ["c"], ["y"], axes=[3]),
        ]
        (tmp_path / f"{name}.onnx").write_bytes(small_model(*nodes))
    output = tmp_path / "out.npz"
    message = fail(
        "run", tmp_path / "model.onnx", "--random", 1, "--check", "-o", output,
        "--model", tmp_path / "other.onnx",
    )  # fmt: skip
    assert "output 'y' has 24 numbers an image, of shape [4, 6, 1], and onnx" in message
    assert "gives shape [1, 4, 3, 1]: it is another network" in message
    assert not output.exists()


def test_names_as_long_as_a_name_may_be(run: Run, fail: Run, digits: Path, tmp_path: Path):
    outputs = [tmp_path / (letter * 246 + suffix) for letter, suffix in (("a", ".npz"), ("b", ""))]
    program = tmp_path / ("c" * 245 + ".mlir")
    run("compile", digits, "-o", program)
    run("run", program, "--random", 1, "-o", outputs[0], "--report", outputs[1])
    assert all(path.exists() for path in outputs)
    assert "its name has 256 bytes, and may have 255" in fail("compile", digits, "-o", "d" * 256)


def test_names_in_any_script(run: Run, tmp_path: Path):
    """What tensors are called is text, and comes back as it was."""
    name = 'größe "π"\n' + "ü" * 300
    model = chain_model((1, 4), onnx.helper.make_node("Relu", ["x"], ["y"]))
    model.graph.node[0].output[0] = model.graph.output[0].name = name
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    run("compile", tmp_path / "model.onnx", "-o", tmp_path / "program.mlir")
    run("run", tmp_path / "program.mlir", "--random", 1, "-o", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as archive:
        assert archive.files == [name]


@pytest.mark.parametrize("swallowed", [False, True])
def test_interrupts_end_in_one_line(
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    swallowed: bool,
):
    """Also where a library makes another error of it."""

    def interrupt(*arguments: object, **options: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            if swallowed:
                raise ValueError("in a callback") from None
            raise

    monkeypatch.setattr("cmc.compiler.stages.import_network", interrupt)
    assert main(["compile", str(digits), "-o", str(tmp_path / "out.mlir")]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert not list(tmp_path.iterdir())


def test_a_model_in_a_pipe_is_read_once(fail: Run):
    assert "/dev/null: error: a pipe is empty once" in fail("run", "/dev/null", "--random", 1)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="a link to itself is replaced")
def test_a_link_to_itself_is_no_output(fail: Run, compiled: Path, tmp_path: Path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    message = "loop: error: is a link that leads to itself"
    assert message in fail("run", compiled, "--timing", "--report", tmp_path / "loop")


@pytest.mark.parametrize("arguments", [("explore", "."), ("run", "/", "--random", "1")])
def test_folders_are_no_files(fail: Run, arguments: tuple[str, ...]):
    assert f"{arguments[1]}: error: is a folder, not a file" in fail(*arguments)


def test_an_empty_name_is_no_target(digits: Path, fail: Run, tmp_path: Path):
    error = fail("compile", digits, "--target", "", "-o", tmp_path / "d.mlir")
    assert "no such target" in error
