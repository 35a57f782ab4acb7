# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Networks with matrices of lower rank: what they compute, how exact, and what they take."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.checker import check_model  # pyright: ignore[reportUnknownVariableType]

import cmc
from cmc.compression.compress import Compressible, Cut, bring_in
from cmc.compression.fit import crossbars_of_stages, error_that_fits, fits
from cmc.compression.matrices import Form
from cmc.compression.spectrum import EXACT, Spectrum
from cmc.errors import CmcError
from cmc.files.onnx_file import data_file, write_model
from cmc.importer.load import load_model
from cmc.reference import Reference
from cmc.targets import Target, find_target
from cmc.tools.cmc import main
from conftest import examples, find_trained
from end_to_end import assert_close
from networks import Network, networks, random_inputs, reference
from onnx_models import Array, Attribute, chain_model, float_type, normal
from test_tiles import targets

TINY = """
name = "tiny"
clock_ghz = 1
cores = {cores}
activation_bits = 32
sram_bytes = "unlimited"
crossbars = {crossbars}
rows = 16
columns = 16
mxv_ns = 1
mxv_interval_ns = 1
lanes = 16
"""


def tiny(folder: Path, cores: int, crossbars: int = 1) -> str:
    """The file of a target with so many cores and crossbars of 16 x 16."""
    path = folder / f"tiny{cores}.toml"
    path.write_text(TINY.format(cores=cores, crossbars=crossbars))
    return str(path)


def low_rank(*shape: int, rank: int, seed: int = 0) -> NDArray[np.float32]:
    """Matrices of that rank, in float32."""
    *lead, rows, columns = shape
    left, right = normal(*lead, rows, rank, seed=seed), normal(*lead, rank, columns, seed=seed + 1)
    return left @ right


