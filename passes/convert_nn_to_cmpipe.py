# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`convert-nn-to-cmpipe`: cut a network into stages, one core each.

An operator with a domain of its own begins a stage; elementwise operators join the stage that
computes one of their operands, as long as nothing else wants what lies between; views, among them
concatenations, cost nothing and become part of the accesses of whoever reads through them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import islpy as isl
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ModuleOp,
    NameLoc,
    StringAttr,
    TensorType,
    f32,
)
from xdsl.ir import Block, BlockArgument, Operation, Region, SSAValue, Use
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from cmc.diagnostics import onnx_node
from cmc.dialects import nn
from cmc.dialects.cmpipe import (
    CoreOp,
    InputOp,
    JoinOp,
    ObjectOp,
    OutputOp,
    PipelineOp,
    StageOp,
    WriteOp,
    object_type,
)
from cmc.dialects.poly import MapAttr, SetAttr
from cmc.errors import CmcError
from cmc.passes.on_target import target_attribute
from cmc.poly.relations import box
from cmc.semantics.builder import HELD_NAMES, StageBuilder, same_filling
from cmc.semantics.cones import Cone, cones
from cmc.semantics.elementwise import ELEMENTWISE, operand
from cmc.semantics.stages import STAGES
from cmc.semantics.tensors import (
    Floats,
    Layout,
    View,
    hull,
    states_of_network,
    steps_along,
    tensor_names,
)
from cmc.semantics.views import VIEWS

_ISL_WORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "exists",
        "mod",
        "floor",
        "ceil",
        "floord",
        "ceild",
        "min",
        "max",
        "div",
        "true",
        "false",
        "infty",
        "nan",
        "implies",
        "rat",
        "no",
        "such",
    ]
)


