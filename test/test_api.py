# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The library refuses in one line what is not a whole number, and takes numpy's integers."""

from pathlib import Path
from typing import SupportsIndex, cast

import numpy as np
import pytest
from numpy.typing import ArrayLike
from onnx import TensorProto, helper

import cmc
from cmc.api import make_context
from cmc.errors import CmcError
from cmc.passes.cmctrl_verify_control import CmctrlVerifyControlPass
from onnx_models import chain_model

RELU = helper.make_node("Relu", ["x"], ["y"])


@pytest.mark.parametrize("size", [1.5, float("nan"), "3"])
def test_sizes_are_whole_numbers(size: object):
    with pytest.raises(CmcError, match=f"^the size of 'W' is a whole number, not {size}$"):
        cmc.compile(chain_model([1, "W"], RELU), shapes={"W": cast(int, size)})


@pytest.mark.parametrize("images", [2.5, float("inf"), float("nan")])
def test_streams_have_a_whole_number_of_images(images: float):
    program = cmc.compile(chain_model([1, 3], RELU))
    with pytest.raises(CmcError, match=f"^the number of images is a whole number, not {images}$"):
        program.time(cast(int, images))


def test_arrays_have_names():
    program = cmc.compile(chain_model([1, 3], RELU))
    with pytest.raises(
        CmcError, match=r"^inputs are arrays by their names, such as {'x': images}$"
    ):
        program.run(cast(dict[str, ArrayLike], np.zeros((2, 3))))


def test_integers_may_be_of_numpy():
    sizes: dict[str, SupportsIndex] = {"W": np.int64(3)}
    program = cmc.compile(chain_model([1, "W"], RELU), shapes=cast(dict[str, int], sizes))
    assert program.inputs == {"x": (3,)}
    assert program.time(cast(int, np.int32(2))).images == 2


def test_attributes_are_given_once():
    node = helper.make_node("Softmax", ["x"], ["y"], "s", axis=1)
    node.attribute.append(helper.make_attribute("axis", 0))
    with pytest.raises(CmcError, match="2 attributes of the node have the name 'axis'"):
        cmc.compile(chain_model([1, 3], node))


def test_inputs_have_names():
    model = chain_model([1, 3], RELU)
    unnamed = model.graph.input.add()
    unnamed.CopyFrom(model.graph.input[0])
    unnamed.name = ""
    with pytest.raises(CmcError, match="an input of the model has no name"):
        cmc.compile(model)


def test_constants_alone_are_a_chip_of_no_input(tmp_path: Path):
    node = helper.make_node("Constant", [], ["y"], value_floats=[1.0, 2.0])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    graph = helper.make_graph([node], "constants", [], [y])
    program = cmc.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))
    program.save(tmp_path / "constants.mlir")
    loaded = cmc.load(tmp_path / "constants.mlir")
    CmctrlVerifyControlPass().apply(make_context(), loaded.module)
    np.testing.assert_array_equal(loaded.run({}).outputs["y"], [[1, 2]])
