# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Windows that slide over the spatial axes of a tensor, for convolutions and pools."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """The shape of a window and its steps: one entry per spatial axis in every tuple.

    Window `o` covers the elements `o * strides - low + dilations * k` for `0 <= k < kernel`; `low`
    and `high` elements of padding lie before and after the input.
    """

    kernel: Ints
    strides: Ints
    dilations: Ints
    low: Ints
    high: Ints
    ceil_mode: bool = False
    """Whether a last window may reach beyond the padding, if it begins before the high padding.

    It may be the first one, too.
    """

    @staticmethod
    def of(
        kernel: Sequence[int],
        strides: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
        ceil_mode: bool = False,
    ) -> "Window":
        """A window with ONNX's defaults; `pads` are all low ones, then all high ones.

        ValueError if the lengths do not fit, or a number is too small.
        """
        rank = len(kernel)
        strides = (1,) * rank if strides is None else strides
        dilations = (1,) * rank if dilations is None else dilations
        pads = (0,) * (2 * rank) if pads is None else pads
        for name, values, length in (
            ("kernel", kernel, rank),
            ("strides", strides, rank),
            ("dilations", dilations, rank),
            ("pads", pads, 2 * rank),
        ):
            if len(values) != length:
                raise ValueError(
                    f"{rank} spatial axes need {length} values in {name}, not {len(values)}"
                )
            if any(value < (0 if name == "pads" else 1) for value in values):
                sign = "not be negative" if name == "pads" else "be positive"
                raise ValueError(f"{name} must {sign}: {list(values)}")
        return Window(
            tuple(kernel),
            tuple(strides),
            tuple(dilations),
            tuple(pads[:rank]),
            tuple(pads[rank:]),
            ceil_mode,
        )

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.kernel)

    @property
    def pads(self) -> Ints:
        """All low pads, then all high ones."""
        return self.low + self.high

    @property
    def extents(self) -> Ints:
        """How many elements a window spans, the gaps of its dilation included."""
        return tuple(
            (kernel - 1) * dilation + 1
            for kernel, dilation in zip(self.kernel, self.dilations, strict=True)
        )

    def output_shape(self, spatial: Sequence[int]) -> Ints:
        """How many windows there are over an input of extents `spatial`.

        ValueError if there are none along an axis.
        """
        if len(spatial) != self.rank:
            raise ValueError(f"the window has {self.rank} axes but the input {len(spatial)}")
        return tuple(self._count(axis, size) for axis, size in enumerate(spatial))

    def overhangs(self, spatial: Sequence[int]) -> Ints:
        """How far the last window reaches beyond the high padding: not zero in ceil_mode only."""
        return tuple(
            max(0, (count - 1) * stride + extent - low - size - high)
            for count, stride, extent, low, size, high in zip(
                self.output_shape(spatial),
                self.strides,
                self.extents,
                self.low,
                spatial,
                self.high,
                strict=True,
            )
        )

    def elements(self, axis: int, count: int) -> NDArray[np.int64]:
        """The elements along `axis` that windows 0 to `count - 1` cover, a row for each window."""
        starts = np.arange(count) * self.strides[axis] - self.low[axis]
        return starts[:, np.newaxis] + np.arange(self.kernel[axis]) * self.dilations[axis]

    def with_pads(self, low: Ints, high: Ints) -> "Window":
        """The same window with other pads."""
        return replace(self, low=low, high=high)

    def same_pads(self, spatial: Sequence[int]) -> Ints:
        """How many pads, low and high together, make the output `ceil(spatial / strides)`."""
        return tuple(
            max(0, (-(-size // stride) - 1) * stride + extent - size)
            for size, stride, extent in zip(spatial, self.strides, self.extents, strict=True)
        )

    def drops(self, spatial: Sequence[int]) -> bool:
        """Whether a window is not there that `ceil_mode` would add, but for where it begins."""
        counts = enumerate(zip(spatial, self.output_shape(spatial), strict=True))
        return any(count < self._count_all(axis, size) for axis, (size, count) in counts)

    def _room(self, axis: int, size: int) -> int:
        """How far the first window can move; less than zero if it does not fit."""
        return self.low[axis] + size + self.high[axis] - self.extents[axis]

    def _count_all(self, axis: int, size: int) -> int:
        """The number of windows, with those of `ceil_mode` that begin in the high padding."""
        room, stride = self._room(axis, size), self.strides[axis]
        return (-(-room // stride) if self.ceil_mode else room // stride) + 1

    def _count(self, axis: int, size: int) -> int:
        count, low = self._count_all(axis, size), self.low[axis]
        if count < 1:
            raise ValueError(
                f"a window of {self.extents[axis]} does not fit into {low} + {size} + "
                f"{self.high[axis]} elements along spatial axis {axis}"
            )
        begins_in_padding = (count - 1) * self.strides[axis] >= low + size
        return count - 1 if self.ceil_mode and begins_in_padding else count
