# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Integers and truth values of a model, which are numbers of float32 on the cores."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import cmc
from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.reference import Reference
from cmc.tools.cmc import main
from end_to_end import assert_close, assert_same
from onnx_models import Array, float_type, graph_model, int64, normal

node = helper.make_node
IDS = np.array([[[0, 3, 6, 6]], [[2, 1, 5, 0]]])


def model_of(
    *nodes: onnx.NodeProto,
    shape: tuple[int, ...] = (1, 4),
    kind: int = TensorProto.INT64,
    result: int = TensorProto.FLOAT,
    constants: Mapping[str, Array] | None = None,
    opset: int = 18,
) -> onnx.ModelProto:
    """From an input `x` of integers to an output `y`."""
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    outputs = [helper.make_tensor_value_info("y", result, None)]
    return graph_model(nodes, inputs, outputs, constants, opset)


def check(model: onnx.ModelProto, images: Array) -> None:
    """Both modes compute of a stream what somebody else does."""
    program = cmc.compile(model)
    inputs = {"x": images.astype(np.float32)}
    bulk = program.run(inputs)
    assert_close(bulk.outputs, Reference(model)(inputs))
    assert_same(program.run(inputs, mode="interpret"), bulk)


def test_rows_of_a_table_by_token():
    model = model_of(
        node("Gather", ["table", "x"], ["rows"], "rows"),
        node("MatMul", ["rows", "w"], ["y"], "product"),
        constants={"table": normal(7, 6), "w": normal(6, 3)},
    )
    check(model, IDS[:, 0])


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8])
def test_rows_that_are_not_there_are_refused(kind: int):
    """onnxruntime refuses them too."""
    model = model_of(
        node("Cast", ["x"], ["ids"], to=TensorProto.INT64),
        node("Gather", ["table", "ids"], ["y"], "rows"),
        kind=kind,
        constants={"table": normal(7, 6)},
    )
    program = cmc.compile(model)
    check(model, IDS[:, 0])
    with pytest.raises(CmcError, match="'x' holds integers beyond 6, the largest that this"):
        program.run({"x": IDS[:, 0] + 1})


@pytest.mark.parametrize(("shape", "axis"), [((1, 2, 2), 0), ((1, 4), 1), ((1, 4), -1), ((4,), 1)])
def test_parts_of_a_table_by_index(shape: tuple[int, ...], axis: int):
    model = model_of(
        node("Gather", ["table", "x"], ["y"], axis=axis),
        shape=shape,
        constants={"table": normal(7, 8, 9)},
    )
    check(model, IDS.reshape(2, *(shape if shape[0] > 1 else shape[1:])))


def test_a_table_is_looked_up_in_an_iteration_for_each_token():
    model = model_of(node("Gather", ["t", "x"], ["y"]), constants={"t": normal(7, 6)})
    report = cmc.compile(model).time(1)
    assert {p.iterations for core in report.cores for p in core.programs} == {1, 4}


def test_positions_of_what_is_no_padding():
    model = model_of(
        node("Equal", ["x", "pad"], ["is_pad"], "equal"),
        node("Not", ["is_pad"], ["kept"], "not"),
        node("Cast", ["kept"], ["number"], "number", to=TensorProto.INT64),
        node("CumSum", ["number", "axis"], ["y"], "positions"),
        result=TensorProto.INT64,
        constants={"pad": int64(0), "axis": np.array(1)},
    )
    check(model, IDS[:, 0])


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Mod", "Max", "Less", "Equal"])
@pytest.mark.parametrize("kind", [TensorProto.INT32, TensorProto.UINT8, TensorProto.INT8])
def test_arithmetic_wraps_and_truncates_as_in_the_model(op: str, kind: int):
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    other = np.array([3, 100, 7, 101], dtype)
    logic = op in ("Less", "Equal")
    model = model_of(
        node(op, ["x", "c"], ["r"], "op"),
        node("Cast", ["r"], ["y"], "cast", to=TensorProto.FLOAT),
        kind=kind,
        constants={"c": other},
    )
    images = np.array([[100, 100, 13, 27], [5, 99, 120, 101]])
    found = cmc.compile(model).run({"x": images}).outputs["y"]
    typed = images.astype(dtype)
    function = {"Div": np.floor_divide, "Mod": np.mod, "Max": np.maximum, "Sub": np.subtract}
    function |= {"Add": np.add, "Mul": np.multiply, "Less": np.less, "Equal": np.equal}
    with np.errstate(over="ignore"):
        expected = function[op](typed, other)
    assert expected.dtype == (np.bool_ if logic else dtype)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8, TensorProto.INT16])