def filters(groups: int, rank: int, *shape: int) -> NDArray[np.float32]:
    """Weights of a convolution whose matrix has that rank in each group."""
    matrices = low_rank(groups, shape[0] // groups, int(np.prod(shape[1:])), rank=rank)
    return matrices.reshape(shape)


def composed(
    first: NDArray[np.float32], second: NDArray[np.float32], groups: int = 1
) -> NDArray[np.float32]:
    """The weights of one convolution that does what two do, of kernels along different axes."""
    rank, filters = first.shape[0] // groups, second.shape[0] // groups
    a = first.reshape(groups, 1, rank, *first.shape[1:])
    b = second.reshape(groups, filters, rank, 1, *second.shape[2:])
    whole = (a * b).sum(2)
    return whole.reshape(groups * filters, *whole.shape[2:])


def multiplied(form: Form, first: Array, second: Array) -> NDArray[np.float32]:
    """The weights of one node that does what two do."""
    a, b = (np.asarray(array, np.float32) for array in (first, second))
    match form.kind:
        case "rows first":
            return a @ b
        case "columns first":
            return b @ a.T
        case "on the left":
            return b @ a
        case _:
            return composed(a, b, form.groups)


def compressible(model: onnx.ModelProto | Path, target: Target | None = None) -> Compressible:
    return Compressible.of(load_model(model), target)


def compress(
    model: onnx.ModelProto, error: float, target: Target | None = None
) -> tuple[onnx.ModelProto, list[Cut]]:
    """The network with such an error, which is a valid one."""
    result, cuts = compressible(model, target).cut(error)
    check_model(result, full_check=True)
    return result, cuts


def inputs_of(model: onnx.ModelProto, images: int = 3) -> dict[str, NDArray[np.float32]]:
    """Random images of the only input that is no weight."""
    return {
        name: normal(images, *shape, seed=5) for name, shape in cmc.compile(model).inputs.items()
    }


def check_same(before: onnx.ModelProto, now: onnx.ModelProto) -> None:
    """Both compute the same, by onnxruntime and on a chip."""
    images = inputs_of(before)
    expected, reference = Reference(before)(images), Reference(now)
    assert reference.engine.startswith("onnxruntime")
    assert_close(reference(images), expected)
    outputs = cmc.compile(now).run(images).outputs
    assert_close({name: array.reshape(3, -1) for name, array in outputs.items()}, expected)


# Singular values


@pytest.mark.parametrize("shape", [(1, 12, 30), (1, 30, 12), (3, 8, 5), (1, 9, 9)])
def test_errors_are_those_of_singular_values(shape: tuple[int, int, int]):
    blocks = normal(*shape)
    spectrum = Spectrum(blocks)
    values = np.linalg.svd(blocks.astype(np.float64), compute_uv=False)
    for rank in range(values.shape[1] + 1):
        expected = np.sqrt(np.square(values[:, rank:]).sum() / np.square(values).sum())
        assert spectrum.errors[rank] == pytest.approx(expected, abs=1e-7)
        if rank:
            left, right = spectrum.factors(rank)
            assert left.shape[2] == right.shape[1] == rank
            error = np.linalg.norm(left @ right - blocks) / np.linalg.norm(blocks)
            assert error == pytest.approx(expected, abs=1e-7)
            assert spectrum.error_of(left, right) == pytest.approx(error, abs=1e-7)


def test_ranks():
    assert Spectrum(normal(1, 20, 12)).rank(0.0) == 12
    assert Spectrum(low_rank(1, 40, 24, rank=5)).rank(0.0) == 5
    assert Spectrum(low_rank(3, 10, 24, rank=2)).rank(0.0) == 2
    assert Spectrum(np.zeros((1, 4, 4), np.float32)).rank(0.0) == 1
    spectrum = Spectrum(np.diag(np.array([8, 4, 2, 1], np.float32))[None])
    assert [spectrum.rank(error) for error in (0.1, 0.2, 0.25, 0.5)] == [4, 3, 2, 1]


def test_a_slice_at_a_time(monkeypatch: pytest.MonkeyPatch):
    blocks = normal(2, 9, 31)
    whole = Spectrum(blocks).factors(4)
    monkeypatch.setattr("cmc.compression.spectrum._SLICE", 4)
    sliced = Spectrum(blocks)
    for a, b in zip(whole, sliced.factors(4), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    assert sliced.error_of(*whole) == pytest.approx(sliced.errors[4])


# Nodes

Text = pytest.CaptureFixture[str]

Make = Callable[[], onnx.ModelProto]


def declared(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model that says of which shapes its values are."""
    return onnx.shape_inference.infer_shapes(model)


def with_attributes(
    op: str, operands: Sequence[str], result: str, name: str, **attributes: Attribute
) -> onnx.NodeProto:
    node = helper.make_node(op, operands, [result], name)
    node.attribute.extend(map(helper.make_attribute, attributes, attributes.values()))
    return node


def convolution(weights: NDArray[np.float32], groups: int = 1, **attributes: Attribute) -> Make:
    """A network of one convolution with a bias, and something after it."""

    def make() -> onnx.ModelProto:
        nodes = [
            with_attributes("Conv", ["x", "w", "b"], "c", "conv", group=groups, **attributes),
            helper.make_node("Relu", ["c"], ["y"], "relu"),
        ]
        constants = {"w": weights, "b": normal(weights.shape[0], seed=9)}
        size = [11] * (weights.ndim - 2)
        shape = (1, weights.shape[1] * groups, *size)
        return declared(chain_model(shape, *nodes, constants=constants))

    return make


def product(
    op: str,
    operands: Sequence[str],
    weights: NDArray[np.float32],
    shape: Sequence[int],
    **more: Attribute,
) -> Make:
    def make() -> onnx.ModelProto:
        node = with_attributes(op, operands, "y", "product", **more)
        constants: dict[str, Array] = {"w": weights}
        if "b" in operands:
            constants["b"] = normal(24, seed=9)
        return declared(chain_model(shape, node, constants=constants))

    return make


SAME = {
    "plain": convolution(filters(1, 3, 16, 8, 3, 3)),
    "strided": convolution(filters(1, 3, 16, 8, 3, 3), strides=[2, 1], pads=[1, 0, 2, 1]),
    "dilated": convolution(filters(1, 3, 16, 8, 3, 3), dilations=[2, 3], kernel_shape=[3, 3]),
    "automatic padding": convolution(filters(1, 3, 16, 8, 3, 3), auto_pad="SAME_UPPER"),
    "groups": convolution(filters(4, 2, 32, 8, 3, 3), groups=4, strides=[2, 2]),
    "one axis": convolution(filters(1, 3, 16, 8, 5), pads=[2, 2]),
    "three axes": convolution(filters(1, 3, 16, 8, 2, 2, 2)),
    "3x1, 1x3": convolution(composed(normal(3, 8, 3, 1), normal(16, 3, 1, 3, seed=1))),
    "1x3, 3x1": convolution(
        composed(normal(3, 8, 1, 3), normal(16, 3, 3, 1, seed=1)),
        strides=[2, 3],
        pads=[1, 0, 2, 1],
        dilations=[1, 2],
        kernel_shape=[3, 3],
    ),
    "1x1, 3x5": convolution(
        composed(normal(3, 8, 1, 1), normal(16, 3, 3, 5, seed=1)), strides=[2, 1], pads=[1, 2, 1, 2]
    ),
    "3x1, 1x2, padded by itself": convolution(
        composed(normal(3, 8, 3, 1), normal(16, 3, 1, 2, seed=1)),
        strides=[1, 2],
        auto_pad="SAME_LOWER",
    ),
    "3x1, 1x2 in groups": convolution(
        composed(normal(6, 8, 3, 1), normal(32, 3, 1, 2, seed=1), groups=2),
        groups=2,
        pads=[1, 1, 1, 1],
    ),
    "1x2x1, 2x1x2": convolution(
        composed(normal(3, 8, 1, 2, 1), normal(16, 3, 2, 1, 2, seed=1)), strides=[2, 1, 1]
    ),
    "1x1": convolution(filters(1, 3, 16, 24, 1, 1)),
    "Gemm": product(
        "Gemm", ["x", "w", "b"], low_rank(30, 24, rank=4), (1, 30), alpha=0.5, beta=2.0
    ),
    "Gemm of columns": product(
        "Gemm", ["x", "w", "b"], low_rank(24, 30, rank=4), (1, 30), transB=1
    ),
    "Gemm without bias": product("Gemm", ["x", "w"], low_rank(24, 30, rank=4), (1, 30), transB=1),
    "MatMul": product("MatMul", ["x", "w"], low_rank(30, 24, rank=4), (1, 5, 30)),
    "MatMul on the left": product("MatMul", ["w", "x"], low_rank(24, 30, rank=4), (1, 30, 5)),
}


@pytest.mark.parametrize("name", SAME)
def test_what_has_a_lower_rank_stays_the_same(name: str):
    before = SAME[name]()
    now, (cut,) = compress(before, 0.0)
    assert cut.nodes in (["conv"], ["product"])
    assert cut.rank in (2, 3, 4) and cut.error < EXACT and cut.now < cut.before
    if name[0].isdigit() and "," in name:
        kernels = ["x".join(map(str, kernel)) for kernel in cut.kernels]
        assert name.startswith(", ".join(kernels))
    check_same(before, now)
    assert [value.name for value in now.graph.output] == ["y"]
    last = next(node for node in now.graph.node if node.name in ("conv", "product"))
    assert last.output[0] in ("c", "y")
    assert "w" not in {tensor.name for tensor in now.graph.initializer}
    assert sum(np.prod(tensor.dims) for tensor in now.graph.initializer) < sum(
        np.prod(tensor.dims) for tensor in before.graph.initializer
    )


TRANSPOSED: dict[str, dict[str, Sequence[int]]] = {
    "plain": {},
    "strided": {"strides": [2, 3], "output_padding": [1, 2]},
    "padded": {"strides": [2, 2], "pads": [1, 0, 1, 2], "dilations": [1, 2]},
    "two groups": {"strides": [2, 1]},
    "of a size": {"strides": [2, 2], "output_shape": [20, 22]},
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions(name: str, tmp_path: Path):
    groups = 2 if name == "two groups" else 1
    matrices = low_rank(groups, 8 // groups * 9, 12 // groups, rank=2)
    weights = matrices.reshape(8, 9, 12 // groups).swapaxes(1, 2).reshape(8, 12 // groups, 3, 3)
    node = with_attributes(
        "ConvTranspose", ["x", "w", "b"], "y", "node", group=groups, **TRANSPOSED[name]
    )
    constants = {"w": np.ascontiguousarray(weights), "b": normal(12)}
    before = declared(chain_model((1, 8, 10, 11), node, constants=constants))
    now, (cut,) = compress(before, 0.0)
    assert cut.rank == 2 and cut.shape == (groups, 8 // groups * 9, 12 // groups)
    check_same(before, now)
    chip = tiny(tmp_path, 100)
    found = compressible(before, find_target(chip))
    for one in (before, found.sketched(1.0)):
        taken = sum(crossbars_of_stages(one, chip, {}).values())
        costs = [part.cost for part in compressible(one, find_target(chip)).matrices]
        assert taken == sum(costs)


@examples(16)
@given(networks(), targets, st.floats(0, 1), st.booleans())
def test_networks_at_lower_ranks(network: Network, target: Target, error: float, on_target: bool):
    """They are valid, and computed alike by a chip and by somebody else."""
    now, cuts = compress(network.model, error, target if on_target else None)
    assert all(cut.now < cut.before and cut.error <= max(error, EXACT) + 1e-6 for cut in cuts)
    images = random_inputs(now, 2, seed=1)
    assert_close(cmc.compile(now).run(images).outputs, reference(now, images))


@pytest.mark.parametrize("name", SAME)
def test_full_rank_stays(name: str):
    model = SAME[name]()
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    weights.CopyFrom(numpy_helper.from_array(normal(*weights.dims), "w"))
    now, cuts = compress(model, 0.0)
    assert cuts == [] and now == model


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("error", [0.3, 0.7])
def test_errors_are_as_promised(name: str, error: float):
    """The product of what stands in the model is no further from the weights."""
    model = SAME[name]()
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    low = numpy_helper.to_array(weights)
    noise = normal(*low.shape, seed=3)
    whole = low + 0.2 * np.linalg.norm(low) / np.linalg.norm(noise) * noise
    weights.CopyFrom(numpy_helper.from_array(whole, "w"))
    network = compressible(model)
    now, cuts = network.cut(error)
    assert len(cuts) == 1
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in now.graph.initializer}
    way = network.matrices[0].way(error)
    assert way is not None and way.rank == cuts[0].rank
    assert way.form.kernels(whole.shape) == cuts[0].kernels
    together = multiplied(way.form, arrays["w_left"], arrays["w_right"])
    found = np.linalg.norm(together - whole) / np.linalg.norm(whole)
    assert found == pytest.approx(cuts[0].error, rel=1e-3) and found <= error
    # With one rank less, the error would be too large.
    assert way.spectrum.errors[cuts[0].rank - 1] > error


# Where weights come from


def two_products(weights: Sequence[onnx.NodeProto], **constants: Array) -> onnx.ModelProto:
    """A network whose two products have the weights `w`, which `weights` make."""
    nodes = [
        *weights,
        helper.make_node("MatMul", ["x", "w"], ["h"], "one"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "w"], ["y"], "two"),
    ]
    return declared(chain_model((1, 30), *nodes, constants=constants))


SQUARE = low_rank(30, 30, rank=4)

HELD = {
    "initializer": two_products([], w=SQUARE),
    "constant": two_products(
        [helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(SQUARE))]
    ),
    "identity": two_products([helper.make_node("Identity", ["v"], ["w"])], v=SQUARE),
    "transposed": two_products(
        [
            helper.make_node("Identity", ["v"], ["u"]),
            helper.make_node("Transpose", ["u"], ["w"], perm=[1, 0]),
        ],
        v=np.ascontiguousarray(SQUARE.T),
    ),
}


@pytest.mark.parametrize("held", HELD)
def test_weights_that_two_nodes_have_are_cut_once(held: str):
    before = HELD[held]
    now, (cut,) = compress(before, 0.0)
    assert (list(cut.nodes), cut.rank, cut.before, cut.now) == (["one", "two"], 4, 900, 240)
    check_same(before, now)
    assert sorted(tensor.name for tensor in now.graph.initializer) == ["w_left", "w_right"]
    assert [node.op_type for node in now.graph.node] == ["MatMul", "MatMul", "Relu"] + 2 * [
        "MatMul"
    ]


def test_each_place_takes_crossbars_of_its_own():
    (cut,) = compress(HELD["initializer"], 0.0, Target(rows=8, columns=8))[1]
    assert (cut.rank, cut.before, cut.now) == (4, 32, 16)


def test_weights_that_someone_else_reads_stay():
    model = two_products([], w=SQUARE)
    model.graph.output.append(float_type("w", (30, 30)))
    now, cuts = compress(model, 0.0)
    assert len(cuts) == 1
    assert {tensor.name for tensor in now.graph.initializer} == {"w", "w_left", "w_right"}


def test_weights_in_two_forms():
    """One node has them as they are, the other transposed: each gets factors of its own."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "one"),
        helper.make_node("Gemm", ["h", "w"], ["y"], "two", transB=1),
    ]
    before = declared(chain_model((1, 30), *nodes, constants={"w": SQUARE}))
    now, cuts = compress(before, 0.0)
    assert [list(cut.nodes) for cut in cuts] == [["one"], ["two"]]
    assert len({tensor.name for tensor in now.graph.initializer}) == 4
    check_same(before, now)


def test_weights_that_a_branch_reads_stay():
    branch = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["b"])], "branch", [], [float_type("b", (30, 30))]
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "one"),
        helper.make_node("If", ["yes"], ["v"], "if", then_branch=branch, else_branch=branch),
        helper.make_node("MatMul", ["h", "v"], ["y"], "two"),
    ]
    constants = {"w": SQUARE, "yes": np.array(True)}
    before = declared(chain_model((1, 30), *nodes, constants=constants))
    now, cuts = compress(before, 0.0)
    assert [list(cut.nodes) for cut in cuts] == [["one"]]
    assert "w" in {tensor.name for tensor in now.graph.initializer}
    check_same(before, now)


