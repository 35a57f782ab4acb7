# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Normal numbers that have addresses, so that they do not depend on who asks for them, and when."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_WORDS = 4
"""Words of 64 bits that the generator makes of one count."""


class Normals:
    """Standard normal numbers in endless rows, the same ones for the same address.

    Philox (J. Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011) makes words of a
    key, which is the address, and of a count, which is the row; G. Box and M. Muller (A Note on the
    Generation of Random Normal Deviates, 1958) make two normal numbers of the halves of each word.
    None is beyond 6.7.
    """

    def __init__(self, *address: str | int):
        self._key = int.from_bytes(blake2b(repr(address).encode(), digest_size=16).digest())

    def rows(self, first: int, count: int, columns: int) -> NDArray[np.float32]:
        """Some rows from the `first` on, `[count, columns]`; rows are always of so many columns."""
        counts = -(-columns // (2 * _WORDS))
        generator = np.random.Philox(key=self._key, counter=first * counts)
        raw = np.asarray(generator.random_raw(count * counts * _WORDS), np.uint64)
        halves = raw.astype("<u8", copy=False).view("<u4")
        lengths, angles = (halves[side::2].astype(np.float32) for side in (0, 1))
        lengths += np.float32(0.5)
        lengths *= np.float32(2.0**-32)
        np.log(lengths, lengths)
        lengths *= np.float32(-2)
        # A half next to 2^32 is rounded up to it.
        np.sqrt(np.maximum(lengths, 0, out=lengths), lengths)
        angles *= np.float32(2 * np.pi * 2.0**-32)
        normals = np.empty((count, 2, counts * _WORDS), np.float32)
        normals[:, 0] = (np.cos(angles) * lengths).reshape(count, -1)
        normals[:, 1] = (np.sin(angles) * lengths).reshape(count, -1)
        return normals.reshape(count, -1)[:, :columns]
