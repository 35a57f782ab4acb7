# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Normal numbers that have addresses, so that they do not depend on who asks for them, and when."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


class Normals:
    """Standard normal numbers in endless rows, the same ones for the same address.

    Philox (J. Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011), with seven
    rounds, makes words of 32 bits of a key, which is the address, and of a count; G. Box and M.
    Muller (A Note on the Generation of Random Normal Deviates, 1958) make two normal numbers of two
    of them. None is beyond 6.8.
    """

    def __init__(self, *address: str | int):
        digest = blake2b(repr(address).encode(), digest_size=16).digest()
        self.key = np.frombuffer(digest, "<u4").astype(np.uint64)
        """What `cmc.analog.kernel` makes the numbers of, row after row."""

    def rows(self, first: int, count: int, columns: int) -> NDArray[np.float32]:
        """Some rows from the `first` on, `[count, columns]`; rows are always of so many columns."""
        from cmc.analog import kernel

        numbers = np.empty(count * columns + 2 * kernel.WORDS, np.float32)
        place = kernel.normals(self.key, first * columns, count * columns, numbers)
        return numbers[place:][: count * columns].reshape(count, columns)
