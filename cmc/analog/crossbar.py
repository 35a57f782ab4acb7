# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A crossbar with its converters: a matrix is programmed into it, and multiplied with vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cmc.analog.devices import Doubles, Floats, Real
from cmc.analog.normals import Normals
from cmc.analog.weights import Cells, Exact, Held, Model, codes_of, largest

_ROUND = 2.0**-24
"""How far a number may be off for rounding to float32, relative to it."""

_WHOLE = 1 << 24
"""Up to this, float32 has all whole numbers."""

_RARE = 0.05
"""Up to so many codes of doubt about sums, codes in doubt are computed again one by one."""

_LONG = 256
"""From so many rows on it pays to measure how long a vector is, to know better what is in doubt."""


@dataclass(frozen=True)
class Physics:
    """How crossbars of a kind compute. Bits are None where nothing is rounded."""

    weights: Model = field(default_factory=Exact)
    dac_bits: int | None = None
    adc_bits: int | None = None
    adc_bound: float | None = None
    """What an ADC takes before it clips, in products of the largest weight and the largest input.

    None is full scale: as much as its column can give, which for vectors without numbers below 0 is
    less than for others.
    """
    doublings: int = 8
    """How often at full scale the gain before all ADCs is doubled at most for a vector."""
    range: float | None = None
    """The largest input that a DAC takes before it clips; None is that of each vector."""
    halvings: int = 0
    """How often inputs are halved at most, so that no ADC clips."""
    compensated: bool = False
    """Whether drift is undone by one factor, found by sending ones through the crossbar."""
    careful: bool = False
    """Whether results are rounded later, and are the same to the bit for that."""

    @property
    def exact(self) -> bool:
        """Whether a product is just that."""
        return self == Physics()


@dataclass
class Clipped:
    """How many numbers converters took, and how many of them were beyond their ranges."""

    inputs: int = 0
    inputs_beyond: int = 0
    sums: int = 0
    sums_beyond: int = 0
    halvings: int = 0
    """How often the inputs of a vector were halved so that fewer sums are beyond."""
    _busy: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, other: Clipped) -> None:
        """Count more, from any thread."""
        with self._busy:
            self.inputs += other.inputs
            self.inputs_beyond += other.inputs_beyond
            self.sums += other.sums
            self.sums_beyond += other.sums_beyond
            self.halvings += other.halvings

    def clear(self) -> None:
        """Begin anew."""
        with self._busy:
            self.inputs = self.inputs_beyond = self.sums = self.sums_beyond = self.halvings = 0


class Crossbar:
    """A matrix on a diagonal, `[blocks, rows, columns]`, and the converters around it.

    Inputs are converted by the largest magnitude in their vector, or by a fixed one, beyond which
    they are clipped; sums are rounded to the codes of
    the ADC, of each slice by itself; both have as many codes below 0 as above it. Codes are those
    of sums of doubles, so that the order in which they are made does not change them.

    Full scale is what a column can give at most, and sums of many rows are far from it. So the gain
    before the ADCs, which all columns share, is doubled for a vector as long as none of its sums is
    beyond their range: they range themselves, as those of H. Liu et al., AFPR-CIM: An Analog-Domain
    Floating-Point RRAM-Based Compute-in-Memory Architecture with Dynamic Range Adaptive FP-ADC,
    DATE 2024, though there each column does so for itself.

    Read noise is added to sums. The reads of cells are independent and normal, so that the sum of
    their products with inputs x is normal, and its variance the sum of theirs times x^2; cells are
    read anew in each product, so that the sums of different products are independent.

    Where bounds are managed, a vector one of whose sums is clipped is sent again with its inputs
    halved, until none is, as in aihwkit's iterative mode.
    """

    def __init__(self, physics: Physics, name: str, product: int, iterations: int):
        """`name` is that of the matrix among all, `product` a number among those that use it; an
        image has so many `iterations`."""
        self._physics = physics
        self._name, self._product, self._iterations = name, product, iterations
        self._cells: Cells
        self._keys: list[NDArray[np.uint64]] = []
        self._reaches: list[Doubles] = []
        self._work: _Work

    def program(self, weights: Floats, seed: int) -> None:
        """Program a matrix; what is random depends on the seed and on the crossbar's name."""
        physics = self._physics
        self._cells = physics.weights.program(weights.astype(np.float64), seed, self._name)
        address = seed, self._name, "read", self._product
        self._keys = [
            Normals(*address, *([number] if number else [])).key
            for number in range(physics.halvings + 1)
        ]
        held, bound = self._cells.at(0), physics.adc_bound
        self._reaches = [
            _reach(m, None if bound is None else bound * (held.wanted or largest(m)))
            for _, m in held.slices
        ]
        self.at(0)

    def at(self, time: float) -> None:
        """Let it be so many seconds after programming."""
        held = self._cells.at(time)
        gain = 1.0
        if self._physics.compensated and (now := _probe(held)):
            gain = _probe(self._cells.at(0)) / now
        self._work = _Work(self._physics, held, self._reaches, gain)

    def multiply(
        self,
        vectors: Floats,
        products: Floats,
        images: range,
        iterations: range,
        clipped: Clipped | None = None,
    ) -> None:
        """Fill `products`, `[images * iterations, blocks, columns]`, image by image.

        `vectors` are `[images * iterations, blocks, rows]`. Images are counted in the stream. What
        is clipped is counted where that is given.
        """
        first = images.start * self._iterations + iterations.start
        run = len(iterations)
        if run == self._iterations:
            run *= len(images)
        for start in range(0, len(vectors), run):
            number = first + start // run * self._iterations
            some = slice(start, start + run)
            self._work.multiply(vectors[some], products[some], self._keys, number, clipped)