def test_names_that_are_taken():
    model = two_products([], w=SQUARE)
    for old, new in (("h", "w_left"), ("r", "h_between")):
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [new if name == old else name for name in names]
    del model.graph.value_info[:]
    now, _ = compress(model, 0.0)
    check_same(model, now)


def test_arrays_that_are_declared_as_inputs():
    """So they had to be before version 4 of ONNX's IR."""
    model = two_products([], w=SQUARE)
    model.ir_version = 3
    model.graph.input.append(float_type("w", (30, 30)))
    now, _ = compress(model, 0.0)
    assert {value.name for value in now.graph.input} == {"x", "w_left", "w_right"}
    check_same(model, now)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_precisions(dtype: type[np.floating]):
    model = two_products([], w=SQUARE.astype(dtype))
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.type.tensor_type.elem_type = element
    now, (cut,) = compress(model, 0.01)
    assert cut.rank == 4 and cut.error < 2e-3
    assert {tensor.data_type for tensor in now.graph.initializer} == {element}


def test_what_stays_says_why():
    def cuts_of(*nodes: onnx.NodeProto, **constants: Array) -> dict[str, str]:
        return compressible(chain_model((30, 30), *nodes, constants=constants)).found.skipped

    broken = SQUARE.copy()
    broken[1, 2] = np.nan
    found = cuts_of(
        helper.make_node("Gemm", ["x", "w"], ["a"], "turned", transA=1),
        helper.make_node("MatMul", ["a", "batch"], ["b"], "batched"),
        helper.make_node("MatMul", ["b", "nan"], ["y"], "broken"),
        w=SQUARE, batch=normal(2, 30, 30), nan=broken,
    )  # fmt: skip
    assert found == {
        "Gemm node 'turned'": "what it multiplies is transposed",
        "MatMul node 'batched'": "its weights have 3 axes, and not 2",
        "MatMul node 'broken'": "its weights hold numbers that are not finite",
    }


