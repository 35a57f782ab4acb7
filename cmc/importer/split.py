# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Cutting out what no core can have, for the host.

The nodes of a network take turns: parts on the cores, and between them parts on the host. What of
one part another one reads crosses by its name: the function returns what the cores compute of it,
and has arguments for what they read of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import onnx
from onnx import TensorProto, TypeProto, helper, numpy_helper
from onnx.external_data_helper import uses_external_data
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import BlockArgument, Operation, Region, SSAValue

from cmc.dialects import nn
from cmc.errors import CmcError, Malformed
from cmc.host.evaluator import Evaluator
from cmc.importer.graph import Graph, hint, import_model, live_nodes, names_read, port_names
from cmc.importer.inputs import NUMBERS, type_name
from cmc.importer.load import Array, Model, load_model
from cmc.importer.node import Value
from cmc.importer.schema import check_names, malformed, node_name, undefined
from cmc.importer.types import infer_node, infer_values, static_shape

_MALFORMED = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What is raised on models that are no valid ones, of which the first error says more."""


class _HostRefuses(CmcError):
    """Nobody on the host takes a part of a network."""


def import_network(
    model: str | Path | onnx.ModelProto,
    shapes: Mapping[str, int] | None = None,
    states: Mapping[str, str] | None = None,
    *,
    host: bool = True,
    refused: Mapping[str, str] | None = None,
) -> ModuleOp:
    """Translate an ONNX model as `import_model` does, and what no core can have for the host.

    That is in operations `nn.host` beside the function, and an `nn.interface` says what the inputs
    and outputs of the network are. Where nothing is left for the cores, there is no function. Nodes
    that are `refused`, by name with the reason, are for the host although they can be translated. A
    network with `states` is all on the cores. CmcError for what the host cannot compute either.
    """
    try:
        if refused:
            name, reason = next(iter(refused.items()))
            raise CmcError(reason, f"'{name}'", name)
        return import_model(model, shapes, states)
    except CmcError as error:
        if not host or states:
            raise
        try:
            loaded = load_model(model)
            network = split(loaded, shapes or {}, _indices(loaded, refused or {}))
        except Malformed:
            raise
        except _HostRefuses as other:
            message = f"{error.message}; and the host cannot compute it: {other.message}"
            raise CmcError(message, error.where, error.node) from other
        except (CmcError, *_MALFORMED) as other:
            raise error from other
        if network is None:
            raise
        return network


def _indices(model: Model, refused: Mapping[str, str]) -> dict[int, str]:
    """The nodes that are refused, by their place."""
    nodes, _ = live_nodes(model.proto.graph)
    return {
        index: reason
        for index, node in enumerate(nodes)
        for name, reason in refused.items()
        if _is_about(node, name)
    }


def _is_about(node: onnx.NodeProto, name: str) -> bool:
    """Whether a name is that of a node, of what it is defined by, or of one in its graphs."""
    own = node_name(node)
    graphs = (graph for one in node.attribute for graph in (one.g, *one.graphs))
    return (
        own == name
        or name.startswith(f"{own}/")
        or any(_is_about(inner, name) for graph in graphs for inner in graph.node)
    )


def _tensors(node: onnx.NodeProto) -> Iterator[TensorProto]:
    """The arrays in a node, and in graphs within it."""
    for attribute in node.attribute:
        yield from (attribute.t, *attribute.tensors)
        for graph in (attribute.g, *attribute.graphs):
            yield from graph.initializer
            for inner in graph.node:
                yield from _tensors(inner)


def split(
    model: Model, shapes: Mapping[str, int], forced: Mapping[int, str] | None = None
) -> ModuleOp | None:
    """The network with parts on the host; None if all of it could be on the cores.

    `forced` are nodes that are to be on the host, by their place among those that outputs depend
    on, with the reason.
    """
    check_names(model.proto.graph)
    forced = dict(forced or {})
    while True:
        graph = _Split(model, shapes, forced)
        graph.assign()
        if not graph.parts:
            return None
        forced |= (small := graph.islands())
        if not small:
            return graph.module()


_SHARED = NUMBERS - {TensorProto.BFLOAT16}
"""What tensors may hold that cores read in a network of which the host has a part.

