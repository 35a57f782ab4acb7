# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What is used of onnxruntime, which comes without types.
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__version__: str

class GraphOptimizationLevel:
    ORT_DISABLE_ALL: GraphOptimizationLevel

class SessionOptions:
    graph_optimization_level: GraphOptimizationLevel
    log_severity_level: int
    intra_op_num_threads: int
    inter_op_num_threads: int

class NodeArg:
    name: str
    shape: list[int | str | None]
    type: str

class InferenceSession:
    def __init__(
        self,
        path_or_bytes: str | bytes,
        sess_options: SessionOptions | None = None,
        providers: Sequence[str] | None = None,
    ) -> None: ...
    def get_inputs(self) -> list[NodeArg]: ...
    def get_outputs(self) -> list[NodeArg]: ...
    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, object]
    ) -> list[NDArray[np.float32]]: ...