class Stack:
    """Crossbars one above the other, each with so many rows of a matrix and converters of its own.

    What they give is added up.
    """

    def __init__(self, physics: Physics, name: str, product: int, iterations: int, rows: int):
        self._rows = rows
        self._physics, self._name = physics, name
        self._product, self._iterations = product, iterations
        self._parts: list[tuple[slice, Crossbar]] = []

    def program(self, weights: Floats, seed: int) -> None:
        """As that of a crossbar."""
        self._parts = []
        for start in range(0, weights.shape[1], self._rows):
            rows = slice(start, start + self._rows)
            name = f"{self._name}/{start // self._rows}"
            crossbar = Crossbar(self._physics, name, self._product, self._iterations)
            crossbar.program(weights[:, rows], seed)
            self._parts.append((rows, crossbar))

    def at(self, time: float) -> None:
        """As that of a crossbar."""
        for _, crossbar in self._parts:
            crossbar.at(time)

    def multiply(
        self,
        vectors: Floats,
        products: Floats,
        images: range,
        iterations: range,
        clipped: Clipped | None = None,
    ) -> None:
        """As that of a crossbar."""
        total, part = np.zeros_like(products), np.empty_like(products)
        for rows, crossbar in self._parts:
            some = np.ascontiguousarray(vectors[:, :, rows])
            crossbar.multiply(some, part, images, iterations, clipped)
            total += part
        products[...] = total


@dataclass(frozen=True, eq=False)
class _Slice:
    """What a slice is multiplied with."""

    factor: float
    matrix: Real
    """`[blocks, rows, columns]`."""
    variances: Real | None
    """As the matrix."""
    turned: tuple[Real, Real]
    """Both, `[blocks, columns, rows]`, of variances nothing if there are none."""
    units: Real
    """What one code of the ADC of each column is, of all blocks in turn: for vectors with numbers
    below 0, and for others."""
    slack: Real
    """How many codes the sum of each column may be off for rounding, if vectors are measured, for
    one as long as 1."""