def test_the_same_each_time():
    first, second = (
        compressible(find_trained("digits")).cut(0.4)[0].SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second


# Files


def test_arrays_in_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What they lie in is not written to, and there is one beside the new network too."""
    path, out = tmp_path / "model.onnx", tmp_path / "out.onnx"
    weights = low_rank(30, 30, rank=9)
    write_model(path, two_products([], w=weights), apart=True)
    assert data_file(path).stat().st_size == weights.nbytes
    assert main(["compress", str(path), "--rank-error", "0", "-o", str(out)]) == 0
    assert data_file(out).stat().st_size == 2 * 4 * 9 * 30
    check_model(str(out), full_check=True)
    models = [load_model(one) for one in (path, out)]
    assert all(map(bring_in, models))
    check_same(*(model.proto for model in models))
    (tmp_path / "b.onnx").write_bytes(path.read_bytes())
    data_file(tmp_path / "b.onnx").symlink_to(data_file(path))
    assert main(["compress", str(path), "--rank-error", "0", "-o", str(tmp_path / "b.onnx")]) == 1
    assert "would overwrite what is read" in capsys.readouterr().err


# To fit a chip


def test_crossbars_are_those_of_the_compiler(tmp_path: Path):
    name = tiny(tmp_path, 1000)
    for network in ("digits", "shortcuts", "separable", "same"):
        model = load_model(find_trained(network))
        found = compressible(model.proto, find_target(name))
        taken = sum(crossbars_of_stages(model.proto, name, {}).values())
        assert sum(one.cost for one in found.matrices) == taken
        for error in (0.3, 0.6):
            now, cuts = found.cut(error)
            left = sum(crossbars_of_stages(now, name, {}).values())
            assert left == taken - found.saved(error)
            assert sum(crossbars_of_stages(found.sketched(error), name, {}).values()) == left
            assert all(cut.error <= error and cut.now < cut.before for cut in cuts)


def test_the_highest_rank_of_those_that_take_as_many_crossbars():
    """Sixteen columns are one crossbar wide, whatever the rank is below."""
    weights = normal(160, 64)
    model = chain_model(
        (1, 160), helper.make_node("MatMul", ["x", "w"], ["y"]), constants={"w": weights}
    )
    (one,) = compressible(model, Target(rows=16, columns=16)).matrices
    assert one.cost == 40
    assert [(way.rank, way.cost) for way in one.ways] == [(32, 28), (16, 14)]
    way = one.way(0.99)
    assert way is not None and way.rank == 16


@pytest.mark.parametrize("cores", [38, 33, 32])
def test_the_least_error_that_fits(cores: int, tmp_path: Path):
    name = tiny(tmp_path, cores)
    target = find_target(name)
    network = compressible(find_trained("digits"), target)
    error = error_that_fits(network, target, name, {})
    assert error is not None
    assert fits(crossbars_of_stages(network.cut(error)[0], name, {}), target)
    assert not fits(crossbars_of_stages(network.cut(0.995 * error)[0], name, {}), target)


def test_nothing_fits_or_everything(tmp_path: Path):
    for cores, expected in ((39, 0.0), (9, None)):
        name = tiny(tmp_path, cores)
        target = find_target(name)
        network = compressible(find_trained("digits"), target)
        assert error_that_fits(network, target, name, {}) == expected


@pytest.mark.parametrize(("cores", "crossbars"), [(33, 1), (8, 5)])
def test_the_advice_of_a_network_that_does_not_fit_holds(
    cores: int, crossbars: int, tmp_path: Path, capsys: Text
):
    """Crossbars are too few, or enough, and no way is found to give them to stages."""
    network, name, out = find_trained("digits"), tiny(tmp_path, cores, crossbars), "out.onnx"
    assert main(["compile", str(network), "--target", name, "-o", str(tmp_path / "a.mlir")]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search("39 (of 40 )?crossbars are needed, and ", error)
    found = re.search(
        r"; it takes 2 such chips, more crossbars, larger ones, or a lower rank of 1 matrix at a "
        r"relative error of at most (\S+) \(cmc (.*)\)$",
        error,
    )
    assert found is not None
    assert main([*shlex.split(found[2]), "-o", str(tmp_path / out)]) == 0
    assert f"--rank-error {found[1]}\n" in capsys.readouterr().out
    program = cmc.compile(tmp_path / out, target=name)
    assert program.time(images=1).cycles > 0


def test_no_advice_where_no_rank_helps(tmp_path: Path, capsys: Text):
    command = ["compile", str(find_trained("digits")), "--target", tiny(tmp_path, 9)]
    assert main([*command, "-o", str(tmp_path / "a.mlir")]) == 1
    assert capsys.readouterr().err.endswith(
        "it takes 5 such chips, more crossbars, or larger ones\n"
    )


def test_copies_that_do_not_fit_could_be_fewer(tmp_path: Path):
    """The network itself fits: then no rank is too high."""
    mapping, chip = tmp_path / "mapping.toml", tmp_path / "chip.toml"
    mapping.write_text('[copies.stem_conv]\nloops = ["h"]\ncopies = [3]\npattern = ["blocks"]')
    chip.write_text(TINY.format(cores=6, crossbars=1).replace("= 16", "= 256"))
    problem = "7 crossbars are needed, and the chip has 6: 3 for 'stem.conv', "
    ways = "it takes fewer copies, with which an image comes every 128 ns at best, 2 such chips, "
    with pytest.raises(CmcError, match=f"{problem}.*; {ways}more crossbars, or larger"):
        cmc.compile(find_trained("digits"), target=chip, copies=mapping)


# The command


@pytest.fixture
def digits_images(digits: Path) -> str:
    return str(digits.parent / "digits_test.npz")


def test_the_command(digits: Path, digits_images: str, tmp_path: Path, capsys: Text):
    out, name = tmp_path / "out.onnx", tiny(tmp_path, 33)
    given = ["--input", digits_images, "--images", "90", "--labels", digits_images]
    assert main(["compress", str(digits), "--target", name, *given, "-o", str(out)]) == 0
    text, error = capsys.readouterr()
    assert error == ""
    assert text.startswith("the least error with which it fits target tiny: --rank-error 0.221\n")
    assert re.search(r"^top\.conv +144x24 +16 +3x3, 1x1 +0\.22 +18 +11$", text, re.MULTILINE)
    assert "4 of 5 matrices stay as they are\n" in text
    assert "crossbars in all: 39, now 32, of 33 on target tiny\n" in text
    assert "errors of 90 images, by onnxruntime " in text
    images = np.load(digits_images)["image"][:90]
    labels = np.load(digits_images)["labels"][:90]
    before, now = (Reference(path)({"image": images})["scores"] for path in (digits, out))
    classes = [array.argmax(1) for array in (before, now)]
    right = [int((found == labels).sum()) for found in classes]
    assert f"  scores: {np.abs(now - before).max():.3g} at most, " in text
    assert f"the same class for {int((classes[0] == classes[1]).sum())} of 90 images" in text
    assert f"right for {right[0]} before, {right[1]} now" in text
    assert main(["run", str(out), "--random", "1", "--check", "--target", name]) == 0
    again = ["--rank-error", "0.221", "--target", name, *given]
    assert main(["compress", str(digits), *again]) == 0
    assert text.partition("\n\n")[2] in capsys.readouterr().out


def test_without_a_target_and_images(digits: Path, capsys: Text):
    assert main(["compress", str(digits), "--rank-error", "0.4"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("layer ") and " numbers " in text.splitlines()[0]
    assert "errors of 16 random images of seed 0 (--input gives others), by " in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --rank-error E, or a --target with so many cores to fit"),
        (["--target", "ideal"], "give --rank-error E, or a --target with so many cores to fit"),
        (["--rank-error", "1.5"], "expected a number from 0 to 1, got '1.5'"),
        (["--rank-error", "nan"], "expected a number from 0 to 1, got 'nan'"),
        (
            ["--target", "TINY"],
            "no rank of its matrices makes it fit: with the lowest it takes 10 ",
        ),
        (["--rank-error", "0", "--labels", "IMAGES"], "--labels are those of images, which "),
        (["--rank-error", "0", "--input", "IMAGES", "--random", "1"], "not from both"),
        (["--rank-error", "0", "--input", "IMAGES", "--images", "999"], "and there are 360"),
        (["--rank-error", "0", "--input", "IMAGES", "--labels", "FEW"], "and 3 labels"),
        (["--rank-error", "0", "--input", "IMAGES", "--labels", "FLOATS"], "not float64 of shape"),
        (["--rank-error", "0", "--input", "IMAGES", "--labels", "MODEL"], "not an array file of "),
        (["--rank-error", "0", "-o", "MODEL"], "would overwrite what is read"),
        (["--rank-error", "0", "-o", "nowhere/out.onnx"], "no such folder"),
    ],
)
def test_misuse(
    options: list[str], message: str, digits: Path, digits_images: str, tmp_path: Path, capsys: Text
):
    np.save(tmp_path / "few.npy", np.arange(3))
    np.save(tmp_path / "floats.npy", np.zeros(360))
    files = {
        "TINY": tiny(tmp_path, 9),
        "IMAGES": digits_images,
        "MODEL": str(digits),
        "FEW": str(tmp_path / "few.npy"),
        "FLOATS": str(tmp_path / "floats.npy"),
    }
    content = digits.read_bytes()
    assert main(["compress", str(digits), *(files.get(one, one) for one in options)]) == 1
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1 and message in text
    assert digits.read_bytes() == content


def test_nothing_is_half_written(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Text
):
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "out.onnx"
    out.write_text("before")
    monkeypatch.setattr(Path, "write_bytes", fail)
    assert main(["compress", str(digits), "--rank-error", "0.4", "-o", str(out)]) == 1
    assert f"{out}: error: no space left on device" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"]
    assert out.read_text() == "before"
