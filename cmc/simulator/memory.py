# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Arrays that are used again and again."""

from __future__ import annotations

from math import prod

import numpy as np

from cmc.simulator.gather import Floats


class Scratch:
    """One processor's arrays for what lives within a block, by their order of use."""

    def __init__(self) -> None:
        self._arrays: list[Floats] = []

    def array(self, position: int, shape: tuple[int, ...]) -> Floats:
        while len(self._arrays) <= position:
            self._arrays.append(np.empty(0, np.float32))
        size = prod(shape)
        if self._arrays[position].size < size:
            # Earlier blocks keep views of the smaller array, which do no harm.
            self._arrays[position] = np.empty(size, np.float32)
        return self._arrays[position][:size].reshape(shape)


class Pool:
    """Arrays that are lent for as long as an object is still read."""

    def __init__(self) -> None:
        self._free: list[Floats] = []

    def take(self, shape: tuple[int, ...]) -> Floats:
        """The smallest free array that is large enough, or a new one, as one of this shape."""
        size = prod(shape)
        large = [at for at, array in enumerate(self._free) if array.size >= size]
        if large:
            array = self._free.pop(min(large, key=lambda at: self._free[at].size))
        else:
            array = np.empty(size, np.float32)
        return array[:size].reshape(shape)

    def give(self, array: Floats) -> None:
        """Take an array back that was lent."""
        assert array.base is not None
        self._free.append(array.base)
