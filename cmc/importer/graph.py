# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The translation of a whole graph, node after node."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    IntegerAttr,
    ModuleOp,
    NameLoc,
    NoneAttr,
    StringAttr,
    i64,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.files.weights import ArrayWeights
from cmc.importer.batch import ADVICE, Batch
from cmc.importer.folding import fold
from cmc.importer.functions import expand
from cmc.importer.inputs import FLOATS, resolve_inputs, type_name
from cmc.importer.integers import as_in_model, kind_of_integers
from cmc.importer.load import Array, Model, load_model
from cmc.importer.magnitudes import Magnitudes
from cmc.importer.node import Node, Value, as_float32
from cmc.importer.operators import (
    KNOWN_BY_THEIR_GRAPHS,
    NEVER_FOLDED,
    OTHER_DOMAINS,
    QUANTIZED_OPERATORS,
    TENSOR_OPERATORS,
    VALUE_OPERATORS,
    WITHIN_ONNX,
)
from cmc.importer.quantized import QuantizedValues
from cmc.importer.schema import check_names, check_node, missing_operator, result_kind, undefined
from cmc.importer.states import set_states

_MALFORMED = (ArithmeticError, LookupError, TypeError, ValueError)
"""What Python and numpy raise on numbers, names and types that no valid model has."""


def import_model(
    model: str | Path | onnx.ModelProto,
    shapes: Mapping[str, int] | None = None,
    states: Mapping[str, str] | None = None,
) -> ModuleOp:
    """Translate an ONNX model into a module of the `nn` dialect with one function, `@main`.

    The batch becomes one: where the model fixes another, and all operators carry it untouched from
    inputs to outputs, a stream of images computes what batches would. Where one does not, the whole
    tensors are one image, as they are where the inputs differ in their first axis. `shapes` gives
    the sizes of other dimensions that the model leaves open: by `input:axis`, by the dimension's
    name, or by the input's name for all its open dimensions without a name. `states` has inputs
    that are what outputs were for the image before, by the names of the outputs. CmcError says what
    is wrong with a model, and where.
    """
    loaded = load_model(model)
    where = None if loaded.path is None else str(loaded.path)
    try:
        graph = Graph(loaded, {} if shapes is None else shapes)
        try:
            module = graph.translate()
        except CmcError:
            if not graph.mixes_images:
                raise
            graph = Graph(loaded, {} if shapes is None else shapes, whole=True)
            module = graph.translate()
        if states:
            if graph.is_of_many_images:
                raise CmcError(f"--state is for images one by one, not in a batch: {ADVICE}")
            set_states(module, states)
        return module
    except CmcError as error:
        raise CmcError(error.message, error.where or where, error.node) from error.__cause__
    except _MALFORMED as error:
        raise CmcError(f"the model is malformed: {error}", where) from error


