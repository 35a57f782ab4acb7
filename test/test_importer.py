# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Importing whole models: files, shapes, constants, and what is wrong with some of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects.builtin import ModuleOp, NameLoc, StringAttr
from xdsl.dialects.func import FuncOp

from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.files.weights import Float32Array
from cmc.importer import import_model
from cmc.reference import Deviation, Reference
from cmc.semantics.network import evaluate
from onnx_models import (
    Attribute,
    Dims,
    chain_model,
    float_type,
    graph_model,
    int64,
    normal,
    one_node_model,
)

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

node = helper.make_node


def main_function(module: ModuleOp) -> FuncOp:
    return next(op for op in module.ops if isinstance(op, FuncOp))


def operations(module: ModuleOp) -> list[str]:
    """The names of the operations but constants, without the dialect's prefix."""
    names = [op.name for op in main_function(module).body.block.ops]
    return [name.removeprefix("nn.") for name in names if name.startswith("nn.")]


def input_shape(module: ModuleOp) -> tuple[int, ...]:
    return nn.shape_of(main_function(module).args[0])


def output_shape(module: ModuleOp) -> tuple[int, ...]:
    result = main_function(module).get_return_op()
    assert result is not None
    return nn.shape_of(result.operands[0])


def weights(module: ModuleOp) -> list[Float32Array]:
    return [op.value.array for op in module.walk() if isinstance(op, nn.ConstantOp)]


def error_of(model: onnx.ModelProto | Path, shapes: Mapping[str, int] | None = None) -> str:
    with pytest.raises(CmcError) as error:
        import_model(model, shapes)
    return str(error.value)


# Whole networks


@pytest.mark.parametrize("path", sorted(LIGHT.glob("light_*.onnx")), ids=lambda path: path.stem)
def test_light_models(path: Path):
    module = import_model(path)
    module.verify()
    declared = (
        onnx.load_model_from_string(path.read_bytes()).graph.output[0].type.tensor_type.shape.dim
    )
    assert list(output_shape(module)) == [dim.dim_value for dim in declared]


def test_trained_models(trained: Path):
    module = import_model(trained)
    module.verify()
    reference = Reference(trained)
    (input,) = reference.inputs
    images = {input: normal(3, *input_shape(module)[1:])}
    found, expected = evaluate(module, images), reference(images)
    for output, array in expected.items():
        deviation = Deviation.measure(output, found[output].reshape(array.shape), array)
        assert deviation.relative < 1e-5


def test_names_are_kept():
    model = graph_model(
        [node("Relu", ["input.1"], ["195"], "block/relu:0")],
        [float_type("input.1", [1, 4])],
        [float_type("195", [1, 4])],
    )
    function = main_function(import_model(model))
    assert [entry.data[nn.NAME] for entry in function.arg_attrs or ()] == [StringAttr("input.1")]
    assert [entry.data[nn.NAME] for entry in function.res_attrs or ()] == [StringAttr("195")]
    relu = function.body.block.first_op
    assert relu is not None and isinstance(relu.location, NameLoc)
    assert relu.location.desc.data == "block/relu:0"


def test_functions_of_the_model_are_inlined():
    function = helper.make_function(
        "local",
        "Twice",
        ["a"],
        ["b"],
        [node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 13)],
    )
    twice = node("Twice", ["x"], ["y"], domain="local")
    model = chain_model([1, 4], twice)
    model.opset_import.append(helper.make_opsetid("local", 1))
    model.functions.append(function)
    assert operations(import_model(model)) == ["add"]


# Inputs


@pytest.mark.parametrize("batch", [1, 4, "N", None])
def test_batch_becomes_one(batch: int | str | None):
    assert input_shape(import_model(one_node_model("Relu", [batch, 3, 8]))) == (1, 3, 8)