class _Names:
    """Symbols that are also names in isl: made from whatever the network calls things."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def make(self, wanted: str) -> str:
        name = re.sub(r"\W+", "_", wanted.split(";")[-1], flags=re.ASCII).strip("_")[-40:]
        if not name or not name[0].isalpha() or name.lower() in _ISL_WORDS:
            name = f"n{name}"
        unique, count = name, 1
        while unique in self._taken or HELD_NAMES.fullmatch(unique):
            count += 1
            unique = f"{name}_{count}"
        self._taken.add(unique)
        return unique


def _wanted_name(op: Operation) -> str:
    if isinstance(op.location, NameLoc):
        return op.location.desc.data
    return op.name.partition(".")[2]


@dataclass
class _Open:
    """A stage whose body still grows: the tensors that it has computed and not yet passed on."""

    builder: StageBuilder
    op: Operation
    live: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])


class _Partition:
    """One walk over a network, in order, that leaves the parts of a pipeline behind."""

    def __init__(self) -> None:
        self.names = _Names()
        self.objects: list[Operation] = []
        self.ports: list[Operation] = []
        self.stages: list[Operation] = []
        self.cores: list[Operation] = []
        self._views: dict[SSAValue, View] = {}
        self._constants: dict[SSAValue, Floats] = {}
        self._open: dict[SSAValue, _Open] = {}
        self._position: dict[Operation, int] = {}
        self._preferred: Mapping[SSAValue, int | None] = {}
        self._kept_for: dict[SSAValue, tuple[str, Layout]] = {}
        """Where the states of recurrences lie."""

    # What a stage may ask: `cmc.semantics.builder.Tensors`.

    def constant(self, value: SSAValue) -> Floats | None:
        if isinstance(value.owner, nn.ConstantOp):
            return value.owner.value.array
        return self._constants.get(value)

    def view(self, value: SSAValue) -> View:
        stage = self._open.get(value)
        if stage is not None:
            self._close(stage, value)
        array = self.constant(value)
        return self._views[value] if array is None else View.constant(array)

    def stored(self, value: SSAValue) -> View:
        view = self.view(value)
        if view.object is None:
            layout = Layout(view.shape, _channel(view))
            assert isinstance(value.owner, Operation)
            builder = StageBuilder(self.names.make(_wanted_name(value.owner)), layout, self)
            copy = builder.read(value, layout.coordinates(), {"c": layout.vector})
            view = self._finish(builder, copy, value.owner)
            self._views[value] = view
        return view

    # The walk.

    def run(self, network: func.FuncOp) -> None:
        block = network.body.block
        self._position = {op: i for i, op in enumerate(nn.operations(block))}
        names = tensor_names(network.arg_attrs, len(block.args), "input")
        self._preferred = _preferred_channels(block)
        states = states_of_network(network)
        for argument, name in zip(block.args, names, strict=True):
            self._input(argument, name, self._preferred[argument], states.get(name))
            if network.arg_attrs is not None:
                attributes = network.arg_attrs.data[argument.index].data
                if (most := attributes.get(nn.LARGEST_INTEGER)) is not None:
                    self.ports[-1].attributes[nn.LARGEST_INTEGER] = most
        for op in block.ops:
            if isinstance(op, func.ReturnOp):
                names = tensor_names(network.res_attrs, len(op.arguments), "output")
                for value, name in zip(op.arguments, names, strict=True):
                    self._output(value, name)
            elif not isinstance(op, nn.ConstantOp):
                self._convert(op)

    def _convert(self, op: Operation) -> None:
        try:
            if any(0 in nn.shape_of(result) for result in op.results):
                raise CmcError("its result has no elements")
            if type(op) in VIEWS:
                self._view(op)
            elif type(op) in ELEMENTWISE:
                self._elementwise(op)
            elif type(op) in STAGES:
                self._stage(op)
            elif isinstance(op, nn.RecurrenceOp):
                self._recurrence(op)
            else:
                raise CmcError(f"{op.name} cannot become a stage of a pipeline")
        except CmcError as error:
            if error.where is None:
                raise CmcError(error.message, f"'{_wanted_name(op)}'", onnx_node(op)) from error
            raise

    def _input(
        self, argument: BlockArgument, tensor_name: str, channel: int | None, state: str | None
    ) -> None:
        shape = nn.shape_of(argument)
        layout = Layout(shape, _default_channel(shape) if channel is None else channel)
        name = self._object(self.names.make(tensor_name), layout)
        self._views[argument] = View.whole(name, layout)
        stream, tensor = self.names.make(f"{name}_stream"), TensorType(f32, shape)
        places = MapAttr(layout.to_object())
        given = None if state is None else StringAttr(state)
        self.ports.append(InputOp(stream, tensor_name, name, places, tensor, given))

    def _output(self, value: SSAValue, tensor_name: str) -> None:
        view = self.stored(value)
        assert view.object is not None
        tensor, layout = TensorType(f32, view.shape), MapAttr(view.parts[0].simple)
        self.ports.append(OutputOp(tensor_name, view.object, layout, tensor))

    def _view(self, op: Operation) -> None:
        places, pad = VIEWS[type(op)].places(op)
        views = [self.view(value) for value in op.operands]
        pads = [pad, *(view.pad for view in views)]
        filling = next((value for value in pads if value is not None), None)
        for number, view in enumerate(views):
            if view.pad is not None and not same_filling(view.pad, filling or 0.0):
                views[number] = self.stored(op.operands[number])
        view = View.through(views, places, nn.shape_of(op.results[0]), filling)
        array = view.array()
        if array is None:
            self._views[op.results[0]] = view
        else:
            self._constants[op.results[0]] = array

    def _elementwise(self, op: Operation) -> None:
        result = op.results[0]
        stage = self._stage_to_join(op)
        if stage is None:
            layout = self._layout_like(op)
            stage = _Open(StageBuilder(self.names.make(_wanted_name(op)), layout, self), op)
        values = [
            stage.live[value] if value in stage.live else operand(stage.builder, value)
            for value in op.operands
        ]
        self._computed(op, stage, ELEMENTWISE[type(op)].emit(op, stage.builder, values))
        for value in set(op.operands):
            if value in stage.live and self._spent(value, op):
                del stage.live[value]
                del self._open[value]
        if len(stage.live) == 1 and not self._joins(result):
            self._close(stage, result)

    def _stage(self, op: Operation) -> None:
        operator = STAGES[type(op)]
        channel = operator.channel(op)
        layout = (
            self._layout_like(op)
            if channel is None
            else Layout(nn.shape_of(op.results[0]), channel)
        )
        stage = _Open(StageBuilder(self.names.make(_wanted_name(op)), layout, self), op)
        self._computed(op, stage, operator.body(op, stage.builder))
        if not self._joins(op.results[0]):
            self._close(stage, op.results[0])

    def _recurrence(self, op: nn.RecurrenceOp) -> None:
        """Stages that read what they write, or others after them, a step before."""
        shape, channel = nn.shape_of(op.result), self._preferred.get(op.before)
        layout = Layout(shape, len(shape) - 1 if channel is None else channel)
        name = self._object(self.names.make(f"{_wanted_name(op)}_state"), layout)
        states = View.whole(name, layout)
        self._views[op.before] = self._before(op, states)
        self._kept_for[op.after] = name, layout
        stages = cones(op.body.block, layout.channel)
        for inner in op.body.block.ops:
            if inner in stages:
                self._cone(stages[inner])
            elif type(inner) in VIEWS:
                self._view(inner)
        if op.after in self._kept_for:
            builder = StageBuilder(self.names.make(_wanted_name(op)), layout, self)
            copy = builder.read(op.after, layout.coordinates(), {"c": layout.vector})
            self._finish(builder, copy, op, op.after)
        self._views[op.result] = states

    def _before(self, op: nn.RecurrenceOp, states: View) -> View:
        """The states before each step: those of the step before, or the initial one."""
        axes = [f"t{axis}" for axis in range(len(states.shape))]
        given, inner = ", ".join(axes), "".join(f", {axis}" for axis in axes[1:])
        shifted = isl.Map(f"{{ [{given}] -> [t0 - 1{inner}] }}")
        initial = self.constant(op.initial)
        if initial is not None and not initial.any():
            return View.through([states], [shifted], states.shape, 0.0)
        first = self.view(op.initial)
        if first.pad is not None:
            first = self.stored(op.initial)
        same = isl.Map(f"{{ [{given}] -> [{given}] }}")
        return View.through([first, states], [same, shifted], states.shape, None)

    def _cone(self, cone: Cone) -> None:
        """One stage for several operators."""
        root, shape = cone.root, cone.shape
        channel = None if cone.stage is None else STAGES[type(cone.stage)].channel(cone.stage)
        if channel is None:
            kept = self._kept_for.get(root.results[0])
            channel = len(shape) - 1 if kept is None else kept[1].channel
        first = cone.stage or cone.operators[0]
        builder = StageBuilder(self.names.make(_wanted_name(first)), Layout(shape, channel), self)
        live: dict[SSAValue, SSAValue] = {}
        for op in cone.operators:
            if type(op) in STAGES:
                live[op.results[0]] = STAGES[type(op)].body(op, builder)
                continue
            values = [
                live[value] if value in live else operand(builder, value) for value in op.operands
            ]
            if cone.joined and op is root:
                live[op.results[0]] = builder.add(JoinOp(values))
            else:
                live[op.results[0]] = ELEMENTWISE[type(op)].emit(op, builder, values)
        result = root.results[0]
        self._views[result] = self._finish(builder, live[result], root, result)

    def _computed(self, op: Operation, stage: _Open, vector: SSAValue) -> None:
        stage.live[op.results[0]] = vector
        self._open[op.results[0]] = stage

    def _done(self, user: Operation, now: Operation) -> bool:
        return self._position[user] <= self._position[now]

    def _spent(self, value: SSAValue, now: Operation) -> bool:
        """Whether no operation after `now` uses a tensor."""
        return all(self._done(use.operation, now) for use in value.uses)

    def _layout_like(self, op: Operation) -> Layout:
        """A layout for a result that is cut as the first operand of its rank is.

        Where all operands broadcast, it is cut as the first user that minds would like it.
        """
        shape = nn.shape_of(op.results[0])
        wanted = self._preferred.get(op.results[0])
        if wanted is not None and all(nn.shape_of(value) != shape for value in op.operands):
            return Layout(shape, wanted)
        for value in op.operands:
            if self.constant(value) is None and len(nn.shape_of(value)) == len(shape):
                return Layout(shape, _channel(self.view(value)))
        return Layout(shape, _default_channel(shape))

    def _stage_to_join(self, op: Operation) -> _Open | None:
        """The open stage that an elementwise operator can join: the latest of its operands'."""
        shape = nn.shape_of(op.results[0])
        stages = [
            self._open[value]
            for value in op.operands
            if value in self._open and nn.shape_of(value) == shape
        ]
        return max(stages, key=lambda s: (len(s.live) > 1, self._position[s.op]), default=None)

    def _joins(self, value: SSAValue) -> bool:
        """Whether all users of a tensor are elementwise, and all that they compute meets again."""
        front = {value}
        shape = nn.shape_of(value)
        users = sorted({use.operation for use in value.uses}, key=lambda o: self._position[o])
        while users:
            op = users.pop(0)
            if isinstance(op.parent_op(), nn.RecurrenceOp):
                return False
            if type(op) not in ELEMENTWISE or nn.shape_of(op.results[0]) != shape:
                return False
            for other in op.operands:
                if other not in front and not self._known_before(other, value):
                    return False
            front.add(op.results[0])
            front = {v for v in front if v is op.results[0] or not self._spent(v, op)}
            if len(front) == 1:
                return True
            users = sorted(
                {u.operation for v in front for u in v.uses if not self._done(u.operation, op)},
                key=lambda o: self._position[o],
            )
        return False

    def _known_before(self, other: SSAValue, value: SSAValue) -> bool:
        if isinstance(other, BlockArgument) or self.constant(other) is not None:
            return True
        assert isinstance(other.owner, Operation) and isinstance(value.owner, Operation)
        return self._position[other.owner] < self._position[value.owner]

    def _close(self, stage: _Open, value: SSAValue) -> None:
        assert list(stage.live) == [value], "a stage computes one tensor"
        del self._open[value]
        self._views[value] = self._finish(stage.builder, stage.live.pop(value), stage.op)

    def _finish(
        self, builder: StageBuilder, vector: SSAValue, op: Operation, value: SSAValue | None = None
    ) -> View:
        """Write what the stage computes to an object, and put the stage on a core of its own.

        It is the object that is there for `value`, if it is cut so, or one of its own.
        """
        layout = builder.layout
        if value is not None:
            layout = Layout(nn.shape_of(value), layout.channel)
        kept = None if value is None else self._kept_for.get(value)
        if kept is not None and kept[1] == layout:
            assert value is not None
            object, _ = self._kept_for.pop(value)
        else:
            object = self._object(self.names.make(f"{builder.name}_out"), layout)
        names = ", ".join(layout.names)
        places = MapAttr(isl.Map(f"{{ [{names}] -> [{names}] }}"))
        builder.ops.append(WriteOp(vector, object, places))
        body = Region(Block([*builder.held, *builder.ops]))
        stage = StageOp(builder.name, SetAttr(builder.domain), body)
        core = CoreOp(self.names.make(f"core{len(self.cores)}"), [builder.name])
        stage.location = core.location = op.location
        self.stages.append(stage)
        self.cores.append(core)
        return View.whole(object, layout)

    def _object(self, name: str, layout: Layout) -> str:
        self.objects.append(ObjectOp(name, object_type(layout.index_shape, layout.vector)))
        return name