class Graph:
    """A model under translation: what each ONNX name stands for, and the operations so far."""

    def __init__(self, model: Model, shapes: Mapping[str, int], *, whole: bool = False):
        """`whole` if a batch is one image."""
        self.model = model
        graph = model.proto.graph
        inputs = resolve_inputs(
            [
                info
                for info in graph.input
                if info.name not in model.initializers and self._is_for_cores(info)
            ],
            shapes,
        )
        self.inputs = inputs.inputs
        self._declared_batch = batch = inputs.batch
        whole = whole or bool(inputs.differ)
        self._batch = None if whole or batch in (None, 1) else Batch(batch)
        self.outputs = list(graph.output)
        self.drops_windows = False
        """Whether a pool has fewer windows than ONNX says before opset 22, as runtimes have."""
        self._block = Block(arg_types=[nn.tensor_type(input.shape) for input in self.inputs])
        self._values: dict[str, Value] = {}
        self._constants: dict[str, SSAValue] = {}
        self._kinds: dict[str, int] = {}
        self.quantized = QuantizedValues()
        self._magnitudes = Magnitudes()
        for input, argument in zip(self.inputs, self._block.args, strict=True):
            self._define(input.name, argument)
            self._kinds[input.name] = input.kind
            self._magnitudes.add_input(input.name, argument, input.kind)
            if self._batch is not None:
                self._batch.enter(argument)
        self._used: set[str] = set()

    @property
    def mixes_images(self) -> bool:
        """Whether the images of a batch cannot be computed one by one."""
        return self._batch is not None and self._batch.is_mixed

    def _is_for_cores(self, info: onnx.ValueInfoProto) -> bool:
        """Whether an input is to be one of the function's."""
        return True

    def translate(self) -> ModuleOp:
        self._translate_nodes(self.model.proto.graph, self.model.opset)
        results = [self._output(info) for info in self.outputs]
        bounds = self.bounds({info.name: self._values[info.name] for info in self.outputs})
        self._block.add_op(ReturnOp(*results))
        block = self._block if self._batch is None else self._batch.of_one(self._block)
        assert isinstance(block.last_op, ReturnOp)
        function = FuncOp(
            "main",
            (block.arg_types, [result.type for result in block.last_op.arguments]),
            Region(block),
            arg_attrs=port_names((input.name for input in self.inputs), bounds),
            res_attrs=port_names(info.name for info in self.outputs),
        )
        return ModuleOp([function])

    def bounds(self, outputs: Mapping[str, Value]) -> dict[str, int]:
        """How large integers of inputs may be, for all that is computed of them to be exact.

        CmcError for what cannot be.
        """
        integers = {n: value for n, value in outputs.items() if self.kind(n).kind in "iu"}
        return self._magnitudes.bounds(integers)

    def inline(
        self,
        graph: onnx.GraphProto,
        inputs: Sequence[Value] = (),
        kinds: Sequence[int] = (),
        results: Sequence[str] = (),
    ) -> Sequence[Value]:
        """The outputs of a graph within a node, in whose place its nodes stand.

        `kinds` are the types of the elements of `inputs`; `results` are names outside of the graph
        for outputs, of whose types those are.
        """
        outer = self._values, self._constants, self._kinds
        self._values, self._constants = dict(self._values), dict(self._constants)
        self._kinds = dict(self._kinds)
        if len(inputs) != len(graph.input):
            raise CmcError(f"a graph of {len(graph.input)} inputs is given {len(inputs)}")
        for info, value, kind in zip(graph.input, inputs, kinds, strict=True):
            self._define(info.name, value)
            self._constants.pop(info.name, None)
            self._kinds[info.name] = kind
        for tensor in graph.initializer:
            self._values[tensor.name] = self.model.array(tensor)
            self._constants.pop(tensor.name, None)
        self._translate_nodes(graph, self.model.opset)
        values: list[Value] = []
        for info in graph.output:
            value = self._find(info.name)
            if value is None:
                raise CmcError("no node or input defines it", f"output {info.name!r} of a branch")
            values.append(value)
        types = [self.kind_of(info.name) for info in graph.output]
        self._values, self._constants, self._kinds = outer
        self._kinds |= zip(results, types, strict=False)
        return values

    def expand(self, node: Node) -> Sequence[Value | None] | None:
        """The results of the nodes that ONNX defines a node by; None if it does not."""
        expanded = expand(node)
        if expanded is None:
            return None
        self._translate_nodes(*expanded)
        return [self._find(name) if self.is_used(name) else None for name in node.proto.output]

    def _translate_nodes(self, graph: onnx.GraphProto, opset: int) -> None:
        """Translate the nodes that the outputs of `graph` depend on, in order."""
        check_names(graph)
        nodes, used = live_nodes(graph)
        self._used |= used
        for proto in nodes:
            self._translate_node(proto, opset)

    def _translate_node(self, proto: onnx.NodeProto, opset: int) -> None:
        """Define what a node computes. CmcError if it cannot be translated."""
        node = Node(proto, opset, self)
        try:
            results = _translate_node(node)
        except VerifyException as error:
            raise node.error(str(error)) from None
        except _MALFORMED as error:
            raise node.error(f"the node is malformed: {error}") from error
        except MemoryError as error:
            raise node.error(f"it takes more memory than there is: {error}") from error
        for index, (name, value) in enumerate(zip(proto.output, results, strict=False)):
            if name and value is not None:
                self._define(name, value)
                if isinstance(value, SSAValue) and proto.op_type not in KNOWN_BY_THEIR_GRAPHS:
                    self._kinds[name] = (
                        node.kinds[index]
                        if index < len(node.kinds)
                        else result_kind(node.proto, opset, index, self.kind_of)
                    )
                if isinstance(value, SSAValue):
                    self._magnitudes.follow(node, value, self._kinds.get(name, 0))

    # What names stand for

    def value(self, name: str, node: Node) -> Value:
        """The tensor or array that `name` stands for, which `node` reads."""
        value = self._find(name)
        if value is None:
            raise node.malformed(undefined(name))
        return value

    def kind(self, name: str) -> np.dtype[np.generic]:
        """The type of the elements of `name` in the model; of the network all are float32."""
        return helper.tensor_dtype_to_np_dtype(self.kind_of(name) or TensorProto.FLOAT)

    def kind_of(self, name: str) -> int:
        """The same as ONNX numbers it; 0 if it is not known."""
        value = self._find(name)
        if value is None or isinstance(value, SSAValue):
            return self._kinds.get(name, TensorProto.UNDEFINED)
        return helper.np_dtype_to_tensor_dtype(value.dtype)

    @property
    def is_of_halves(self) -> bool:
        """Whether the model is one of float16, which is computed in float32 all the same."""
        return any(input.kind == TensorProto.FLOAT16 for input in self.inputs)

    def _find(self, name: str) -> Value | None:
        value = self._values.get(name)
        if value is None and (tensor := self.model.initializers.get(name)) is not None:
            value = self._values[name] = self.model.array(tensor)
        return value

    def constant(self, name: str, array: Array, node: Node) -> SSAValue:
        """The constant of the network that holds `array`, which `name` stands for."""
        constant = self._constants.get(name)
        if constant is None:
            weights = ArrayWeights(as_float32(array, node, name), name)
            constant = self._constants[name] = self.emit(nn.ConstantOp(weights), name)
            constant.name_hint = hint(name)
        return constant

    def is_used(self, name: str) -> bool:
        """Whether a node that matters, or the model's output, reads `name`."""
        return name in self._used

    def emit(self, op: nn.TensorOp, name: str) -> SSAValue:
        """Add an operation that the ONNX node `name` stands for. VerifyException if it is wrong."""
        try:
            self._check(op)
        except VerifyException:
            # What it reads is not used by it, then.
            op.erase()
            raise
        op.location = NameLoc(StringAttr(name), NoneAttr())
        self._block.add_op(op)
        return op.result

    def _check(self, op: nn.TensorOp) -> None:
        op.verify_()
        shape = nn.shape_of(op.result)
        if not isinstance(op, nn.ConstantOp) and (elements := prod(shape)) > nn.LARGEST:
            raise VerifyException(nn.too_large(shape, elements))
        if self._batch is not None:
            self._batch.follow(op)

    @property
    def is_of_many_images(self) -> bool:
        """Whether what is imported computes several images at once, each by itself."""
        return self._batch is not None

    def emit_recurrence(
        self, initial: SSAValue, steps: int, name: str, step: Callable[[SSAValue], SSAValue]
    ) -> SSAValue:
        """Add a recurrence: `step` emits what computes the states after steps from those before."""
        recurrence = nn.RecurrenceOp(initial, steps)
        outer, known = self._block, self._constants
        self._block, self._constants = recurrence.body.block, dict(known)
        try:
            after = step(recurrence.before)
            self._block.add_op(nn.YieldOp(after))
        finally:
            self._block, self._constants = outer, known
        return self.emit(recurrence, name)

    def _define(self, name: str, value: Value) -> None:
        self._values[name] = value
        if isinstance(value, SSAValue) and value.name_hint is None:
            value.name_hint = hint(name)

    # Outputs

    def _output(self, info: onnx.ValueInfoProto) -> SSAValue:
        value = self._find(info.name)
        if value is None:
            raise CmcError("no node or input defines it", f"output {info.name!r}")
        if not isinstance(value, SSAValue):
            identity = onnx.NodeProto(op_type="output", output=[info.name])
            value = self.constant(info.name, value, Node(identity, self.model.opset, self))
        shape = nn.shape_of(value)
        if 0 in shape:
            raise CmcError(
                f"its shape is {list(shape)}: it has no elements", f"output {info.name!r}"
            )
        self._check_declared(info, shape)
        if self._batch is not None:
            try:
                self._batch.leave(value)
            except VerifyException as error:
                raise CmcError(str(error), f"output {info.name!r}") from None
        return value

    def _check_declared(self, info: onnx.ValueInfoProto, shape: Sequence[int]) -> None:
        type_ = info.type.tensor_type
        declared_kind, kind = type_.elem_type, self.kind_of(info.name)
        if TensorProto.UNDEFINED not in (declared_kind, kind) and (
            declared_kind != kind and not FLOATS.issuperset((declared_kind, kind))
        ):
            raise CmcError(
                f"the model declares {type_name(declared_kind)}, but its operators give "
                f"{type_name(kind)}",
                f"output {info.name!r}",
            )
        if not type_.HasField("shape"):
            return
        declared = type_.shape.dim
        # Where the inputs leave the batch open, an output may say what it likes of it.
        first = 1 if self._declared_batch is None else 0
        if len(declared) != len(shape) or any(
            dim.HasField("dim_value") and 0 <= dim.dim_value != size
            for dim, size in list(zip(declared, shape, strict=True))[first:]
        ):
            if self.drops_windows and self._is_inferred(info):
                return
            sizes = [dim.dim_value or dim.dim_param or "?" for dim in declared]
            raise CmcError(
                f"the model declares shape {sizes}, but its operators give {list(shape)}",
                f"output {info.name!r}",
            )

    def _is_inferred(self, info: onnx.ValueInfoProto) -> bool:
        """Whether ONNX itself infers the declared shape of an output."""
        from cmc.importer.types import infer_values

        held = self.model.initializers
        ports = (one for one in self.model.proto.graph.input if one.name not in held)
        found = infer_values(self.model, {one.name: one.type for one in ports}).get(info.name)
        return found is not None and found.tensor_type.shape == info.type.tensor_type.shape