@pytest.mark.parametrize(
    ("dims", "shapes"),
    [
        ([1, 3, "H", "W"], {"H": 8, "W": 9}),
        (["N", 3, "H", "W"], {"H": 8, "W": 9, "N": 1}),
        ([1, 3, None, 9], {"x": 8}),
        ([1, 3, None, None], {"x:2": 8, "x:3": 9}),
        ([1, 3, None, None], {"x:2": 8, "x": 9}),
    ],
)
def test_open_dimensions_are_given(dims: Dims, shapes: Mapping[str, int]):
    assert input_shape(import_model(one_node_model("Relu", dims), shapes)) == (1, 3, 8, 9)


@pytest.mark.parametrize(
    ("dims", "shapes", "message"),
    [
        ([1, "H"], {}, "input 'x': axis 1 is left open as H: give its size with --shape H=N"),
        ([1, None], {}, "input 'x': axis 1 is left open: give its size with --shape x:1=N"),
        ([1, "H"], {"H": 0}, "--shape H=0: a size is at least 1"),
        (["N", 4], {"N": 2}, "--shape N=2: this is the batch, which is always 1"),
        ([1, "H"], {"H": 3, "W": 4}, "--shape W: the model leaves no dimension of that name open"),
        (
            ["N", "H", "W"],
            {"W": 2, "Q": 8, "R": 1},
            "--shape Q, R: the model leaves no dimension of that name open (open: N, H, W)",
        ),
        ([1, 4], {"x": 4}, "--shape x: the model leaves no dimension of that name open"),
    ],
)
def test_wrong_dimensions(dims: Dims, shapes: Mapping[str, int], message: str):
    assert error_of(one_node_model("Relu", dims), shapes).startswith(message)


def test_inputs_of_other_types():
    model = one_node_model("Relu", [1, 4])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    assert "inputs are numbers or truth values, not string" in error_of(model)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    assert "does not say how many dimensions" in error_of(model)


def test_initializers_that_are_inputs_are_constants():
    model = one_node_model("Add", [1, 4], [normal(4)])
    model.graph.input.append(float_type("c1", [4]))
    assert len(main_function(import_model(model)).args) == 1


@pytest.mark.parametrize(
    ("dims", "shapes"),
    [
        ([-1, 3, "?", "?"], {"x:2": 8, "x:3": 9}),
        (["?", 3, "?", "?"], {"?": 8, "x:3": 9}),
        ([-1, 3, -1, 9], {"x": 8}),
    ],
)
def test_sizes_by_axis(dims: Dims, shapes: Mapping[str, int]):
    """Exporters write -1 for what is open, and one name for dimensions that differ."""
    assert input_shape(import_model(one_node_model("Relu", dims), shapes)) == (1, 3, 8, 9)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (one_node_model("Relu", [1, 2**63 - 1]), "input 'x': a tensor of shape [1, 92233720368"),
        (one_node_model("Relu", [2**40, 2]), "input 'x': a tensor of shape [1099511627776, 2]"),
        (
            one_node_model("Pad", [1, 1, 4, 4], [int64(0, 0, 2**30, 0, 0, 0, 0, 0)]),
            "Pad node 'node': a tensor of shape [1, 1, 1073741828, 4] takes 17,179,869,248 bytes, "
            "and the limit is 1,073,741,824",
        ),
    ],
)
def test_sizes_beyond_memory(model: onnx.ModelProto, message: str):
    assert error_of(model).startswith(message)


# Constants


def test_shape_arithmetic_is_folded():
    model = chain_model(
        ["N", 3, 4],
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["batch"]),
        node("Unsqueeze", ["batch", "axes"], ["front"]),
        node("Concat", ["front", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["y"]),
        constants={"zero": np.array(0), "axes": int64(0), "rest": int64(-1)},
    )
    module = import_model(model)
    assert operations(module) == ["reshape"]
    assert output_shape(module) == (1, 12)


def test_other_arithmetic_is_folded():
    model = chain_model(
        [1, 4],
        node("Size", ["x"], ["size"]),
        node("Range", ["zero", "size", "one"], ["range"]),
        node("Cast", ["range"], ["numbers"], to=TensorProto.FLOAT),
        node("Sqrt", ["numbers"], ["roots"]),
        node("Add", ["x", "roots"], ["y"]),
        constants={"zero": np.array(0), "one": np.array(1)},
    )
    module = import_model(model)
    assert operations(module) == ["constant", "add"]
    np.testing.assert_allclose(weights(module)[0], np.sqrt(np.arange(4)), rtol=1e-6)


