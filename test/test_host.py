# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Parts of networks on the host: what is cut out, when it runs, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx.external_data_helper import set_external_data
from xdsl.dialects.func import FuncOp

import cmc
from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.host import evaluator
from cmc.host.turns import Turns
from cmc.importer import import_network
from cmc.importer.load import load_model
from cmc.importer.split import split
from cmc.reference import Deviation, Reference
from cmc.reports.text import format_report
from cmc.simulator import Mode
from cmc.tools.cmc import main
from conftest import examples
from end_to_end import assert_close, lower
from host_models import NETWORKS, between, detector, model, only_host
from networks import Network, image_networks, random_inputs, reference, tangled_networks
from onnx_models import chain_model, normal

IMAGES = 3
TOLERANCE = 1e-5

Make = Callable[[], onnx.ModelProto]


@cache
def compiled(make: Make) -> cmc.Program:
    return cmc.compile(make())


networks = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)


def images_for(proto: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Normally distributed images, some of whose elements are 0."""
    shapes = {
        i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in proto.graph.input
    }
    arrays = {name: normal(IMAGES, *shape[1:]) for name, shape in shapes.items()}
    return {name: np.where(array < -0.5, np.float32(0), array) for name, array in arrays.items()}


def check(
    proto: onnx.ModelProto,
    inputs: dict[str, NDArray[np.float32]],
    outputs: dict[str, NDArray[np.float32]],
):
    """All outputs are those of the network as a whole, image by image."""
    reference = Reference(proto)
    expected = [reference.image(inputs, image) for image in range(IMAGES)]
    assert outputs.keys() == expected[0].keys()
    for name, found in outputs.items():
        deviation = Deviation.of_images(name, list(found), [one[name] for one in expected])
        assert deviation.relative <= TOLERANCE


@pytest.mark.parametrize("mode", ["bulk", "interpret"])
@networks
def test_outputs_are_those_of_the_whole_network(make: Make, mode: Mode):
    inputs = images_for(make())
    check(make(), inputs, compiled(make).run(inputs, mode=mode).outputs)


@networks
def test_without_onnxruntime(make: Make, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object):
        raise ImportError

    monkeypatch.setattr(evaluator, "onnxruntime_session", refuse)
    inputs = images_for(make())
    result = cmc.compile(make()).run(inputs)
    assert {part.engine.partition(" of")[0] for part in result.report.host} == {
        "the reference evaluator"
    }
    monkeypatch.undo()
    check(make(), inputs, result.outputs)


@networks
@pytest.mark.parametrize("last", ["", "convert-nn-to-cmpipe"])
def test_every_level_runs(make: Make, last: str, tmp_path: Path):
    module = import_network(make())
    lower(module, *(["nn-canonicalize", last] if last else []))
    (tmp_path / "level.mlir").write_text(str(module))
    loaded = cmc.load_level(tmp_path / "level.mlir")
    inputs = images_for(make())
    found = loaded.run(inputs)
    check(make(), inputs, found.outputs if isinstance(found, cmc.Result) else found)


@networks
def test_programs_are_saved_whole(make: Make, tmp_path: Path):
    inputs = images_for(make())
    compiled(make).save(tmp_path / "program.mlir")
    loaded = cmc.load(tmp_path / "program.mlir")
    assert loaded.inputs == compiled(make).inputs
    assert loaded.outputs == compiled(make).outputs
    check(make(), inputs, loaded.run(inputs).outputs)


def test_turns_are_taken():
    module = import_network(between())
    kinds = [type(op) for op in module.ops]
    assert kinds == [nn.InterfaceOp, FuncOp, nn.HostOp]
    host = next(op for op in module.ops if isinstance(op, nn.HostOp))
    assert [node.operator for node in host.nodes] == ["Unique", "Shape", "Reshape", "Expand"]
    # What a later part reads of an earlier one, or of the input, goes around the host's part.
    assert host.inputs == ["active", "first", "skip"]
    assert host.outputs == ["active@1", "fixed", "skip@1"]


def test_nothing_on_the_cores():
    program = compiled(only_host)
    assert not program.has_chip
    report = program.run(images_for(only_host())).report
    assert report.cycles == 0
    assert format_report(report, 80).startswith("warning: nothing of the network is on the cores")
    with pytest.raises(CmcError, match="nothing of the network is on the cores"):
        program.time(3)


def test_reports_say_what_is_on_the_host_and_why():
    report = compiled(detector).run(images_for(detector())).report
    (part,) = json.loads(report.to_json())["host"]
    first = part["nodes"][0]
    assert first["operator"] == "NonMaxSuppression"
    assert first["node"] == "places"
    assert first["reason"].startswith("operator 'NonMaxSuppression' is not supported")
    text = format_report(report, 80)
    assert "NonMaxSuppression  'places'  operator 'NonMaxSuppression' is not supported\n" in text
    assert "'chosen'  it reads 'places', whose shape depends on data\n" in text
    assert compiled(detector).time(5).host == report.host


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "detector.onnx").write_bytes(detector().SerializeToString())
    arguments = ["run", str(tmp_path / "detector.onnx"), "--random", "1", "--images", "2"]
    assert main([*arguments, "--check", "-o", str(tmp_path / "out.npz")]) == 0
    assert "\n  places: 0, 0 of the largest magnitude\n" in capsys.readouterr().out
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["places[0]"].dtype == np.int64
        assert {name.partition("[")[0] for name in arrays} == {"found", "score", "places"}
    assert main([*arguments, "--no-host"]) == 1
    assert capsys.readouterr().err == (
        "NonMaxSuppression node 'places': error: operator 'NonMaxSuppression' is not supported: "
        "express it by other operators, or compute it outside the network\n"
    )


def test_what_the_host_cannot_compute_either():
    proto = chain_model(
        [1, 3], onnx.helper.make_node("Strange", ["x"], ["y"], domain="com.example")
    )
    with pytest.raises(CmcError, match=r"of domain 'com.example' is not supported.*; and the host"):
        cmc.compile(proto)


def test_a_range_of_any_length_is_not_listed():
    numbers = [("a", 0), ("b", 10**13), ("s", 1)]
    model = chain_model(
        [1, 4],
        onnx.helper.make_node("Range", [name for name, _ in numbers], ["range"]),
        onnx.helper.make_node("ReduceMax", ["range"], ["last"], keepdims=0),
        onnx.helper.make_node("Cast", ["last"], ["real"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Add", ["x", "real"], ["y"]),
        constants={name: np.array(number) for name, number in numbers},
    )
    with pytest.raises(CmcError, match="Range node 'range': 'range': a tensor of shape"):
        import_network(model)


MALFORMED = {
    "LSTM node 'y': W has shape [1, 2, 4], and must have [1, 4, 3]": """
        <float[1,2,4] w = {1,1,1,1,1,1,1,1}, float[1,4,1] r = {1,1,1,1}> {
            y = LSTM <hidden_size = 1> (s, w, r)
        }""",
    "LSTM node 'y': activation 'Foo' is not known": """
        <float[1,4,3] w = {1,1,1,1,1,1,1,1,1,1,1,1}, float[1,4,1] r = {1,1,1,1}> {
            y = LSTM <hidden_size = 1, activations = ["Sigmoid", "Foo", "Tanh"]> (s, w, r)
        }""",
    "Relu node 't' in If node 'y': 'nope' is used before any node or input defines it": """{
            y = If (c) <then_branch = one () => (float[1,4] t) { t = Abs(x) },
                        else_branch = other () => (float[1,4] t) { t = Relu(nope) }>
        }""",
    "If node 'y': attribute 'else_branch' is missing": """{
            y = If (c) <then_branch = one () => (float[1,4] t) { t = Abs(x) }>
        }""",
    "Pad node 'y': 'y': a tensor of shape [1, 10000000004] takes 40,000,000,016 bytes": """
        <int64[4] pads = {0,0,0,10000000000}> { y = Pad(x, pads) }""",
    "Tile node 'y': 'y': a tensor of shape [1, 4000000000] takes 16,000,000,000 bytes": """
        <int64[2] times = {1,1000000000}> { y = Tile(x, times) }""",
    "Loop node 'y': 1,000,000,000,000 turns would take days, whoever computes them": """
        <int64 times = {1000000000000}> {
            y = Loop (times, , x) <body = b (int64 i, bool c, float[1,4] v)
                => (bool again, float[1,4] w) { again = Identity(c) w = Tanh(v) }>
        }""",
    "(op_type:Reshape, node name: y): [ShapeInferenceError] shape input must be 1D tensor": """{
            n = NonZero(x) y = Reshape(x, n)
        }""",
    "Conv node 'y': the input of shape [2, 1, 3] has 1 channels, and weights of": """
        <float[1,2,1] w = {1,1}> { y = Conv(s, w) }""",
    "Conv node 'y': the bias has shape [2], but there are 1 output channels": """
        <float[1,1,1] w = {1}, float[2] b = {1,1}> { y = Conv(s, w, b) }""",
    "Reshape node 'y': a tensor of shape [1, 4] cannot take shape [3]": """
        <int64[1] shape = {3}> { y = Reshape(x, shape) }""",
    "Transpose node 'y': perm [1, 0] does not name each axis of [2, 1, 3] once": """{
            y = Transpose <perm = [1, 0]> (s)
        }""",
    "Gather node 'y': there is no element 4 of 4 along axis 1": """
        <int64[2] at = {0, 4}> { y = Gather <axis = 1> (x, at) }""",
    "PRelu node 'y': slopes and an input of shapes [3] and [1, 4] do not broadcast": """
        <float[3] slopes = {1,1,1}> { y = PRelu(x, slopes) }""",
    "DepthToSpace node 'y': 1 channels are no blocks of 2 x 2": """
        <int64[2] front = {0, 1}> {
            a = Unsqueeze(x, front) y = DepthToSpace <blocksize = 2> (a)
        }""",
}
"""Networks that nobody computes, by what is said of them when they are compiled."""


@pytest.mark.parametrize("words", MALFORMED)
def test_what_nobody_can_compute_is_not_left_to_the_host(words: str):
    text = f"graph (float[1,4] x, bool c, float[2,1,3] s) => (float[] y) {MALFORMED[words]}"
    proto = model(text)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(CmcError) as raised:
        cmc.compile(proto)
    assert words in str(raised.value)


def test_what_is_refused_reads_nothing():
    """It was an operation in no block that used what the cores compute."""
    proto = model(
        """graph (float[1,4,2,2] x) => (float[1,4,2,2] y) {
            a = Relu(x)
            y = LRN <size = 0> (a)
        }"""
    )
    assert cmc.compile(proto).has_host


def test_onnx_does_not_see_what_it_crashes_on():
    """Its inference of this operator takes the type of an input that nothing defines for known."""
    proto = model(
        """trees (float[1,4] x) => (double[3,2] y) {
            y = ai.onnx.ml.TreeEnsemble <nodes_splits = double[1] splits {0.5}, n_targets = 2,
                leaf_weights = double[1] weights {0.5}, leaf_targetids = [0], tree_roots = [0],
                nodes_featureids = [0], nodes_modes = uint8[1] modes {0}, nodes_truenodeids = [0],
                nodes_falsenodeids = [0], nodes_trueleafs = [1], nodes_falseleafs = [1]> (nope)
        }"""
    )
    proto.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 5))
    with pytest.raises(CmcError, match="TreeEnsemble node 'y': 'nope' is used before any node"):
        cmc.compile(proto)


def test_errors_of_the_host_name_its_nodes():
    """What is given to an operator may be wrong only when it is computed."""
    program = cmc.compile(
        model(
            """boxes (float[1,4] x) => (float[1,4] y) {
                q = NonMaxSuppression(x, x)
                y = Cast <to = 1> (q)
            }"""
        )
    )
    message = r"on the host, NonMaxSuppression node 'q' or Cast node 'y': fails on image 0: .*'q'"
    with pytest.raises(CmcError, match=message):
        program.run({"x": normal(1, 4)})


def test_outputs_without_elements_are_for_the_host():
    proto = model(
        """part (float[1,3] x) => (float[1,0] none, float[1,2] y)
        <int64[1] zero = {0}, int64[1] one = {1}> {
            none = Slice(x, zero, zero, one)
            y = MatMul(x, matrix)
        }""",
        {"matrix": normal(3, 2)},
    )
    program = cmc.compile(proto)
    inputs = images_for(proto)
    check(proto, inputs, program.run(inputs).outputs)
    assert program.has_chip


def test_random_integers_divide_by_no_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    proto = model("ratio (int32[1,9] a, int32[1,9] b) => (int32[1,9] c) { c = Div(a, b) }")
    (tmp_path / "ratio.onnx").write_bytes(proto.SerializeToString())
    assert main(["run", str(tmp_path / "ratio.onnx"), "--random", "1", "--check"]) == 0
    assert "\n  c: 0, 0 of the largest magnitude\n" in capsys.readouterr().out


def test_both_branches_are_computed_where_cores_can_have_them():
    """Voice detectors have one for each rate of samples."""
    proto = model(
        """graph (float[1,4] x, int64 rate) => (float[1,4] y, bool[1,4] z) <int64 high = {16000}> {
            c = Equal(rate, high)
            y, z = If (c) <then_branch = one () => (float[1,4] t, bool[1,4] p)
                                { m = MatMul(x, w) t = Tanh(m) p = Less(m, x) },
                           else_branch = other () => (float[1,4] t, bool[1,4] p)
                                { t = Relu(x) p = Less(x, t) }>
        }""",
        {"w": normal(4, 4)},
    )
    program = cmc.compile(proto, host=False)
    inputs = {"x": normal(3, 4, seed=1), "rate": np.array([16000, 8000, 16000], np.float32)}
    check(proto, inputs, program.run(inputs).outputs)


def test_branches_have_arrays_in_other_files(tmp_path: Path):
    proto = model(
        """graph (float[1,4] x, bool c) => (float[1,4] y) {
            y = If (c) <then_branch = one () => (float[1,4] t) { t = Add(x, k) },
                        else_branch = other () => (float[1,4] t) {
                            n = NonZero(x) s = Size(n) f = Cast <to = 1> (s) t = Add(x, f)
                        }>
        }"""
    )
    array = onnx.numpy_helper.from_array(normal(1, 4), "k")
    (tmp_path / "k.bin").write_bytes(array.raw_data)
    set_external_data(array, "k.bin")
    array.ClearField("raw_data")
    branch = next(one.g for one in proto.graph.node[0].attribute if one.name == "then_branch")
    branch.initializer.append(array)
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    inputs = {"x": np.ones((1, 4), np.float32), "c": np.ones(1, bool)}
    assert_close(cmc.compile(path).run(inputs).outputs, {"y": normal(1, 4) + 1})
    branch.initializer[0].external_data[0].value = "../k.bin"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(CmcError, match=r"weights 'k' are in '../k.bin', which is not in the model"):
        cmc.compile(path)


def test_arrays_that_do_not_fit():
    program = compiled(only_host)
    with pytest.raises(CmcError, match=r"'x' expects shape \[images, 6\], got \[2, 7\]"):
        program.run({"x": normal(2, 7)})
    with pytest.raises(CmcError, match="the network has no input 'y'"):
        program.run({"y": normal(2, 6)})


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    label = model(
        """label (float[1,4] x) => (string[1,1] label) {
            scores = MatMul(x, matrix)
            place = ArgMax <axis = 1> (scores)
            label = Gather(names, place)
        }""",
        {"matrix": normal(4, 3), "names": np.array(["a", "b", "c"], object)},
    )
    (tmp_path / "label.onnx").write_bytes(label.SerializeToString())
    arguments = ["run", str(tmp_path / "label.onnx"), "--random", "1", "--images", "2", "--check"]
    assert main([*arguments, "-o", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["label"].shape == (2, 1)
        assert set(arrays["label"].flat) <= {"a", "b", "c"}

    same = model("same (string[2] a) => (string[2] b) { b = StringNormalizer(a) }")
    (tmp_path / "same.onnx").write_bytes(same.SerializeToString())
    capsys.readouterr()
    assert main(["run", str(tmp_path / "same.onnx"), "--random", "1", "--check"]) == 0
    assert "\n  b: 0, 0 of the largest magnitude\n" in capsys.readouterr().out
    with pytest.raises(CmcError, match="'a' is text, and given as float32"):
        cmc.compile(same).run({"a": normal(1, 2)})
    (found,) = cmc.compile(same).run({"a": [["x", "y"]]}).outputs["b"]
    assert found.tolist() == ["x", "y"]


def test_integers_are_exact_where_the_cores_read_them():
    proto = model(
        """large (float[1,2] x) => (float[1,2] y)
        <int64 far = {20000000}> {
            places = NonZero(x)
            moved = Add(places, far)
            most = ReduceMax <keepdims = 0> (moved)
            real = Cast <to = 1> (most)
            sum = Add(real, x)
            y = MatMul(sum, matrix)
        }""",
        {"matrix": normal(2, 2)},
    )
    program = cmc.compile(proto)
    with pytest.raises(CmcError, match="'most', which the host computes, holds integers beyond"):
        program.run({"x": normal(1, 2)})


@examples(60)
@given(st.one_of(image_networks(), tangled_networks()), st.integers(0, 2**16), st.floats(0.1, 0.6))
def test_whoever_computes_it(network: Network, seed: int, share: float):
    """Random nodes on the host change nothing but who computes them."""
    random = Random(seed)
    nodes = range(len(network.model.graph.node))
    forced = {index: "the test says so" for index in nodes if random.random() < share}
    module = split(load_model(network.model), {}, forced)
    if module is None:
        return
    inputs = random_inputs(network.model, IMAGES, seed)
    turns = Turns.of(module)
    assert turns is not None
    has_cores = any(isinstance(op, FuncOp) for op in module.ops)
    hosted = cmc.Hosted(turns, cmc.Network(module) if has_cores else None)
    assert_close(hosted.run(inputs), reference(network.model, inputs))


def test_what_is_no_stage_is_for_the_host():
    """The importer takes a convolution with computed weights, and no crossbar can hold them."""
    proto = model(
        """computed (float[1,2,5] x, float[1,4] v) => (float[1,2,3] y)
        <int64[3] shape = {2,2,3}> {
            more = MatMul(v, matrix)
            weights = Reshape(more, shape)
            y = Conv(x, weights)
        }""",
        {"matrix": normal(4, 12)},
    )
    program = cmc.compile(proto)
    inputs = images_for(proto)
    result = program.run(inputs)
    check(proto, inputs, result.outputs)
    (part,) = result.report.host
    assert [node.operator for node in part.nodes] == ["Conv"]
    with pytest.raises(CmcError, match="a convolution needs constant weights") as raised:
        cmc.compile(proto, host=False)
    assert raised.value.node == "y"


def test_names_of_nodes_may_hold_anything():
    proto = model(
        """computed (float[1,2,5] x, float[1,2,2,3] v) => (float[1,2,3] y) <int64[1] zero = {0}> {
            weights = Squeeze(v, zero)
            y = Conv(x, weights)
        }"""
    )
    proto.graph.node[1].name = "node 'a': \n'b'"
    program = cmc.compile(proto)
    inputs = {"x": normal(IMAGES, 2, 5), "v": normal(IMAGES, 2, 2, 3)}
    result = program.run(inputs)
    check(proto, inputs, result.outputs)
    (part,) = result.report.host
    assert [node.node for node in part.nodes] == ["node 'a': \n'b'"]
    assert "\n'b'" not in format_report(result.report, 80)


def test_a_sequence_of_constants_is_no_tensor():
    """The empty one that a loop begins with, and one of tensors of different sizes."""
    proto = model(
        """gathered (float[1,4] x) => (float[1,14] y)
        <int64 times = {3}, int64 first = {0}, float[2] pair = {1, 2}, float[3] three = {3, 4, 5},
         int64[2] row = {1,2}> {
            none = SequenceEmpty <dtype = 1> ()
            all = Loop(times, , none) <body = step (int64 i, bool on, seq(float[1,4]) before)
                => (bool still, seq(float[1,4]) after) {
                still = Identity(on)
                factor = Cast <to = 1> (i)
                scaled = Mul(x, factor)
                after = SequenceInsert(before, scaled)
            }>
            of_constants = SequenceConstruct(pair, three)
            chosen = SequenceAt(of_constants, first)
            flat = Reshape(chosen, row)
            joined = ConcatFromSequence <axis = 1> (all)
            y = Concat <axis = 1> (joined, flat)
        }"""
    )
    inputs = images_for(proto)
    result = cmc.compile(proto).run(inputs)
    check(proto, inputs, result.outputs)
    assert all(part.engine.startswith("onnxruntime") for part in result.report.host)