def _translate_node(node: Node) -> Sequence[Value | None]:
    if node.proto.domain not in ("", "ai.onnx"):
        known = OTHER_DOMAINS.get(node.proto.domain, {})
        if node.op_type in known:
            result = known[node.op_type](node)
            node.check_all_read()
            return _as_results(result)
        if (expanded := node.graph.expand(node)) is not None:
            return expanded
        raise node.error(
            f"operator {node.op_type!r} of domain {node.proto.domain!r} is not supported: "
            "export the model with standard operators"
        )
    check_node(node.proto, node.opset)
    if node.op_type in VALUE_OPERATORS:
        result = VALUE_OPERATORS[node.op_type](node)
        node.check_all_read()
    elif node.op_type not in NEVER_FOLDED and (folded := fold(node)) is not None:
        result = folded
    elif node.op_type in QUANTIZED_OPERATORS:
        result = QUANTIZED_OPERATORS[node.op_type](node)
        node.check_all_read()
    elif node.op_type in TENSOR_OPERATORS:
        integers = kind_of_integers(node)
        result = TENSOR_OPERATORS[node.op_type](node)
        if integers is not None and isinstance(result, SSAValue):
            result = as_in_model(node, result, integers)
        node.check_all_read()
    elif (expanded := node.graph.expand(node)) is not None:
        result = expanded
    elif node.op_type in WITHIN_ONNX:
        result = WITHIN_ONNX[node.op_type](node)
        node.check_all_read()
    else:
        raise node.error(
            missing_operator(node.op_type, node.opset)
            or f"operator {node.op_type!r} is not supported: express it by other operators, or "
            "compute it outside the network"
        )
    return _as_results(result)


