# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Inputs that choose what is computed: as constants they leave one network of several."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import helper, numpy_helper

from cmc.errors import CmcError
from cmc.importer.inputs import FLOATS
from cmc.importer.types import static_shape


def choosing_inputs(graph: onnx.GraphProto) -> frozenset[str]:
    """The inputs of one integer or truth value on which alone a condition or a count depends."""
    held = {tensor.name for tensor in graph.initializer}
    sources = dict.fromkeys(held, frozenset[str]())
    for info in graph.input:
        kind, shape = info.type.tensor_type.elem_type, static_shape(info.type)
        if info.name not in held and kind not in FLOATS and shape is not None and set(shape) <= {1}:
            sources[info.name] = frozenset((info.name,))
    chosen: set[str] = set()
    for node in graph.node:
        known = [sources.get(name) for name in filter(None, node.input)]
        if node.op_type in ("If", "Loop"):
            chosen.update(*(sources.get(name, ()) for name in node.input[:2]))
        elif None not in known:
            union = frozenset[str]().union(*filter(None, known))
            sources |= dict.fromkeys(node.output, union)
    return frozenset(chosen)


def with_constants(model: onnx.ModelProto, values: Mapping[str, ArrayLike]) -> onnx.ModelProto:
    """The network in which some inputs are always the same. CmcError for those that are none."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for name, value in values.items():
        info = next((info for info in result.graph.input if info.name == name), None)
        if info is None:
            names = ", ".join(info.name for info in result.graph.input)
            raise CmcError(f"the network has no input '{name}' to be {value}; there is {names}")
        dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        array, shape = np.asarray(value).astype(dtype), static_shape(info.type)
        if shape is not None and array.shape != shape:
            array = np.broadcast_to(array, shape)
        result.graph.input.remove(info)
        result.graph.initializer.append(numpy_helper.from_array(array, name))
    return result