def test_casts_of_reals_wrap(kind: int):
    """What runtimes do where ONNX leaves it open: no integer is beyond its type."""
    model = model_of(
        node("Cast", ["x"], ["small"], "cast", to=kind),
        node("Cast", ["small"], ["y"], "back", to=TensorProto.FLOAT),
        kind=TensorProto.FLOAT,
    )
    images = np.array([[-1.7, -0.7, 256.5, 127.9], [300.0, 40000.2, -129.0, 5.5]])
    expected = np.trunc(images).astype(np.int64).astype(helper.tensor_dtype_to_np_dtype(kind))
    np.testing.assert_array_equal(cmc.compile(model).run({"x": images}).outputs["y"], expected)


def test_negative_quotients_and_remainders():
    for op in ("Div", "Mod"):
        model = model_of(
            node(op, ["x", "c"], ["y"], "op"),
            result=TensorProto.INT64,
            constants={"c": int64(3, -3, 2, -5)},
        )
        check(model, np.array([[-7, 7, -4, -9], [7, -7, 5, 10]]))


def test_numbers_lose_their_fraction():
    nodes = [
        node("Cast", ["x"], ["i"], "cast", to=TensorProto.INT32),
        node("Cast", ["i"], ["y"], "back", to=TensorProto.FLOAT),
    ]
    check(model_of(*nodes, kind=TensorProto.FLOAT), 3 * normal(2, 4))


@pytest.mark.parametrize(
    ("one", "kind", "message"),
    [
        (node("Mul", ["x", "c"], ["y"], "n"), TensorProto.INT16, "Mul of int16, which may wrap"),
        (node("Sub", ["x", "c"], ["y"], "n"), TensorProto.UINT32, "Sub of uint32, which wraps"),
        (node("Mean", ["x", "c"], ["y"], "n"), TensorProto.INT64, "Mean of int64"),
        (node("Exp", ["x"], ["y"], "n"), TensorProto.INT64, "Exp of int64"),
        (
            node("BitShift", ["x", "c"], ["y"], "n", direction="LEFT"),
            TensorProto.UINT32,
            "shifts by 40 to 40 are not all within 32 bits",
        ),
    ],
)
def test_what_integers_cannot_do_exactly_is_refused(one: onnx.NodeProto, kind: int, message: str):
    other = 40 if one.op_type == "BitShift" else 2
    constants = {"c": np.array([other], helper.tensor_dtype_to_np_dtype(kind))}
    with pytest.raises(CmcError, match=message):
        import_model(model_of(one, kind=kind, constants=constants))


def test_integers_that_float32_cannot_count_to():
    program = cmc.compile(model_of(node("Identity", ["x"], ["y"]), result=TensorProto.INT64))
    assert program.run({"x": [[2**24, 0, 0, -(2**24)]]}).outputs["y"][0, 0] == 2**24
    with pytest.raises(CmcError, match=r"'x' holds integers beyond 2\^24"):
        program.run({"x": [[2**24 + 1, 0, 0, 0]]})


def test_random_images_of_integers(tmp_path: Path):
    path = tmp_path / "tokens.onnx"
    table = {"table": normal(2, 6)}
    model = model_of(node("Gather", ["table", "x"], ["y"]), constants=table)
    path.write_bytes(model.SerializeToString())
    assert main(["run", str(path), "--random", "1", "--images", "3", "--check"]) == 0


def test_an_output_that_is_known():
    model = model_of(node("Neg", ["c"], ["y"]), constants={"c": normal(1, 3)})
    check(model, IDS[:, 0])


def test_a_scan_becomes_its_turns():
    body = helper.make_graph(
        [node("Add", ["s", "e"], ["t"], "sum"), node("Tanh", ["t"], ["r"], "tanh")],
        "body",
        [float_type("s", [3]), float_type("e", [3])],
        [float_type("t", [3]), float_type("r", [3])],
    )
    nodes = [
        node("Squeeze", ["x", "first"], ["rows"], "rows"),
        node("Scan", ["start", "rows"], ["last", "all"], "scan", body=body, num_scan_inputs=1),
        node("Concat", ["last", "flat"], ["y"], "y", axis=0),
    ]
    nodes.insert(2, node("Reshape", ["all", "minus"], ["flat"], "flat"))
    constants: dict[str, Array] = {
        "first": int64(0),
        "start": normal(3),
        "minus": int64(-1),
    }
    kind = TensorProto.FLOAT
    check(model_of(*nodes, shape=(1, 5, 3), kind=kind, constants=constants), normal(2, 5, 3))


