# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A crossbar with its converters: a matrix is programmed into it, and multiplied with vectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cmc.analog.devices import Doubles
from cmc.analog.normals import Normals
from cmc.analog.weights import Cells, Exact, Held, Model, codes_of, largest

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Physics:
    """How crossbars of a kind compute. Bits are None where nothing is rounded."""

    weights: Model = field(default_factory=Exact)
    dac_bits: int | None = None
    adc_bits: int | None = None
    adc_bound: float | None = None
    """What an ADC takes before it clips, in products of the largest weight and the largest input.

    None is full scale: as much as its column can give.
    """
    compensated: bool = False
    """Whether drift is undone by one factor, found by sending ones through the crossbar."""

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
    _busy: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, other: Clipped) -> None:
        """Count more, from any thread."""
        with self._busy:
            self.inputs += other.inputs
            self.inputs_beyond += other.inputs_beyond
            self.sums += other.sums
            self.sums_beyond += other.sums_beyond

    def clear(self) -> None:
        """Begin anew."""
        with self._busy:
            self.inputs = self.inputs_beyond = self.sums = self.sums_beyond = 0


class Crossbar:
    """A matrix on a diagonal, `[blocks, rows, columns]`, and the converters around it.

    Inputs are converted by the largest magnitude in their vector, sums are rounded to the codes of
    the ADC, of each slice by itself; both have as many codes below 0 as above it. Sums are of
    doubles, so that the order in which they are made does not change their codes.

    Read noise is added to sums. The reads of cells are independent and normal, so that the sum of
    their products with inputs x is normal, and its variance the sum of theirs times x^2; cells are
    read anew in each product, so that the sums of different products are independent.
    """

    def __init__(self, physics: Physics, name: str, product: int, iterations: int):
        """`name` is that of the matrix among all, `product` a number among those that use it; an
        image has so many `iterations`."""
        self._physics = physics
        self._name, self._product, self._iterations = name, product, iterations
        self._cells: Cells
        self._held: Held
        self._noise: Normals
        self._reaches: list[Doubles] = []
        self._factor = 1.0

    def program(self, weights: Floats, seed: int) -> None:
        """Program a matrix; what is random depends on the seed and on the crossbar's name."""
        physics = self._physics
        self._cells = physics.weights.program(weights.astype(np.float64), seed, self._name)
        self._noise = Normals(seed, self._name, "read", self._product)
        self._reaches = [_reach(m, physics.adc_bound) for _, m in self._cells.at(0).slices]
        self.at(0)

    def at(self, time: float) -> None:
        """Let it be so many seconds after programming."""
        self._held = self._cells.at(time)
        self._factor = 1.0
        if self._physics.compensated and (now := _probe(self._held)):
            self._factor = _probe(self._cells.at(0)) / now

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
        counts = None if clipped is None else Clipped()
        physics = self._physics
        inputs = vectors.astype(np.float64)
        tops = np.abs(vectors).max((1, 2), keepdims=True).astype(np.float64)
        tops[tops == 0] = 1
        if physics.dac_bits is not None:
            steps = tops / codes_of(physics.dac_bits)
            inputs = np.rint(inputs / steps)
            if counts is not None:
                counts.inputs += inputs.size
            tops = np.full_like(tops, codes_of(physics.dac_bits))
        else:
            steps = np.ones_like(tops)
        total = np.zeros(products.shape)
        for (factor, matrix), reach in zip(self._held.slices, self._reaches, strict=True):
            sums = _product(inputs, matrix)
            if self._held.variances is not None:
                deviations = np.sqrt(_product(inputs * inputs, self._held.variances))
                sums += deviations * self._normals(images, iterations).reshape(sums.shape)
            if physics.adc_bits is not None:
                codes = codes_of(physics.adc_bits)
                rounding = tops * (reach / codes)
                rounded = np.rint(sums / rounding)
                if counts is not None:
                    counts.sums += rounded.size
                    counts.sums_beyond += int(np.count_nonzero(np.abs(rounded) > codes))
                sums = np.clip(rounded, -codes, codes) * rounding
            total += factor * sums
        products[...] = total * (steps * self._factor)
        if clipped is not None and counts is not None:
            clipped.add(counts)

    def _normals(self, images: range, iterations: range) -> Floats:
        """A number for each column in each iteration, `[images * iterations, columns]`."""
        blocks, _, columns = self._held.slices[0][1].shape
        if len(iterations) == self._iterations:
            runs = [(images.start, len(images) * len(iterations))]
        else:
            runs = [(image, len(iterations)) for image in images]
        parts = [
            self._noise.rows(image * self._iterations + iterations.start, rows, blocks * columns)
            for image, rows in runs
        ]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


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


def _reach(matrix: Doubles, bound: float | None) -> Doubles:
    """The largest number of the ADC of each column for inputs of at most 1, `[blocks, columns]`."""
    full = np.abs(matrix).sum(1)
    reach = full if bound is None else np.full_like(full, bound * largest(matrix))
    return np.where(reach == 0, 1, reach)


def _product(vectors: Doubles, matrix: Doubles) -> Doubles:
    """`[n, blocks, rows]` times `[blocks, rows, columns]`."""
    if matrix.shape[2] == 1:
        return np.einsum("ngk,gk->ng", vectors, matrix[:, :, 0])[:, :, np.newaxis]
    return np.matmul(vectors.swapaxes(0, 1), matrix).swapaxes(0, 1)


def _probe(held: Held) -> float:
    """The magnitudes that columns give for ones, in all."""
    return sum(factor * float(np.abs(matrix.sum(1)).sum()) for factor, matrix in held.slices)
