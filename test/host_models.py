# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Networks of which the host computes parts: before the cores, between and after them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper, parser

from onnx_models import Array, int64, normal


def model(text: str, constants: Mapping[str, Array] | None = None) -> onnx.ModelProto:
    """A model from onnx's text of its graph; its larger constants are given."""
    result = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]>\n{text}')
    result.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in (constants or {}).items()
    )
    return result


def detector() -> onnx.ModelProto:
    """Two convolutions, boxes and scores of their pixels, and those that suppress no other."""
    return model(
        """detector (float[1,3,16,16] image)
            => (float[n,4] found, float[n] score, int64[n,3] places)
        <int64[1] most = {10}, float[1] overlap = {0.5}, float[1] least = {0.3},
         int64[3] flat = {1,6,-1}, int64[1] zero = {0}, int64[1] four = {4}, int64[1] six = {6},
         int64[1] one = {1}, int64 two = {2}> {
            features = Conv <strides = [2,2], pads = [1,1,1,1]> (image, stem)
            active = Relu(features)
            raw = Conv(active, head)
            all = Reshape(raw, flat)
            corners = Slice(all, zero, four, one)
            boxes = Transpose <perm = [0,2,1]> (corners)
            logits = Slice(all, four, six, one)
            scores = Sigmoid(logits)
            places = NonMaxSuppression(boxes, scores, most, overlap, least)
            chosen = Gather <axis = 1> (places, two)
            of_image = Squeeze(boxes, zero)
            found = Gather(of_image, chosen)
            classes = Squeeze(scores, zero)
            best = ReduceMax <axes = [0], keepdims = 0> (classes)
            score = Gather(best, chosen)
        }""",
        {"stem": normal(8, 3, 3, 3) * np.float32(0.3), "head": normal(6, 8, 1, 1)},
    )


def before() -> onnx.ModelProto:
    """Words are looked up by the host, and the cores compute with what it finds."""
    return model(
        """lookup (float[1,4] x) => (float[1,3] y)
        <int64[1] one = {1}, int64[2] shape = {1,8}> {
            places = NonZero(x)
            count = Shape(places)
            found = ReduceSum <keepdims = 0> (count)
            real = Cast <to = 1> (found)
            shifted = Add(x, real)
            doubled = Concat <axis = 1> (shifted, shifted)
            wide = Reshape(doubled, shape)
            product = MatMul(wide, matrix)
            y = Relu(product)
        }""",
        {"matrix": normal(8, 3)},
    )


def between() -> onnx.ModelProto:
    """The host reads what one layer computes, and another layer reads that and the input."""
    return model(
        """between (float[1,5] x) => (float[1,2] y, float[1,4] first)
        {
            first = MatMul(x, one)
            active = Relu(first)
            unique = Unique <axis = 1> (first)
            size = Shape(unique)
            again = Reshape(unique, size)
            shape = Shape(first)
            fixed = Expand(again, shape)
            both = Add(fixed, active)
            hidden = MatMul(both, two)
            skip = MatMul(x, three)
            sum = Add(hidden, skip)
            more = Add(sum, first_part)
            y = Relu(more)
        }""",
        {
            "one": normal(5, 4),
            "two": normal(4, 2, seed=1),
            "three": normal(5, 2, seed=2),
            "first_part": normal(1, 2, seed=3),
        },
    )


def only_host() -> onnx.ModelProto:
    """Nothing of it is for cores."""
    return model(
        """places (float[1,6] x) => (int64[2,n] places, int64[1] count) <int64[1] one = {1}> {
            places = NonZero(x)
            shape = Shape(places)
            count = Gather(shape, one)
        }"""
    )


NETWORKS = {"detector": detector, "before": before, "between": between, "only_host": only_host}

__all__ = ["NETWORKS", "before", "between", "detector", "int64", "model", "only_host"]