class _Work:
    """A crossbar at some time: what there is to do for vectors.

    Sums are made in float32 where nothing is rounded to codes, where they are whole numbers that
    float32 has, and where few are in doubt, which the kernel makes again in doubles.
    """

    def __init__(self, physics: Physics, held: Held, reaches: Sequence[Doubles], gain: float):
        from cmc.analog import kernel

        self._convert, self._finish = kernel.convert, kernel.finish
        self._gain = gain
        self._noisy = held.variances is not None
        self._limit = 0.0 if physics.range is None else physics.range
        self._inputs = 0 if physics.dac_bits is None else codes_of(physics.dac_bits)
        codes = 0 if physics.adc_bits is None else codes_of(physics.adc_bits)
        matrices = [matrix for _, matrix in held.slices]
        # Roundings are off by chance (N. Higham and T. Mary, A New Approach to Probabilistic
        # Rounding Error Analysis, SISC 41, 2019): of so many sums of the same sign, by no more than
        # this share of the last one in ten deviations, and by less if signs differ. The last one is
        # at most the product of the lengths of both vectors.
        share = 2 * sqrt(matrices[0].shape[1]) * _ROUND
        most = [np.abs(matrix).sum(1).reshape(-1) for matrix in matrices]
        end = max(1, self._inputs)
        units = [end * reach.reshape(2, -1) / max(1, codes) for reach in reaches]
        self._signed = codes > 0 and physics.adc_bound is None
        slack = [share * end * full / unit for full, unit in zip(most, units, strict=True)]
        doubts = max(float(one.max()) for one in slack)
        whole = (
            held.variances is None
            and 0 < self._inputs * max(float(full.max()) for full in most) < _WHOLE
            and all(np.array_equal(matrix, np.rint(matrix)) for matrix in matrices)
        )
        rare = codes and self._inputs < 1 << 16 and doubts < _RARE
        free = not codes and not self._inputs and not physics.careful
        single = whole or rare or free
        self._type: type[np.float32 | np.float64] = np.float32 if single else np.float64
        doubtful = single and not whole
        self._measured = bool(codes) and doubtful and matrices[0].shape[1] >= _LONG
        if self._measured:
            lengths = [np.sqrt((matrix**2).sum(1)).reshape(-1) for matrix in matrices]
            slack = [share * length / unit for length, unit in zip(lengths, units, strict=True)]
        doublings = physics.doublings if self._signed else 0
        self._rounding = kernel.Rounding(codes, 8 * _ROUND * doubtful, share * doubtful, doublings)

        def kept(array: Real) -> Real:
            # What is held is the same in both types.
            return np.ascontiguousarray(array.astype(np.float32), self._type)

        variances = None if held.variances is None else kept(held.variances)
        spread = kept(np.zeros((0, 0, 0)) if held.variances is None else held.variances)
        self._slices = [
            _Slice(
                factor,
                kept(matrix),
                variances,
                (kept(matrix.swapaxes(1, 2)), kept(spread.swapaxes(1, 2))),
                kept(unit),
                kept(one * doubtful),
            )
            for (factor, matrix), unit, one in zip(held.slices, units, slack, strict=True)
        ]

    def multiply(
        self,
        vectors: Floats,
        products: Floats,
        keys: Sequence[NDArray[np.uint64]],
        first: int,
        clipped: Clipped | None,
    ) -> None:
        """As that of the crossbar, of rows side by side from the `first` on.

        There is one key of random numbers for each time that inputs may be halved, and one more.
        """
        count = len(vectors)
        flat = np.ascontiguousarray(vectors).reshape(count, -1)
        found = products.reshape(count, -1)
        beyond = np.zeros(count, np.int64)
        inputs_beyond = self._once(flat, found, 1.0, keys[0], np.array([first]), beyond)
        halvings = 0
        for halving, key in enumerate(keys[1:], 1):
            again = np.flatnonzero(beyond)
            if not len(again):
                break
            halvings += len(again)
            part, fewer = np.empty((len(again), found.shape[1]), np.float32), beyond[again] * 0
            self._once(flat[again], part, 2.0**halving, key, again + first, fewer)
            found[again], beyond[again] = part, fewer
        if not np.may_share_memory(found, products):
            products[...] = found.reshape(products.shape)
        if clipped is not None:
            sums = found.size * len(self._slices) if self._rounding.codes else 0
            inputs = flat.size if self._inputs else 0
            clipped.add(Clipped(inputs, inputs_beyond, sums, int(beyond.sum()), halvings))

    def _once(
        self,
        flat: Floats,
        found: Floats,
        wider: float,
        key: NDArray[np.uint64],
        numbers: NDArray[np.int64],
        beyond: NDArray[np.int64],
    ) -> int:
        """Convert vectors, `[n, floats]`, multiply them, and convert sums, `[n, columns]`.

        Inputs are taken from a range that is so many times `wider`. Gives how many were beyond it.
        """
        blocks, rows, _ = self._slices[0].matrix.shape
        count = len(flat)
        inputs, steps = np.empty((count, blocks, rows), self._type), np.empty(count, self._type)
        squares = np.empty((count, blocks, rows * self._noisy), self._type)
        signs = np.empty(count if self._signed else 0, np.int8)
        norms = np.empty(count if self._measured else 0, np.float32)
        clipped = self._convert(
            flat,
            flat.view(np.int32),
            self._limit if self._inputs else 0.0,
            wider,
            self._inputs,
            inputs.reshape(count, -1),
            squares.reshape(count, -1),
            steps,
            signs,
            norms,
        )
        for number, one in enumerate(self._slices):
            sums = product(inputs, one.matrix)
            self._finish(
                sums,
                sums[:, :0] if one.variances is None else product(squares, one.variances),
                inputs,
                *one.turned,
                steps,
                signs,
                norms,
                one.units,
                one.slack,
                self._rounding,
                one.factor * self._gain,
                number > 0,
                key,
                numbers,
                beyond,
                found,
            )
        return clipped


def _reach(matrix: Doubles, bound: float | None) -> Doubles:
    """The largest number of each column's ADC for inputs of at most 1: that of all, or its own.

    `[signs, blocks, columns]`: for vectors with numbers below 0, and for others.
    """
    sides = [np.maximum(side, 0).sum(1) for side in (matrix, -matrix)]
    reach = np.stack([np.add(*sides), np.maximum(*sides)])
    if bound is not None:
        reach = np.full_like(reach, bound)
    return np.where(reach == 0, 1, reach)


def product(vectors: Real, matrix: Real) -> Real:
    """`[n, blocks, rows]` times `[blocks, rows, columns]`, as `[n, blocks * columns]`."""
    count, blocks, _ = vectors.shape
    columns = matrix.shape[2]
    if columns == 1:
        return np.einsum("ngk,gk->ng", vectors, matrix[:, :, 0])
    found = np.empty((count, blocks, columns), matrix.dtype)
    if blocks == 1:
        np.matmul(vectors[:, 0], matrix[0], found[:, 0])
    else:
        np.matmul(vectors.swapaxes(0, 1), matrix, found.swapaxes(0, 1))
    return found.reshape(count, -1)


def _probe(held: Held) -> float:
    """The magnitudes that columns give for ones, in all."""
    return sum(factor * float(np.abs(matrix.sum(1)).sum()) for factor, matrix in held.slices)