def test_constant_of_shape_takes_no_memory():
    value = numpy_helper.from_array(np.array([0.5], np.float32))
    model = chain_model(
        [1, 100_000],
        node("ConstantOfShape", ["shape"], ["flat"], value=value),
        node("Reshape", ["flat", "square"], ["w"]),
        node("MatMul", ["x", "w"], ["y"]),
        constants={"shape": int64(10**10), "square": int64(10**5, 10**5)},
    )
    [array] = weights(import_model(model))
    assert array.shape == (10**5, 10**5) and array.strides == (0, 0)
    assert array[7, 7] == 0.5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"value": numpy_helper.from_array(np.array([1, 2], np.float32))}, [1, 2]),
        ({"value_float": 2.5}, 2.5),
        ({"value_floats": [1.5, 2.5]}, [1.5, 2.5]),
        ({"value_int": 3}, 3),
        ({"value_ints": [3, 4]}, [3, 4]),
    ],
)
def test_forms_of_constant(value: Mapping[str, Attribute], expected: float | Sequence[float]):
    constant = node("Constant", [], ["c"])
    constant.attribute.extend(helper.make_attribute(*item) for item in value.items())
    [array] = weights(import_model(chain_model([1, 2], constant, node("Add", ["x", "c"], ["y"]))))
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.array(expected, np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_weights_of_other_precision(dtype: type[np.floating]):
    array = normal(4).astype(dtype)
    [found] = weights(import_model(one_node_model("Add", [1, 4], [array])))
    np.testing.assert_array_equal(found, array.astype(np.float32))


def test_weights_that_are_no_float32():
    large = np.array([1.0, 1e300])
    assert "'c1' holds numbers beyond the range of float32" in error_of(
        one_node_model("Add", [1, 2], [large])
    )
    odd = int64(2**24 + 1)
    assert "'c1' holds integers that no float32 equals" in error_of(
        one_node_model("Pow", [1, 2], [odd])
    )
    infinite = np.array([1.0, np.inf])
    [found] = weights(import_model(one_node_model("Add", [1, 2], [infinite])))
    assert np.isinf(found[1])


def test_quantized_weights_stay_integers_beside_their_scale():
    model = chain_model(
        [1, 2],
        node("DequantizeLinear", ["q", "scale"], ["w"]),
        node("MatMul", ["x", "w"], ["y"]),
        constants={"q": np.array([[2, -4], [6, 8]], np.int8), "scale": np.array(0.5, np.float32)},
    )
    matrix, scale = weights(import_model(model))
    np.testing.assert_array_equal(matrix, [[2, -4], [6, 8]])
    assert scale == 0.5


def test_nodes_that_no_output_needs_are_ignored():
    model = chain_model([1, 4], node("Relu", ["x"], ["y"]), node("NonZero", ["x"], ["unused"]))
    assert operations(import_model(model)) == ["relu"]


def test_outputs_that_are_constants_or_inputs():
    model = graph_model(
        [node("Identity", ["x"], ["y"])],
        [float_type("x", [1, 2])],
        [float_type("y", None), float_type("c", None), float_type("x", None)],
        {"c": normal(1, 2)},
    )
    inputs = {"x": normal(1, 2, seed=1)}
    outputs = evaluate(import_model(model), inputs)
    np.testing.assert_array_equal(outputs["y"], inputs["x"])
    np.testing.assert_array_equal(outputs["c"], normal(1, 2))


# Files


def large_model() -> onnx.ModelProto:
    """A model most of which are its arrays."""
    return chain_model(
        [1, 128],
        node("MatMul", ["x", "w1"], ["h"]),
        node("Add", ["h", "b"], ["i"]),
        node("MatMul", ["i", "w2"], ["y"]),
        constants={"b": normal(256), "w1": normal(128, 256), "w2": normal(256, 128, seed=1)},
    )


ARRAYS = (normal(128, 256), normal(256), normal(256, 128, seed=1))
"""Its arrays, in the order in which it uses them."""


def save(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_models_as_path_text_or_proto(tmp_path: Path):
    path = save(large_model(), tmp_path)
    for source in (path, str(path), large_model()):
        for found, expected in zip(weights(import_model(source)), ARRAYS, strict=True):
            np.testing.assert_array_equal(found, expected)


def move_out(tensor: TensorProto, folder: Path, location: str = "weights.bin") -> None:
    """Append the data of `tensor` to a file in `folder`."""
    with (folder / location).open("ab") as file:
        entries = {"location": location, "offset": file.tell(), "length": len(tensor.raw_data)}
        file.write(tensor.raw_data)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL


def test_external_data(tmp_path: Path):
    model = large_model()
    for tensor in model.graph.initializer:
        move_out(tensor, tmp_path)
    found = weights(import_model(save(model, tmp_path)))
    for array, expected in zip(found, ARRAYS, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_external_data_out_of_reach(tmp_path: Path):
    model = one_node_model("Add", [1, 4], [normal(4)])
    move_out(model.graph.initializer[0], tmp_path)
    path, data = save(model, tmp_path), tmp_path / "weights.bin"
    assert error_of(model) == (
        "weights 'c1' are in the file 'weights.bin': give the model as a path, or load it with its "
        "external data"
    )
    data.write_bytes(data.read_bytes()[:10])
    assert error_of(path) == (
        f"{data}: the file is cut short: it has 10 of the 16 bytes of weights 'c1'"
    )
    data.unlink()
    assert error_of(path) == f"{data}: cannot read weights 'c1': No such file or directory"
    model.graph.initializer[0].external_data[0].value = "../weights.bin"
    assert error_of(save(model, tmp_path)) == (
        f"{path}: weights 'c1' are in '../weights.bin', which is not in the model's folder"
    )


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files(tmp_path: Path, part: float):
    path = tmp_path / "model.onnx"
    data = large_model().SerializeToString()
    path.write_bytes(data[: int(part * len(data))])
    assert error_of(path) == f"{path}: not an ONNX model, or one that is cut short"


def test_files_that_are_no_models(tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_text("This is not a model.\n")
    assert error_of(path) == f"{path}: not an ONNX model, or one that is cut short"
    path.unlink()
    assert error_of(path) == f"{path}: cannot read the model: No such file or directory"
    assert error_of(tmp_path) == f"{tmp_path}: cannot read the model: Is a directory"


# Models that are wrong, or unsupported


def test_opsets():
    assert "opset 6 is older than 7" in error_of(one_node_model("Relu", [1, 4], opset=6))
    model = one_node_model("Relu", [1, 4])
    model.opset_import[0].domain = "ai.onnx"
    import_model(model)
    model.opset_import[0].domain = "elsewhere"
    assert "does not say which ONNX opset" in error_of(model)


def test_unsupported_operators():
    model = one_node_model("Det", [1, 4])
    assert error_of(model).startswith("Det node 'node': operator 'Det' is not supported")
    model.graph.node[0].name = ""
    assert error_of(model).startswith("Det node 'y0': operator 'Det' is not supported")
    for name, rest in (
        ("Sigmod", "; did you mean 'Sigmoid'?"),
        ("Gelu", ", but has in a later one"),
    ):
        model.graph.node[0].op_type = name
        assert error_of(model).endswith(f"ONNX has no operator '{name}' in opset 13{rest}")
    model.graph.node[0].domain = "com.example"
    assert "of domain 'com.example' is not supported" in error_of(model)


def branching_model(condition: str) -> onnx.ModelProto:
    """A model whose one branch is `x + c`, and the other `relu(x)`, both by the same names."""
    branches: dict[str, tuple[list[onnx.NodeProto], dict[str, Float32Array]]] = {
        "then_branch": ([node("Add", ["x", "c"], ["r"])], {"c": normal(4)}),
        "else_branch": ([node("Abs", ["x"], ["c"]), node("Relu", ["x"], ["r"])], {}),
    }
    choice = node("If", [condition], ["y"], "choice")
    for name, (nodes, constants) in branches.items():
        initializers = [numpy_helper.from_array(array, key) for key, array in constants.items()]
        graph = helper.make_graph(nodes, name, [], [float_type("r", None)], initializers)
        choice.attribute.append(helper.make_attribute(name, graph))
    constants = {"yes": np.array(True), "no": np.array([False])}
    return chain_model([1, 4], choice, constants=constants)


@pytest.mark.parametrize(("condition", "expected"), [("yes", ["add"]), ("no", ["relu"])])
def test_a_branch_that_is_known(condition: str, expected: list[str]):
    module = import_model(branching_model(condition))
    assert [name for name in operations(module) if name != "constant"] == expected
    inputs = {"x": normal(2, 4, seed=1)}
    expected_outputs = Reference(branching_model(condition))(inputs)["y"]
    np.testing.assert_allclose(evaluate(module, inputs)["y"], expected_outputs, rtol=1e-6)


def test_a_part_that_nobody_reads_may_be_empty():
    model = chain_model(
        [1, 4],
        node("Split", ["x", "sizes"], ["some", "none"], axis=1),
        node("Relu", ["some"], ["y"]),
        constants={"sizes": int64(4, 0)},
    )
    assert operations(import_model(model)) == ["slice", "relu"]


def test_declared_shapes_of_windows_that_are_not_there():
    """Before opset 22, ONNX counts a last window in the padding, which no runtime computes."""
    sizes = {"kernel_shape": [2], "strides": [4], "pads": [1, 1], "ceil_mode": 1}
    pool = node("MaxPool", ["x"], ["p"])
    pool.attribute.extend(helper.make_attribute(*item) for item in sizes.items())
    nodes = [pool, node("Transpose", ["p"], ["y"], perm=[0, 2, 1])]
    inputs = [float_type("x", [1, 1, 5])]
    model = graph_model(nodes, inputs, [float_type("y", [1, 3, 1])], opset=19)
    images = {"x": normal(2, 1, 5)}
    found = evaluate(import_model(model), images)["y"]
    assert found.shape == (2, 2, 1)
    np.testing.assert_array_equal(found.reshape(2, -1), Reference(model)(images)["y"])
    other = graph_model(nodes, inputs, [float_type("y", [1, 4, 1])], opset=19)
    assert "declares shape [1, 4, 1], but its operators give [1, 2, 1]" in error_of(other)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            one_node_model("Dropout", [1, 4], [np.array(0.5, np.float32), np.array(True)]),
            "Dropout node 'node': training is not supported",
        ),
        (
            one_node_model("Dropout", [1, 4], outputs=2, opset=7),
            "Dropout node 'node': an output of the mask is not supported",
        ),
        (
            one_node_model("Pad", [1, 4], [int64(0, 1, 0, 1)], opset=19, mode="bend"),
            "Pad node 'node': mode 'bend' is not supported",
        ),
        (
            one_node_model("Cast", [1, 4], to=TensorProto.FLOAT16),
            "Cast node 'node': it rounds to float16, and cores compute in float32: ",
        ),
        (
            one_node_model("Cast", [1, 4], to=TensorProto.BFLOAT16),
            "Cast node 'node': it rounds to bfloat16",
        ),
        (
            one_node_model("Cast", [1, 4], to=TensorProto.STRING),
            "Cast node 'node': a cast of the network's values to object is not supported",
        ),
        (
            chain_model([1, 4], node("Reshape", ["x", "x"], ["y"], "node")),
            "Reshape node 'node': the shape must be known when compiling, but 'x' depends on",
        ),
        (
            chain_model(
                [1, 4],
                node("RandomNormal", [], ["r"], "random", shape=[4]),
                node("Add", ["x", "r"], ["y"]),
            ),
            "RandomNormal node 'random': operator 'RandomNormal' is not supported",
        ),
        (
            one_node_model("Conv", [1, 3, 8, 8], [normal(4, 2, 3, 3)]),
            "Conv node 'node': the input of shape [1, 3, 8, 8] has 3 channels, and weights of "
            "shape [4, 2, 3, 3] are for 2",
        ),
        (
            one_node_model("Conv", [1, 3, 8, 8], [normal(4, 3, 3, 3)], kernel_shape=[5, 5]),
            "Conv node 'node': a window of [5, 5] is not that of a weight of shape [4, 3, 3, 3]",
        ),
        (
            one_node_model("MatMul", [1, 3], [normal(4, 2)]),
            "MatMul node 'node': operands of shapes [1, 3] and [4, 2] do not multiply",
        ),
        (
            one_node_model("Reshape", [1, 6], [int64(1, 4, -1)]),
            "Reshape node 'node': a tensor of shape [1, 6] cannot take shape [1, 4, 1]",
        ),
        (
            one_node_model("Softmax", [1, 6], axis=2),
            "Softmax node 'node': axis 2 is not one of the 2 of the input",
        ),
        (
            one_node_model("Softmax", [1, 6], axis=1.0),
            "Softmax node 'node': attribute 'axis' is of the wrong type",
        ),
        (
            one_node_model("Add", [1, 6]),
            "Add node 'node': input 1 is missing",
        ),
        (
            chain_model(
                [1, 4],
                node("Mean", ["c", ""], ["m"], "mean"),
                node("Add", ["x", "m"], ["y"]),
                constants={"c": normal(4)},
            ),
            "Mean node 'mean': input 1 is missing",
        ),
        (
            chain_model([1, 4], node("Add", ["x", "z"], ["y"], "node")),
            "Add node 'node': 'z' is used before any node or input defines it",
        ),
        (
            graph_model(
                [node("Relu", ["x"], ["y"])], [float_type("x", [1, 4])], [float_type("y", [1, 5])]
            ),
            "output 'y': the model declares shape [1, 5], but its operators give [1, 4]",
        ),
        (
            graph_model([], [float_type("x", [1, 4])], [float_type("y", [1, 4])]),
            "output 'y': no node or input defines it",
        ),
        (
            one_node_model("Conv", [1, 3, 8, 8], [normal(4, 3, 3, 3)], stride=[2, 2]),
            "Conv node 'node': the operator has no attribute 'stride' in opset 13; did you mean "
            "'strides'?",
        ),
        (
            one_node_model("Relu", [1, 4], slope=1.0),
            "Relu node 'node': the operator has no attribute 'slope' in opset 13; there is none",
        ),
        (
            one_node_model("Relu", [1, 4], [normal(4)]),
            "Relu node 'node': the operator has at most 1 inputs in opset 13, not 2",
        ),
        (
            one_node_model("Relu", [1, 4], outputs=2),
            "Relu node 'node': the operator has at most 1 outputs in opset 13, not 2",
        ),
        (
            chain_model(
                [1, 4], node("Relu", ["x"], ["y"], "one"), node("Abs", ["x"], ["y"], "two")
            ),
            "Abs node 'two': it writes 'y', which a result of Relu node 'one' is already",
        ),
        (
            chain_model([1, 4], node("Relu", ["x"], ["x"], "one"), node("Abs", ["x"], ["y"])),
            "Relu node 'one': it writes 'x', which an input of the model is already",
        ),
        (
            chain_model([1, 4], node("Relu", ["x"], ["y"]), constants={"y": normal(4)}),
            "Relu node 'y': it writes 'y', which an array of the model is already",
        ),
        (
            graph_model(
                [node("Relu", ["x"], ["y"])], [float_type("x", [1, 4])] * 2, [float_type("y", None)]
            ),
            "2 inputs of the model have the name 'x': rename all but one of them",
        ),
        (
            graph_model(
                [node("Relu", ["x"], ["y"])], [float_type("x", [1, 4])], [float_type("y", None)] * 2
            ),
            "2 outputs of the model have the name 'y'",
        ),
        (
            graph_model([node("Relu", ["x"], ["y"])], [float_type("x", [1, 4])], []),
            "the model has no outputs",
        ),
        (
            graph_model(
                [node("Relu", ["x"], ["y"])],
                [float_type("x", [1, 4])],
                [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 4])],
            ),
            "output 'y': the model declares int64, but its operators give float",
        ),
        (
            one_node_model("MaxPool", [1, 1, 4], kernel_shape=[5]),
            "MaxPool node 'node': a window of 5 does not fit into 0 + 4 + 0 elements",
        ),
        (one_node_model("Relu", [1, 4], opset=99), "opset 99 is newer than "),
        (branching_model("x"), "If node 'choice': the condition must be known when compiling"),
        (
            chain_model(
                [1, 4],
                node("Range", ["zero", "limit", "one"], ["r"], "range"),
                node("Add", ["x", "r"], ["y"]),
                constants={"zero": np.array(0), "one": np.array(1), "limit": np.array(10**12)},
            ),
            "Range node 'range': a tensor of shape [1000000000000] takes 4,000,000,000,000 bytes",
        ),
        (
            one_node_model("Shape", [1, 4], opset=15, start=1, end=1),
            "output 'y0': its shape is [0]: it has no elements",
        ),
        (
            one_node_model("Re\vlu\n", [1, 4]),
            "Re\\x0blu\\n node 'node': ONNX has no operator 'Re\\x0blu\\n' in opset 13; did you",
        ),
        (
            one_node_model("Slice", [1, 9], [int64(3), int64(-1), int64(1), int64(-1)]),
            "output 'y0': its shape is [1, 0]: it has no elements",
        ),
        (
            one_node_model("Cast", [1, 4], to=0),
            "Cast node 'node': attribute 'to' is 0, which is no type of elements",
        ),
        (
            one_node_model("Concat", [1, 4], [normal(1, 4, 1)], axis=1),
            "Concat node 'node': the inputs have different numbers of axes: [2, 3]",
        ),
        (
            one_node_model("Einsum", [1, 4], equation="ab->az"),
            "Einsum node 'node': 'az' is not of different axes of the inputs of 'ab'",
        ),
        (
            one_node_model("MaxPool", [1, 1, 4, 4], kernel_shape=[2**40, 1], pads=[2**40, 0, 0, 0]),
            "MaxPool node 'node': with its padding a tensor of shape [1, 1, 1099511627780, 4]",
        ),
        (
            one_node_model("MaxPool", [1, 1, 4, 4], kernel_shape=[2**40, 1], ceil_mode=1),
            "MaxPool node 'node': for a window a tensor of shape [1, 1, 1099511627776, 1]",
        ),
    ],
)
def test_wrong_models(model: onnx.ModelProto, message: str):
    assert error_of(model).startswith(message)