The host rounds to bfloat16 after every operator, and cores do not: what both have of such a network
would be neither.
"""


@dataclass
class _HostPart:
    """Nodes on the host that run after one part on the cores, and before the next."""

    nodes: dict[int, nn.HostNode] = field(default_factory=dict[int, nn.HostNode])
    """By their index, in whatever order."""
    copies: dict[str, str] = field(default_factory=dict[str, str])
    """What goes into the cores once more, by the name that it has there."""
    constants: list[str] = field(default_factory=list[str])
    """Outputs of the network that are the same for all images."""


class _Split(Graph):
    """A network whose nodes are on the cores where these can have them, else on the host.

    *Levels* count the turns: the cores compute level 0, 1, ...; the host's part of level -1 comes
    before the first, and that of any other level after the cores' part of that level. A tensor has
    the level of the part that computes it, and inputs of the network have -1. So what a part reads
    is there when its turn comes, whatever the parts are.
    """

    def __init__(self, model: Model, shapes: Mapping[str, int], forced: Mapping[int, str]):
        """`forced` as for `split`."""
        super().__init__(model, shapes, whole=True)
        graph = model.proto.graph
        self.parts: dict[int, _HostPart] = {}
        """The parts on the host by level."""
        self._forced = forced
        self._main = self._block
        self._nodes, used = live_nodes(graph)
        self._used |= used
        self._ports = [info for info in graph.input if info.name not in model.initializers]
        self._outer = {*(info.name for info in self._ports), *model.initializers}
        self._outer.update(*(node.output for node in self._nodes))
        self._now = 0
        """The level that the cores compute."""
        self._level = {info.name: -1 for info in self._ports}
        self._tensors: dict[str, tuple[int, SSAValue]] = {}
        """What the cores compute, and by which node."""
        self._arguments: dict[str, SSAValue] = {}
        """Those of the function by their names."""
        self._entered: dict[str, SSAValue] = {}
        """What the part of the present level reads from outside: arguments of the function."""
        self._left: dict[str, SSAValue] = {}
        """Inputs of the network, and what the cores have computed at levels before."""
        self._node_of: dict[Operation, int] = {}
        self._index = -1
        for input in self.inputs:
            value = self._values.pop(input.name)
            assert isinstance(value, SSAValue)
            self._arguments[input.name] = self._entered[input.name] = value
            self._left[input.name] = value
        types = {info.name: info.type for info in self._ports}
        types |= {
            input.name: helper.make_tensor_type_proto(input.kind, input.shape)
            for input in self.inputs
        }
        self._types = {name: one for name, one in types.items() if name not in self._entered}
        """What ONNX knows of tensors that the host computes, or that only it can read."""
        self._inferred = infer_values(model, types)

    def _is_for_cores(self, info: onnx.ValueInfoProto) -> bool:
        type_ = info.type.tensor_type
        empty = any(dim.HasField("dim_value") and dim.dim_value == 0 for dim in type_.shape.dim)
        is_tensor = info.type.HasField("tensor_type")
        return is_tensor and type_.elem_type in _SHARED and not empty

    # Who computes what

    def assign(self) -> None:
        """Translate what the cores can have, level after level, and leave the rest to the host."""
        pending = dict(enumerate(self._nodes))
        while pending:
            done = [index for index, node in pending.items() if self._try(index, node)]
            if not done:
                node = next(iter(pending.values()))
                lost = next(n for n in sorted(names_read(node)) if n not in self._level)
                raise malformed(node, undefined(lost))
            for index in done:
                del pending[index]
            self._now += 1
            self._entered = {}
            tensors = {n: v for n, v in self._values.items() if isinstance(v, SSAValue)}
            for name in tensors:
                del self._values[name]
            self._left |= tensors
        self._drop_unread_arguments()

    def _try(self, index: int, node: onnx.NodeProto) -> bool:
        """Give a node to the cores or to the host; False if that is to wait for the next level."""
        names = sorted(names_read(node) & self._outer)
        if not all(name in self._level or self._array(name) is not None for name in names):
            return False
        level = max((self._level.get(name, -1) for name in names), default=-1)
        reason = self._forced.get(index) or next(filter(None, map(self._why_not, names)), None)
        if reason is None:
            if any(name in self._types and self._level[name] >= self._now for name in names):
                return False
            reason = self._translate_or_why_not(index, node)
        if reason is None:
            for name in filter(None, node.output):
                if isinstance(value := self._values.get(name), SSAValue):
                    self._level[name] = self._now
                    self._tensors[name] = index, value
            return True
        part = self.parts.setdefault(level, _HostPart())
        part.nodes[index] = nn.HostNode(node.op_type, node_name(node), reason)
        known = {name: self._type_of(name) for name in names}
        arrays = {name: self._array(name) for name in names}
        found = infer_node(self.model, node, known, arrays, self._inferred)
        for name, type_ in found.items():
            shape = static_shape(type_) or ()
            if (elements := prod(shape)) > nn.LARGEST:
                raise malformed(node, f"{name!r}: {nn.too_large(shape, elements)}")
            self._types[name] = type_
            self._level[name] = level
            self._kinds[name] = type_.tensor_type.elem_type
        return True

    def _why_not(self, name: str) -> str | None:
        """Why the cores cannot read a tensor of the host."""
        type_ = self._types.get(name)
        if type_ is None:
            return None
        kind = type_.WhichOneof("value")
        if kind != "tensor_type":
            return f"it reads {name!r}, of {'unknown type' if kind is None else f'a {kind[:-5]}'}"
        if type_.tensor_type.elem_type not in _SHARED:
            return f"it reads {name!r}, which holds {type_name(type_.tensor_type.elem_type)}"
        shape = static_shape(type_)
        if shape is None:
            return f"it reads {name!r}, whose shape depends on data"
        if not 0 < prod(shape) <= nn.LARGEST:
            return f"it reads {name!r} of shape {list(shape)}"
        return None

    def _translate_or_why_not(self, index: int, node: onnx.NodeProto) -> str | None:
        """Translate a node for the cores; where that fails nothing stays of it, but the reason."""
        tables = values, constants, kinds = self._values, self._constants, self._kinds
        sizes = [len(table) for table in tables]
        last, self._index = self._block.last_op, index
        try:
            self._translate_node(node, self.model.opset)
            for info in self.outputs:
                value = self._values.get(info.name) if info.name in node.output else None
                if isinstance(value, SSAValue) and 0 in nn.shape_of(value):
                    raise CmcError(f"output {info.name!r} has no elements")
        except CmcError as error:
            self._values, self._constants, self._kinds = values, constants, kinds
            for table, size in zip(tables, sizes, strict=True):
                while len(table) > size:
                    table.popitem()
            while (op := self._block.last_op) is not last:
                assert op is not None
                op.detach()
                op.erase()
            self._node_of = {op: at for op, at in self._node_of.items() if at != index}
            # What a node is defined by may err where the node does not.
            if isinstance(error, Malformed) and error.node == node_name(node):
                raise
            return error.message
        return None

    def emit(self, op: nn.TensorOp, name: str) -> SSAValue:
        self._node_of[op] = self._index
        return super().emit(op, name)

    # What crosses

    def _find(self, name: str) -> Value | None:
        value = super()._find(name)
        if value is None and name in self._level:
            return self._entered.get(name) or self._enter(name)
        return value

    def kind_of(self, name: str) -> int:
        return self._kinds.get(name, 0) if name in self._level else super().kind_of(name)

    def _enter(self, name: str) -> SSAValue:
        """An argument of the function for a tensor that the part of this level does not compute."""
        if (left := self._left.get(name)) is not None:
            shape = nn.shape_of(left)
        else:
            found = static_shape(self._types[name])
            assert found is not None
            shape = found
        # The block of the moment may be the body of a recurrence.
        argument = self._main.insert_arg(nn.tensor_type(shape), len(self._main.args))
        own = name
        while (
            own in self._arguments or own in self._tensors or (own != name and own in self._outer)
        ):
            own = f"{own}@{self._now}"
        argument.name_hint = hint(own)
        self._arguments[own] = self._entered[name] = argument
        if own != name:
            self.parts.setdefault(self._now - 1, _HostPart()).copies[own] = name
        return argument

    def _drop_unread_arguments(self) -> None:
        passed = {value for _, value in self._tensors.values()}
        for name, argument in list(self._arguments.items()):
            if not argument.uses and argument not in passed:
                assert isinstance(argument, BlockArgument)
                self._block.erase_arg(argument)
                del self._arguments[name]
                for part in self.parts.values():
                    part.copies.pop(name, None)

    def _array(self, name: str) -> Array | None:
        value = super()._find(name)
        return None if isinstance(value, SSAValue) else value

    def _type_of(self, name: str) -> TypeProto:
        """What is known of a tensor, whoever computes it."""
        if (type_ := self._types.get(name)) is not None:
            return type_
        if (array := self._array(name)) is not None:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            return helper.make_tensor_type_proto(kind, array.shape)
        value = self._tensors[name][1] if name in self._tensors else self._left[name]
        kind = self._kinds.get(name) or self._inferred.get(name, TypeProto()).tensor_type.elem_type
        return helper.make_tensor_type_proto(kind or TensorProto.FLOAT, nn.shape_of(value))

    # Parts on the cores that are not worth it

    def islands(self) -> dict[int, str]:
        """Nodes that the cores could have, but had better not, with the reason."""
        small = self._without_matrices()
        for name in self._wanted():
            index, value = self._tensors[name]
            if isinstance(value, BlockArgument):
                small[index] = "it only passes on what it reads, and the host reads that"
        return small

    def _without_matrices(self) -> dict[int, str]:
        """What reads tensors of the host, and is in no part of the cores that has a matrix."""
        parents: dict[int, int] = {}

        def root(index: int) -> int:
            while (parent := parents.get(index, index)) != index:
                index = parent
            return index

        own = {input.name for input in self.inputs}
        inputs = {value for name, value in self._arguments.items() if name in own}
        late: set[int] = set()
        useful: set[int] = set()
        for op, index in self._node_of.items():
            for operand in op.operands:
                if isinstance(operand, BlockArgument):
                    outside = operand.block is self._main and operand not in inputs
                    late |= {index} if outside else set()
                elif not isinstance(operand.owner, nn.ConstantOp):
                    assert isinstance(operand.owner, Operation)
                    parents[root(index)] = root(self._node_of[operand.owner])
            if isinstance(op, nn.ConvOp | nn.MatMulOp) and any(
                isinstance(operand.owner, nn.ConstantOp) for operand in op.operands
            ):
                useful.add(index)
        small = set(map(root, late)) - set(map(root, useful))
        reason = "the host computes what it reads, and it is in no part with a matrix"
        return {index: reason for index in self._node_of.values() if root(index) in small}

    # The module

    def module(self) -> ModuleOp:
        """The parts on the host, the function of what the cores compute, and the interface."""
        for info in self.outputs:
            if info.name not in self._level:
                if self._array(info.name) is None:
                    raise CmcError("no node or input defines it", f"output {info.name!r}")
                self.parts.setdefault(-1, _HostPart()).constants.append(info.name)
            elif info.name in self._tensors:
                self._check_declared(info, nn.shape_of(self._tensors[info.name][1]))
        function = self._function()
        models = self._models(function)
        ops: list[Operation] = [
            nn.InterfaceOp(
                (info.name for info in self._ports), (info.name for info in self.outputs)
            )
        ]
        for number, (level, model) in enumerate(models.items()):
            try:
                Evaluator(model)
            except CmcError as error:
                raise _HostRefuses(error.message) from error
            nodes = [node for _, node in sorted(self.parts[level].nodes.items())]
            ops.append(nn.HostOp(f"host{number}", model, nodes))
        if function is not None:
            ops.insert(2 if -1 in models else 1, function)
        return ModuleOp(ops)

    def _wanted(self) -> list[str]:
        """What the function returns: tensors of the cores that are wanted elsewhere."""
        read = {info.name for info in self.outputs}
        for part in self.parts.values():
            read.update(*(names_read(self._nodes[index]) for index in part.nodes))
            read.update(part.copies.values())
        return [name for name in self._tensors if name in read]

    def _function(self) -> FuncOp | None:
        """What the cores compute; None if that is nothing."""
        wanted = self._wanted()
        if not wanted:
            return None
        values = [self._tensors[name][1] for name in wanted]
        self._block.add_op(ReturnOp(*values))
        return FuncOp(
            "main",
            (self._block.arg_types, [value.type for value in values]),
            Region(self._block),
            arg_attrs=port_names(
                self._arguments, self.bounds(dict(zip(wanted, values, strict=True)))
            ),
            res_attrs=port_names(wanted),
        )

    def _models(self, function: FuncOp | None) -> dict[int, onnx.ModelProto]:
        """The models of the parts on the host, by level."""
        written = {level: set(self._written(part)) for level, part in self.parts.items()}
        arguments = set[str]() if function is None else set(self._arguments)
        models: dict[int, onnx.ModelProto] = {}
        for level, part in sorted(self.parts.items()):
            own = written[level]
            elsewhere = {*arguments, *(info.name for info in self.outputs)}
            elsewhere.update(*(self._reads(p) for at, p in self.parts.items() if at != level))
            read = [name for name in self._reads(part) if name not in own]
            constants = [name for name in read if name not in self._level]
            inputs = [name for name in read if name in self._level]
            models[level] = self._model(part, inputs, constants, sorted(own & elsewhere))
        self._add_unread(models, arguments)
        return models

    def _add_unread(self, models: dict[int, onnx.ModelProto], arguments: set[str]) -> None:
        """Let the first part take the inputs of the network that nobody reads."""
        read = {info.name for model in models.values() for info in model.graph.input} | arguments
        first = models[min(models)]
        for info in self._ports:
            if info.name not in read:
                first.graph.input.append(self._value_info(info.name))

    def _reads(self, part: _HostPart) -> list[str]:
        names = {*part.copies.values()}
        names.update(*(names_read(self._nodes[index]) & self._outer for index in part.nodes))
        return sorted(names)

    def _written(self, part: _HostPart) -> Iterator[str]:
        for index in part.nodes:
            yield from filter(None, self._nodes[index].output)
        yield from (*part.copies, *part.constants)

    def _model(
        self,
        part: _HostPart,
        inputs: Iterable[str],
        constants: Iterable[str],
        outputs: Iterable[str],
    ) -> onnx.ModelProto:
        nodes = [
            helper.make_node("Constant", [], [name], value=self._tensor(name))
            for name in part.constants
        ]
        nodes += [self._whole(self._nodes[index]) for index in sorted(part.nodes)]
        nodes += [helper.make_node("Identity", [old], [new]) for new, old in part.copies.items()]
        graph = helper.make_graph(
            nodes,
            "host",
            [self._value_info(name) for name in inputs],
            [self._value_info(part.copies.get(name, name), name) for name in outputs],
            [self._tensor(name) for name in constants],
        )
        return helper.make_model(
            graph,
            opset_imports=self.model.proto.opset_import,
            ir_version=self.model.proto.ir_version,
        )

    def _whole(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """A node with a name, and with all arrays of graphs in it that lie in other files."""
        result = onnx.NodeProto()
        result.CopyFrom(node)
        result.name = node_name(node)
        for tensor in _tensors(result):
            if uses_external_data(tensor):
                try:
                    array = self.model.array(tensor)
                except CmcError as error:
                    raise malformed(node, error.message) from error
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        return result

    def _tensor(self, name: str) -> TensorProto:
        array = self._array(name)
        assert array is not None
        return numpy_helper.from_array(array, name)

    def _value_info(self, name: str, new: str | None = None) -> onnx.ValueInfoProto:
        return onnx.ValueInfoProto(name=new or name, type=self._type_of(name))
