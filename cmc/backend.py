# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The cores as a backend of onnx: `onnx.backend.base.Backend`, and its tests, can use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import helper
from onnx.backend.base import Backend, BackendRep
from onnx.defs import get_schema, onnx_opset_version
from onnx.shape_inference import infer_node_outputs

from cmc.session import Array, InferenceSession
from cmc.targets import IDEAL


class CmcBackendRep(BackendRep):
    """A network that is ready to run."""

    def __init__(self, session: InferenceSession):
        self.session = session

    def run(self, inputs: object, **kwargs: object) -> tuple[object, ...]:
        """All outputs for the inputs, in their order, by their names, or the only one."""
        names = [one.name for one in self.session.get_inputs()]
        if isinstance(inputs, Mapping):
            feeds = cast(Mapping[str, object], inputs)
        elif isinstance(inputs, list | tuple):
            given = cast(Sequence[object], inputs)
            feeds = dict(zip(names, given, strict=True))
        else:
            feeds = dict(zip(names, [inputs], strict=True))
        return tuple(self.session.run(None, feeds))


class CmcBackend(Backend):
    """Networks on simulated cores, and on the host what no core can have."""

    @classmethod
    def prepare(
        cls,
        model: onnx.ModelProto,
        device: str = "CPU",
        target: str = IDEAL.name,
        host: bool = True,
        **kwargs: object,
    ) -> CmcBackendRep:
        """CmcError for a model that cannot be compiled; `target` and `host` as for a session."""
        return CmcBackendRep(InferenceSession(model, target=target, host=host))

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: object, device: str = "CPU", **kwargs: object
    ) -> tuple[object, ...]:
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Sequence[object],
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[np.generic], tuple[int, ...]]] | None = None,
        **kwargs: object,
    ) -> tuple[object, ...]:
        """Compile and run one node; `opset_version` is the newest if it is not given."""
        opset = int(cast(int, kwargs.pop("opset_version", onnx_opset_version())))
        names = [name for name in node.input if name]
        arrays = [np.asarray(cast(ArrayLike, value)) for value in inputs]
        feeds: dict[str, Array] = dict(zip(names, arrays, strict=True))
        types = {
            name: helper.make_tensor_type_proto(
                helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in feeds.items()
        }
        opsets = [helper.make_opsetid(node.domain, opset)]
        if outputs_info is None:
            schema = get_schema(node.op_type, opset, node.domain)
            results = infer_node_outputs(schema, node, types, opset_imports=opsets)
        else:
            results = {
                name: helper.make_tensor_type_proto(
                    helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape
                )
                for name, (dtype, shape) in zip(node.output, outputs_info, strict=True)
            }
        graph = helper.make_graph(
            [node],
            "node",
            [onnx.ValueInfoProto(name=name, type=type_) for name, type_ in types.items()],
            [onnx.ValueInfoProto(name=n, type=results[n]) for n in node.output if n in results],
        )
        return cls.run_model(
            helper.make_model(graph, opset_imports=opsets), feeds, device, **kwargs
        )

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only the processor, which simulates the cores."""
        return device.partition(":")[0] == "CPU"


is_compatible = CmcBackend.is_compatible
prepare = CmcBackend.prepare
run_model = CmcBackend.run_model
run_node = CmcBackend.run_node
supports_device = CmcBackend.supports_device