def test_where_an_error_is_does_not_end_its_line():
    with pytest.raises(CmcError) as error:
        import_model(one_node_model("Re\vlu\n", [1, 4]))
    assert error.value.where == "Re\\x0blu\\n node 'node'"


def test_arrays_that_do_not_fit_their_shape():
    model = one_node_model("Add", [1, 4], [normal(4)])
    model.graph.initializer[0].dims[0] = 5
    assert "the data of tensor 'c1' do not fit its shape [5]" in error_of(model)


def test_damaged_models_raise_nothing_else(tmp_path: Path):
    path = tmp_path / "model.onnx"
    rng = np.random.default_rng(0)
    data = np.frombuffer(
        chain_model(
            ["N", 3, 8, 8],
            node("Conv", ["x", "w"], ["h"], pads=[1, 1, 1, 1], strides=[2, 2]),
            node("MaxPool", ["h"], ["p"], kernel_shape=[2, 2]),
            node("Reshape", ["p", "shape"], ["f"]),
            node("Softmax", ["f"], ["y"], axis=1),
            constants={"w": normal(2, 3, 3, 3), "shape": int64(0, -1)},
        ).SerializeToString(),
        np.uint8,
    )
    for _ in range(300):
        damaged = data.copy()
        damaged[rng.integers(len(data), size=2)] = rng.integers(256, size=2)
        path.write_bytes(damaged.tobytes())
        try:
            module = import_model(path)
        except CmcError:
            continue
        module.verify()


def test_files_name_themselves(tmp_path: Path):
    model = one_node_model("Add", [1, 4], [normal(4)])
    model.graph.initializer[0].dims[0] = 5
    path = save(model, tmp_path)
    assert error_of(path).startswith(f"{path}: the data of tensor 'c1'")
