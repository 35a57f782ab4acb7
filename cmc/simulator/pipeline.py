# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a pipeline computes, without control: stage after stage, each over all its iterations."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import ModuleOp

from cmc.diagnostics import operation_error
from cmc.dialects.cmpipe import PipelineOp, states_of
from cmc.errors import CmcError
from cmc.simulator.blas import one_thread
from cmc.simulator.bulk import Values
from cmc.simulator.gather import Floats
from cmc.simulator.load import load_pipeline
from cmc.simulator.ports import port_shapes
from cmc.streams import Shapes
from cmc.track import Track, no_track


class Pipeline:
    """The stages of a pipeline that verifies, for streams of images."""

    def __init__(self, op: PipelineOp):
        self._op = op
        if not self.inputs or not self.outputs:
            raise operation_error(op, "has no input, or no output")
        self._values = Values(load_pipeline(op))

    @property
    def inputs(self) -> Shapes:
        """The shape of one image by input name, without the axis that counts the images."""
        return port_shapes(self._op.inputs())

    @property
    def outputs(self) -> Shapes:
        """The shape of one image's result by output name."""
        return port_shapes(self._op.outputs())

    @property
    def states(self) -> dict[str, str]:
        """The outputs of the image before that inputs are, by the names of these."""
        return states_of(self._op.inputs())

    def run(self, inputs: Mapping[str, Floats], track: Track = no_track) -> dict[str, Floats]:
        """The outputs of a stream: of inputs as of outputs, the leading axis counts the images."""
        with one_thread():
            return self._values(inputs, track)


def pipeline_of(module: ModuleOp) -> PipelineOp:
    """The one pipeline of a module."""
    pipelines = [op for op in module.ops if isinstance(op, PipelineOp)]
    if len(pipelines) != 1:
        raise CmcError(f"expected one cmpipe.pipeline in the module, and found {len(pipelines)}")
    return pipelines[0]