def _default_channel(shape: tuple[int, ...]) -> int:
    return 1 if len(shape) > 2 else max(len(shape) - 1, 0)


def _channel(view: View) -> int:
    channel = view.channel_axis()
    return _default_channel(view.shape) if channel is None else channel


def _preferred_channels(block: Block) -> dict[SSAValue, int | None]:
    """The axis along which the first user that minds would like each tensor to be cut.

    Of the inputs, and of what is moved and computed element by element of them.
    """
    # Users come after what they use: what they would like is known when going backwards.
    reached: dict[SSAValue, None] = dict.fromkeys(block.args)
    for op in nn.operations(block):
        if isinstance(op, nn.RecurrenceOp):
            reached[op.before] = None
        if type(op) in VIEWS or type(op) in ELEMENTWISE:
            reached |= dict.fromkeys(op.results if reached.keys() & op.operands else ())
    channels: dict[SSAValue, int | None] = {}
    for value in reversed(reached):
        wanted = (_wanted_channel(use, channels) for use in value.uses)
        channels[value] = next((channel for channel in wanted if channel is not None), None)
    return channels


def _wanted_channel(use: Use, channels: Mapping[SSAValue, int | None]) -> int | None:
    """The axis along which one user would like its operand to be cut, given that of its result."""
    op = use.operation
    if type(op) in STAGES:
        return STAGES[type(op)].operand_channel(op) if use.index == 0 else None
    if isinstance(op, nn.YieldOp):
        return len(nn.shape_of(op.state)) - 1
    after = channels.get(op.results[0]) if op.results else None
    if after is None:
        return None
    shape = nn.shape_of(op.results[0])
    if type(op) in ELEMENTWISE:
        return after if shape == nn.shape_of(op.operands[use.index]) else None
    places, _ = VIEWS[type(op)].places(op)
    function = places[use.index]
    if len(places) == 1:
        return steps_along(function, [range(extent) for extent in shape], after)
    seen = function.intersect_range(box(nn.shape_of(op.operands[use.index]))).domain()
    return steps_along(function, hull(seen.intersect(box(shape))), after)


def _is_network(function: func.FuncOp) -> bool:
    """Whether a function computes with tensors of a network, or at least passes one through."""
    named = () if function.arg_attrs is None else function.arg_attrs
    return any("nn.name" in attributes.data for attributes in named) or any(
        isinstance(op, nn.TensorOp) for op in function.walk()
    )


@dataclass(frozen=True)
class ConvertNnToCmpipePass(ModulePass):
    """Turn every function of `nn` operators into a pipeline.

    `target` is what the pipelines are for: a preset, or a file that describes it.
    """

    name = "convert-nn-to-cmpipe"

    target: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = None if self.target is None else target_attribute(self.target)
        for network in list(op.ops):
            if isinstance(network, func.FuncOp) and _is_network(network):
                partition = _Partition()
                partition.run(network)
                parts = [
                    *partition.objects,
                    *partition.ports,
                    *partition.stages,
                    *partition.cores,
                ]
                pipeline = PipelineOp(network.sym_name.data, Region(Block(parts)), target)
                Rewriter.replace_op(network, pipeline)
