# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""One of onnx's tests of an operator: bound to constants but for one input, compiled, compared."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, Protocol, cast, get_args

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.errors import CmcError
from cmc.simulator import Mode

Array = NDArray[np.generic]
Status = Literal["cores", "host", "refused", "failed", "crashed"]
STATUSES: Sequence[Status] = get_args(Status)

WAYS: Sequence[tuple[BufferPolicy, Mode]] = (("throughput", "bulk"), ("minimal", "interpret"))
"""Both sizes of rings, and both modes of the simulator."""


class NodeTest(Protocol):
    """A test as onnx loads it."""

    name: str
    model: onnx.ModelProto
    data_sets: Sequence[tuple[Sequence[object], Sequence[object]]]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Outcome:
    """What came of a test."""

    test: str
    operator: str
    """What it is a test of."""
    floats: bool
    """Whether floating-point numbers are streamed: else integers or booleans, or nothing."""
    status: Status
    reason: str = ""


@cache
def load_tests() -> dict[str, NodeTest]:
    """All of onnx's tests of operators, by name."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = cast(list[NodeTest], load_model_tests(kind="node"))
    return {test.name: test for test in tests}


def operator_of(name: str, tests: Mapping[str, NodeTest]) -> str:
    """What a test is of: an operator, or several, or one whose definition by others it holds."""
    tested = tests.get(name.partition("_expanded")[0], tests[name])
    return ", ".join(dict.fromkeys(node.op_type for node in tested.model.graph.node))


def run_test(name: str, tests: Mapping[str, NodeTest]) -> Outcome:
    """Run a test on the cores, or else with the host for what these cannot have."""
    outcome = run_on_cores(name, tests)
    if outcome.status != "refused":
        return outcome
    status, reason = _run_with_host(tests[name], outcome.reason)
    return replace(outcome, status=status, reason=reason)


def run_on_cores(name: str, tests: Mapping[str, NodeTest]) -> Outcome:
    """Stream the first floating-point input of a test, or its first of numbers, as one image."""
    test, operator = tests[name], operator_of(name, tests)
    inputs = [_as_array(value) for value in test.data_sets[0][0]]
    expected = [_as_array(value) for value in test.data_sets[0][1]]
    arrays = [array for array in inputs if array is not None]
    wanted = [array for array in expected if array is not None]
    if len(arrays) < len(inputs) or len(wanted) < len(expected):
        reason = "an input or output is no tensor of numbers"
        return Outcome(name, operator, False, "refused", reason)
    numeric = range(len(arrays))
    floats = [index for index in numeric if _is_float(arrays[index])]
    chosen = next(iter([*floats, *numeric]), None)
    if chosen is None:
        return Outcome(name, operator, False, "refused", "it has no input to stream")
    status, reason = _run(test, arrays, chosen, wanted)
    return Outcome(name, operator, bool(floats), status, reason)


def _run(
    test: NodeTest, arrays: Sequence[Array], chosen: int, expected: Sequence[Array]
) -> tuple[Status, str]:
    try:
        model = _bound(test.model, arrays, chosen)
        for buffers, mode in WAYS:
            program = cmc.compile(model, buffers=buffers, host=False)
            found = program.run({IMAGE: arrays[chosen][None]}, mode=mode).outputs
            names = [info.name for info in test.model.graph.output if info.name]
            for output, wanted in zip(names, expected, strict=True):
                if wrong := _difference(found[output], wanted, test):
                    return "failed", f"output {output!r}: {wrong}"
    except CmcError as error:
        return "refused", error.message
    except Exception as error:
        return "crashed", f"{type(error).__name__}: {error}"
    return "cores", ""


RANDOM = frozenset(
    (
        *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"),
        *("RandomUniform", "RandomUniformLike"),
    )
)
"""Operators whose results are other ones with every implementation."""


def _run_with_host(test: NodeTest, refusal: str) -> tuple[Status, str]:
    """Give all inputs as they are to a session; `refusal` is why the cores alone cannot have it."""
    types = {node.op_type for node in test.model.graph.node}
    if types & RANDOM or test.name.startswith("test_training_dropout"):
        return "refused", "its results are random"
    inputs, outputs = test.data_sets[0]
    try:
        session = cmc.InferenceSession(test.model, buffers="minimal")
        names = [one.name for one in session.get_inputs()]
        feeds = {n: _value(one) for n, one in zip(names, inputs, strict=True)}
        found = session.run(None, feeds)
    except CmcError as error:
        return "refused", error.message
    except Exception as error:
        return "crashed", f"{type(error).__name__}: {error}"
    for info, one, wanted in zip(session.get_outputs(), found, outputs, strict=True):
        if wrong := _difference_of_values(one, _value(wanted), test):
            return "failed", f"output {info.name!r}: {wrong}"
    on_host = session.report is not None and session.report.host
    return ("host", refusal) if on_host else ("cores", "")


def _difference_of_values(found: object, wanted: object, test: NodeTest) -> str:
    """How a tensor, a sequence or an optional differs from what onnx expects."""
    if wanted is None or found is None:
        return "" if wanted is found else f"{found} instead of {wanted}"
    if isinstance(wanted, list | tuple):
        ones, others = cast(Sequence[object], found), cast(Sequence[object], wanted)
        if len(ones) != len(others):
            return f"{len(ones)} elements instead of {len(others)}"
        differences = (
            _difference_of_values(*pair, test) for pair in zip(ones, others, strict=True)
        )
        return next(filter(None, differences), "")
    one, other = (np.asarray(cast(ArrayLike, value)) for value in (found, wanted))
    if one.shape != other.shape:
        return f"shape {list(one.shape)} instead of {list(other.shape)}"
    if other.dtype.kind in "OUS":
        same = one.astype(str).tolist() == other.astype(str).tolist()
        return "" if same else f"{one} instead of {other}"
    return _difference(cast(NDArray[np.float32], one), other, test)


def _value(value: object) -> object:
    """An input or output as onnxruntime takes and gives it."""
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.SequenceProto):
        return numpy_helper.to_list(value)
    if isinstance(value, onnx.OptionalProto):
        return numpy_helper.to_optional(value)
    return value


def _difference(found: NDArray[np.float32], expected: Array, test: NodeTest) -> str:
    """How an output differs from the one that onnx expects; nothing if it does not."""
    if found.size != expected.size:
        return f"shape {list(found.shape[1:])} instead of {list(expected.shape)}"
    with np.errstate(all="ignore"):
        given = found.reshape(expected.shape).astype(expected.dtype)
    try:
        np.testing.assert_allclose(_wide(given), _wide(expected), test.rtol, test.atol)
    except AssertionError as error:
        return " ".join(str(error).split())
    return ""


def _wide(array: Array) -> NDArray[np.float64]:
    return array.astype(np.float64)


IMAGE = "whole image"
"""The name of the streamed input."""


def _bound(model: onnx.ModelProto, inputs: Sequence[Array], chosen: int) -> onnx.ModelProto:
    """The model with all inputs but one as constants, which is an image of the tensor's shape."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    names = [info.name for info in graph.input]
    kind = graph.input[chosen].type.tensor_type.elem_type
    if not kind:
        raise CmcError("an input is no tensor")
    del graph.input[:]
    shape = inputs[chosen].shape
    graph.input.append(helper.make_tensor_value_info(IMAGE, kind, [1, *shape]))
    for index, (name, array) in enumerate(zip(names, inputs, strict=True)):
        if index != chosen and name:
            graph.initializer.append(numpy_helper.from_array(array, name))
    graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), "shape of image"))
    reshape = helper.make_node("Reshape", [IMAGE, "shape of image"], [names[chosen]], "image")
    graph.node.insert(0, reshape)
    return result


def _as_array(value: object) -> Array | None:
    """An input or output as an array; None if it is no tensor of numbers."""
    if isinstance(value, TensorProto):
        value = numpy_helper.to_array(value)
    if not isinstance(value, np.ndarray | np.generic):
        return None
    array: Array = np.array(cast(Array, value))
    return array if array.dtype.kind in "biuf" or array.dtype.name == "bfloat16" else None


def _is_float(array: Array) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"
