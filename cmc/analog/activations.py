# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Vectors on their way between cores, as numbers of few bits."""

from __future__ import annotations

import numpy as np

from cmc.analog.devices import Floats

_LARGEST = np.finfo(np.float32).max


def round_vectors(vectors: Floats, codes: int) -> None:
    """Round vectors, `[..., floats]`, in place, to so many codes on each side of 0.

    The largest magnitude in each vector is the largest code.
    """
    tops = np.abs(vectors).max(-1, keepdims=True)
    steps = np.minimum(tops, _LARGEST) / np.float32(codes)
    steps[steps == 0] = 1
    np.divide(vectors, steps, vectors)
    np.rint(vectors, vectors)
    np.multiply(vectors, steps, vectors)