def _as_results(result: Value | Sequence[Value | None]) -> Sequence[Value | None]:
    return [result] if isinstance(result, SSAValue) or not isinstance(result, Sequence) else result


def live_nodes(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes that outputs depend on, in order, and all names that are read."""
    used = {info.name for info in graph.output}
    live: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if not used.isdisjoint(node.output):
            live.append(node)
            used |= names_read(node)
    return live[::-1], used


def names_read(node: onnx.NodeProto) -> set[str]:
    """The names that a node reads, the graphs within it too."""
    names = set(filter(None, node.input))
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names.update(info.name for info in graph.output)
            names.update(*map(names_read, graph.node))
    return names


def port_names(
    names: Iterable[str], bounds: Mapping[str, int] | None = None
) -> ArrayAttr[DictionaryAttr]:
    """What a function says of its arguments or results: names, and how large integers may be."""
    found: list[DictionaryAttr] = []
    for name in names:
        attributes: dict[str, Attribute] = {nn.NAME: StringAttr(name)}
        if bounds is not None and name in bounds:
            attributes[nn.LARGEST_INTEGER] = IntegerAttr(bounds[name], i64)
        found.append(DictionaryAttr(attributes))
    return ArrayAttr(found)


def hint(name: str) -> str:
    """`name` as an SSA name."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    return text if text[:1].isalpha() else f"v{text}"
