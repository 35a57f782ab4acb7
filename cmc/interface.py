# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What goes into a network and what comes out, whatever has become of it."""

from collections.abc import Mapping
from functools import cached_property

from numpy.typing import ArrayLike
from xdsl.dialects.builtin import ModuleOp

from cmc.dialects.cmctrl import ChipOp, GcuOp
from cmc.dialects.cmpipe import PipelineOp, states_of
from cmc.host.turns import NOTHING, Cores, Turns
from cmc.simulator.ports import largest_integers, port_shapes
from cmc.streams import Shapes, Stream, check_magnitudes, check_stream


class Interface:
    """The inputs and outputs of a network in stages, or on a chip, with what is on the host."""

    module: ModuleOp
    """A pipeline or a chip, and parts on the host."""

    def __init__(self, module: ModuleOp):
        self.module = module

    @property
    def inputs(self) -> Shapes:
        """The shape of one image by input name, without the axis that counts the images."""
        return self._cores.inputs if self._turns is None else self._turns.inputs(self._cores)

    @property
    def outputs(self) -> Shapes:
        """The shape of one image's result by output name; -1 for what depends on the image."""
        return self._cores.outputs if self._turns is None else self._turns.outputs(self._cores)

    @property
    def states(self) -> dict[str, str]:
        """The outputs of the image before that inputs are, by the names of these.

        In a stream, such an input is given for the first image alone; it is zeros if it is not.
        """
        return {} if self._gate is None else states_of(self._gate.inputs())

    @property
    def has_host(self) -> bool:
        """Whether the host computes parts of the network."""
        return self._turns is not None

    def check(self, arrays: Mapping[str, ArrayLike]) -> None:
        """CmcError for arrays that are no streams of the inputs, `[images, ...]` each."""
        if self._turns is None:
            self._entering(check_stream(self.inputs, arrays, self.states))
        else:
            self._entering(self._turns.streams(arrays, self._cores)[0])

    def _entering(self, stream: Stream) -> Stream:
        """A stream of what the cores read; CmcError where its integers are too large for them."""
        largest = largest_integers(() if self._gate is None else self._gate.inputs())
        check_magnitudes(stream, {name: largest[name] for name in largest if name in stream})
        return stream

    @cached_property
    def _turns(self) -> Turns | None:
        turns = Turns.of(self.module)
        if turns is not None:
            turns.check(self._cores)
        return turns

    @cached_property
    def _cores(self) -> Cores:
        if self._gate is None:
            return NOTHING
        return Cores(port_shapes(self._gate.inputs()), port_shapes(self._gate.outputs()))

    @property
    def _gate(self) -> PipelineOp | GcuOp | None:
        """Where what the cores read goes in; None if nothing of the network is on the cores."""
        for op in self.module.ops:
            if isinstance(op, ChipOp | PipelineOp):
                return op.gcu if isinstance(op, ChipOp) else op
        return None
