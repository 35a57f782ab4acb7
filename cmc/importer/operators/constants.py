# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators whose results are always known: constants, and shapes."""

from math import prod

import numpy as np

from cmc.importer.load import Array
from cmc.importer.node import Node


def import_constant(node: Node) -> Array:
    if (value := node.get_array("value")) is not None:
        return value
    if node.has("value_float"):
        return np.array(node.get_float("value_float", 0), np.float32)
    if node.has("value_int"):
        return np.array(node.get_int("value_int", 0), np.int64)
    if (floats := node.get_floats("value_floats")) is not None:
        return np.array(floats, np.float32)
    if (ints := node.get_ints("value_ints")) is not None:
        return np.array(ints, np.int64)
    raise node.error("only dense arrays of numbers are supported")


def import_constant_of_shape(node: Node) -> Array:
    shape = node.known_ints(0, "the shape")
    if shape is None or min(shape, default=0) < 0:
        raise node.error(f"{shape} is not a shape")
    value = node.get_array("value")
    if value is None:
        value = np.zeros(1, np.float32)
    if value.size != 1:
        raise node.error(f"one value fills the array, not {value.size}")
    return np.broadcast_to(value.reshape(()), shape)


def import_shape(node: Node) -> Array:
    shape = node.shape(0)
    end = node.get_int("end", len(shape))
    return np.array(shape[node.get_int("start", 0) : end], np.int64)


def import_size(node: Node) -> Array:
    return np.array(prod(node.shape(0)), np.int64)


OPERATORS = {
    "Constant": import_constant,
    "ConstantOfShape": import_constant_of_shape,
    "Shape": import_shape,
    "Size": import_size,
}
