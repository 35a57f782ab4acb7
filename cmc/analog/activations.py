# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Vectors on their way between cores, as numbers of few bits."""

from __future__ import annotations

import numpy as np

from cmc.analog.devices import Floats


def round_vectors(vectors: Floats, codes: int) -> None:
    """Round vectors, `[..., floats]`, in place, to so many codes on each side of 0.

    The largest magnitude in each vector is the largest code.
    """
    from cmc.analog.kernel import round_rows

    rows = np.ascontiguousarray(vectors).reshape(-1, vectors.shape[-1])
    round_rows(rows, rows.view(np.int32), codes)
    if not np.may_share_memory(rows, vectors):
        vectors[...] = rows.reshape(vectors.shape)
