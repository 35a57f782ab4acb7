# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Loop, as ONNX defines what it gives of all its turns."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from onnx.reference.ops import op_loop

_Body = Callable[..., Sequence[object]]
"""What computes one turn."""

_concatenate = cast(Callable[..., tuple[object, ...]], vars(op_loop.Loop)["_run"])


class Loop(op_loop.Loop):
    """That of onnx's evaluator, which concatenates what turns give: ONNX stacks it."""

    op_domain = ""

    def _run(self, *args: object, **kwargs: object) -> tuple[object, ...]:
        run_body = cast(_Body, self._run_body)
        turns: list[Sequence[object]] = []

        def record(*args: object, **kwargs: object) -> Sequence[object]:
            turns.append(run_body(*args, **kwargs))
            return turns[-1]

        self._run_body = record
        try:
            results = _concatenate(self, *args, **kwargs)
        finally:
            self._run_body = run_body
        carried = len(results) - self.K
        stacked = [
            np.stack([cast(ArrayLike, turn[1 + carried + k]) for turn in turns])
            for k in range(self.K)
        ]
        return (*results[:carried], *stacked)