def test_integers_of_a_branch_are_integers_outside():
    """A loop of one turn and a branch hand on what they are of: a quotient has no fraction."""
    one = helper.make_graph(
        [node("Add", ["x", "two"], ["sum"])],
        "branch",
        [],
        [helper.make_tensor_value_info("sum", TensorProto.INT64, None)],
    )
    nodes = [
        node("If", ["yes"], ["i"], "if", then_branch=one, else_branch=one),
        node("Div", ["i", "two"], ["y"], "div"),
    ]
    constants: dict[str, Array] = {"yes": np.array(True), "two": int64(2)}
    model = model_of(*nodes, result=TensorProto.INT64, constants=constants)
    check(model, np.array([[1, 2, 3, 4], [5, 6, 7, 9]]))


@pytest.mark.parametrize(
    ("nodes", "most"),
    [
        ([node("Mul", ["x", "x"], ["y"])], 4096),
        ([node("Add", ["x", "two"], ["y"])], 2**24 - 2),
        ([node("Mul", ["x", "two"], ["t"]), node("Sub", ["t", "x"], ["y"])], 2**24 // 3),
        ([node("CumSum", ["x", "axis"], ["y"])], 2**22),
        ([node("Pow", ["x", "two"], ["y"])], 4096),
        ([node("MatMul", ["x", "weight"], ["y"])], 2**24 // 28),
        ([node("ReduceSum", ["x"], ["t"]), node("Mul", ["t", "two"], ["y"])], 2**21),
        (
            [
                node("Cast", ["x"], ["i"], to=TensorProto.INT32),
                node("Mul", ["i", "i"], ["j"]),
                node("Cast", ["j"], ["y"], to=TensorProto.INT64),
            ],
            4096,
        ),
        (
            [node("ArgMax", ["x"], ["t"], axis=1), node("Mul", ["t", "two"], ["y"])],
            2**24,
        ),
        ([node("Gather", ["table", "x"], ["t"]), node("Mul", ["t", "two"], ["y"])], 2**24),
    ],
)
def test_integers_are_refused_that_would_give_others_beyond_float32(
    nodes: list[onnx.NodeProto], most: int, tmp_path: Path
):
    constants: dict[str, Array] = {
        "two": int64(2),
        "axis": np.array(1),
        "table": int64(0, 9, -1000),
        "weight": np.full((4, 1), 7),
    }
    model = model_of(*nodes, result=TensorProto.INT64, constants=constants)
    cmc.compile(model).save(tmp_path / "program.mlir")
    program = cmc.load(tmp_path / "program.mlir")
    program.run({"x": [[1, 0, 2, 1]]})
    if most == 2**24:
        return
    assert program.run({"x": [[most, 0, 0, 0]]}).outputs["y"].max() <= 2**24
    with pytest.raises(CmcError, match=f"'x' holds integers beyond {most}, the largest that this"):
        program.run({"x": [[-most - 1, 0, 0, 0]]})


def test_integers_that_cannot_but_be_beyond_float32_are_refused():
    constants = {"c": int64(2**20), "d": int64(2**10)}
    nodes = [node("Mul", ["x", "c"], ["t"], "first"), node("Mul", ["t", "d"], ["y"], "second")]
    model = model_of(*nodes, result=TensorProto.INT64, constants=constants)
    with pytest.raises(CmcError, match=r"'second': it may reach 1\.074e\+09, and integers"):
        import_model(model)


def test_sums_of_many_bytes_are_refused_as_integers():
    weight = {"w": np.ones((300, 2), np.int8)}
    one = node("MatMulInteger", ["x", "w"], ["t"], "product")
    kind = TensorProto.UINT8
    integers = model_of(one, shape=(1, 300), kind=kind, result=TensorProto.INT32, constants=weight)
    integers.graph.output[0].name = "t"
    with pytest.raises(CmcError, match="output 't': it may reach"):
        import_model(integers)
    real = node("Cast", ["t"], ["y"], "cast", to=TensorProto.FLOAT)
    check(model_of(one, real, shape=(1, 300), kind=kind, constants=weight), np.ones((2, 300)))
