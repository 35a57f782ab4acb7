# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Loops over what goes into crossbars and what comes out, as machine code.

None may depend on how many rows are worked on at once: nothing is reassociated, so that a row has
the same results wherever it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmc.analog.devices import Floats, Real
from cmc.compiled import compiled as _compiled
from cmc.compiled import kept as _kept
from cmc.compiled import loose as _loose

WORDS = 4
"""Words, and normal numbers, that the generator makes of one count."""

CHUNK = 1 << 11
"""About how many normal numbers are made at once: they stay in a processor's first cache."""

_COUNTS = CHUNK // WORDS

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ONE = np.float32(1)
_TWO = np.float32(2)
_LN2 = np.float32(np.log(2))


@_compiled
def _length(word: np.uint32) -> np.float32:
    """sqrt(-2 ln u) of u = (word + 1/2) / 2^32, with the polynomial of S. Moshier's Cephes."""
    x = np.float32(word >> np.uint32(1)) + np.float32(0.25)
    bits = np.float32(x).view(np.int32)
    exponent = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    m = np.int32(bits - (exponent << np.int32(23))).view(np.float32) - _ONE
    z = m * m
    p = np.float32(7.0376836292e-2) * m - np.float32(1.1514610310e-1)
    p = p * m + np.float32(1.1676998740e-1)
    p = p * m - np.float32(1.2420140846e-1)
    p = p * m + np.float32(1.4249322787e-1)
    p = p * m - np.float32(1.6668057665e-1)
    p = p * m + np.float32(2.0000714765e-1)
    p = p * m - np.float32(2.4999993993e-1)
    p = p * m + np.float32(3.3333331174e-1)
    log = m * z * p - np.float32(0.5) * z + m
    log += np.float32(exponent - np.int32(31)) * _LN2
    # A word next to 2^32 is rounded up to it.
    return np.sqrt(max(-_TWO * log, np.float32(0)))


@_compiled
def _turn(word: np.int32) -> tuple[np.float32, np.float32]:
    """Cosine and sine of word / 2^32 turns, of those of half of that angle."""
    t = np.float32(word) * np.float32(2.0**-32)
    q = t * t
    s = np.float32(0.07765766) * q - np.float32(0.59829129)
    s = s * q + np.float32(2.55007752)
    s = s * q - np.float32(5.16771008)
    s = (s * q + np.float32(3.14159264)) * t
    c = np.float32(-0.02439632) * q + np.float32(0.23493731)
    c = c * q - np.float32(1.33521200)
    c = c * q + np.float32(4.05870916)
    c = c * q - np.float32(4.93480214)
    c = c * q + _ONE
    return _ONE - _TWO * s * s, _TWO * s * c


@_compiled
def _words(
    key: NDArray[np.uint64], start: np.uint64, count: int, words: NDArray[np.uint32]
) -> None:
    """The four words of each of some counts, `[4, counts]`."""
    for step in range(count):
        at = start + np.uint64(step)
        w0, w1, w2, w3 = at & _LOW, at >> _HALF, key[2], key[3]
        k0, k1 = key[0], key[1]
        for _ in range(7):
            p0, p1 = _FACTORS[0] * (w0 & _LOW), _FACTORS[1] * (w2 & _LOW)
            w0, w1 = (p1 >> _HALF) ^ w1 ^ k0, p1 & _LOW
            w2, w3 = (p0 >> _HALF) ^ w3 ^ k1, p0 & _LOW
            k0, k1 = (k0 + _STEPS[0]) & _LOW, (k1 + _STEPS[1]) & _LOW
        words[0, step], words[1, step] = np.uint32(w0), np.uint32(w1)
        words[2, step], words[3, step] = np.uint32(w2), np.uint32(w3)


@_kept
def normals(key: NDArray[np.uint64], first: int, count: int, out: Floats) -> int:
    """Normal numbers of an endless row, from the `first` on; the place of that in `out`.

    Philox-4x32-7 makes four words of each count, and Box and Muller four numbers of these. `key`
    has four words, and `out` space for `count` numbers and two counts more.
    """
    start = first // WORDS
    steps = (first + count - 1) // WORDS + 1 - start
    words, numbers = np.empty((WORDS, _COUNTS), np.uint32), np.empty((WORDS, _COUNTS), np.float32)
    for begin in range(0, steps, _COUNTS):
        some = min(_COUNTS, steps - begin)
        _words(key, np.uint64(start) + np.uint64(begin), some, words)
        # Each loop has numbers of one width, so that as many are made at once as may be.
        for two in range(0, WORDS, 2):
            for step in range(some):
                length = _length(words[two, step])
                cosine, sine = _turn(np.int32(words[two + 1, step]))
                numbers[two, step] = length * cosine
                numbers[two + 1, step] = length * sine
        for step in range(some):
            place = WORDS * (begin + step)
            out[place] = numbers[0, step]
            out[place + 1] = numbers[1, step]
            out[place + 2] = numbers[2, step]
            out[place + 3] = numbers[3, step]
    return first - WORDS * start


class Rounding(NamedTuple):
    """How what columns give becomes codes."""

    codes: int
    """On each side of 0; 0 where nothing is rounded."""
    relative: float
    """How far a quotient may be off for what was rounded in computing it, as a share of it."""
    noise: float
    """The same, as a share of the noise in it."""
    doublings: int
    """How often the gain before the ADC is doubled at most for a row."""


@_loose
def _square(vector: Real) -> np.float32:
    """About what a vector's squares are in all."""
    total = np.float32(0)
    for place in range(len(vector)):
        total += np.float32(vector[place] * vector[place])
    return total


@_kept
def convert(
    vectors: Floats,
    bits: NDArray[np.int32],
    limit: float,
    wider: float,
    codes: int,
    inputs: Real,
    squares: Real,
    steps: Real,
    signs: NDArray[np.int8],
    norms: Floats,
) -> int:
    """Convert vectors, `[n, floats]`, of which `bits` are the same in memory, into `inputs`.

    The largest magnitude is `limit`, or, if that is 0, the vector's own, or so many times `wider`
    as that. Inputs are whole numbers
    up to `codes`, or, if that is 0, are not rounded, and up to 1; `steps` says of each vector what
    1 is. `squares` are those of inputs, `norms` about how long vectors of these are, and `signs`
    says which vectors have nothing below 0, if there is place for them. Gives how many were beyond
    the limit.
    """
    clipped = 0
    end = inputs.dtype.type(max(codes, 1))
    for row in range(len(vectors)):
        top = inputs.dtype.type(limit)
        most, below = np.int32(0), np.int32(0)
        for place in range(vectors.shape[1]):
            most = max(most, bits[row, place] & np.int32(0x7FFFFFFF))
            # Of a number below 0 that is its magnitude; of others, and of -0, it is 0 or less.
            below = max(below, bits[row, place] ^ np.int32(-0x80000000))
        if len(signs):
            signs[row] = below == 0
        if limit == 0:
            top = inputs.dtype.type(np.int32(most).view(np.float32))
            if top == 0:
                top = inputs.dtype.type(1)
        # Of the smallest numbers there is no reciprocal: then 1 is more than it should be.
        top = max(top * inputs.dtype.type(wider), end * inputs.dtype.type(1e-37))
        steps[row] = top / end
        scale = end / top
        if codes:
            for place in range(vectors.shape[1]):
                inputs[row, place] = np.rint(vectors[row, place] * scale)
        else:
            for place in range(vectors.shape[1]):
                inputs[row, place] = vectors[row, place] * scale
        if limit != 0:
            for place in range(vectors.shape[1]):
                clipped += abs(inputs[row, place]) > end
                inputs[row, place] = min(max(inputs[row, place], -end), end)
        for place in range(squares.shape[1]):
            squares[row, place] = inputs[row, place] * inputs[row, place]
        if len(norms):
            norms[row] = np.sqrt(_square(inputs[row]))
    return clipped


@_kept
def round_rows(rows: Floats, bits: NDArray[np.int32], codes: int) -> None:
    """Round each of some rows, of which `bits` are the same in memory, to codes of its own."""
    largest = np.float32(np.finfo(np.float32).max)
    for row in range(len(rows)):
        most = np.int32(0)
        for place in range(rows.shape[1]):
            most = max(most, bits[row, place] & np.int32(0x7FFFFFFF))
        step = min(np.int32(most).view(np.float32), largest) / np.float32(codes)
        if step > 0:
            for place in range(rows.shape[1]):
                rows[row, place] = np.rint(rows[row, place] / step) * step


@_loose
def _dot(one: Real, other: Real, squared: bool) -> float:
    """A product in doubles."""
    total = 0.0
    if squared:
        for k in range(len(one)):
            total += np.float64(one[k]) * np.float64(one[k]) * np.float64(other[k])
    else:
        for k in range(len(one)):
            total += np.float64(one[k]) * np.float64(other[k])
    return total


@_compiled
def _exactly(
    row: int,
    column: int,
    inputs: Real,
    weights: Real,
    spreads: Real,
    noisy: bool,
    normal: np.float32,
) -> float:
    """A sum in doubles, with its noise."""
    block, j = column // weights.shape[1], column % weights.shape[1]
    exact = _dot(inputs[row, block], weights[block, j], False)
    if noisy:
        variance = _dot(inputs[row, block], spreads[block, j], True)
        exact += np.sqrt(variance) * np.float64(normal)
    return exact


@_compiled
def _gain(top: np.float32, off: np.float32, rounding: Rounding) -> tuple[np.float32, bool]:
    """What a row's codes may be multiplied with, the largest one being `top`, and if that is sure.

    A power of 2, so that the largest code of an ADC is taken, but nothing beyond it; `top` may be
    `off` by so much. The border is where no sum is that uses as much as its column can give.
    """
    border, most = np.float32(rounding.codes + 0.25), np.int32(rounding.doublings)
    ratio = np.float32(border / max(top, np.float32(1e-30)))
    times = max(min((ratio.view(np.int32) >> np.int32(23)) - np.int32(127), most), np.int32(0))
    gain = np.int32((times + np.int32(127)) << np.int32(23)).view(np.float32)
    low, high = (top - off) * gain * _TWO, (top + off) * gain
    sure = (times == 0 or high <= border) and (times == most or not low <= border)
    return gain, bool(sure)


@_kept
def finish(
    sums: Real,
    variances: Real,
    inputs: Real,
    weights: Real,
    spreads: Real,
    steps: Real,
    signs: NDArray[np.int8],
    norms: Floats,
    units: Real,
    slack: Real,
    rounding: Rounding,
    factor: float,
    adds: bool,
    key: NDArray[np.uint64],
    numbers: NDArray[np.int64],
    beyond: NDArray[np.int64],
    products: Floats,
) -> None:
    """Add noise to what columns give, round that to codes, and put it into `products`.

    `sums`, `variances` and `products` are `[n, columns]`; the variances have no columns where there
    is no noise. The noise is that of rows of these `numbers`, or, if there is one, of rows from
    that on. `steps`, `signs` and `norms` are those of `convert`, `units`, `[signs, columns]`, what
    one code of a column is. How many codes of a row are clipped is added to `beyond`. The gain of a
    row is doubled as often as it may be without a code that is clipped.

    A sum was rounded, in some order: where it is nearer to the border of two codes, or of two
    gains, than rounding may have taken it, it is computed anew in doubles, of `inputs`, `[n,
    blocks, rows]`, `weights` and, for variances, `spreads`, `[blocks, columns, rows]`. So codes are
    those of sums of doubles. Rounding takes it by `slack` codes, `[signs, columns]`, where there
    are norms for vectors as long as 1.
    """
    real = sums.dtype.type
    count, columns = sums.shape
    noisy = variances.shape[1] > 0
    height = max(1, min(count, CHUNK // columns)) if len(numbers) == 1 else 1
    size = height * columns
    given, spread = sums.reshape(-1), variances.reshape(-1)
    buffer = np.empty(size + 2 * WORDS if noisy else 0, np.float32)
    unit, inverse = np.empty(size, sums.dtype), np.empty(size, sums.dtype)
    margin, found = np.empty(size, sums.dtype), np.empty(size, sums.dtype)
    off, gains = np.zeros(size, np.float32), np.ones(size, np.float32)
    magnitudes = np.empty(size, np.float32)
    bits, widths = magnitudes.view(np.int32), off.view(np.int32)
    doubt = np.zeros(-(-size // 8) * 8, np.uint8)
    doubts = doubt.view(np.uint64)
    shown = np.full(height, np.int8(-1))
    gain = np.ones(height, np.float32)
    end = real(rounding.codes)
    relative, share = real(rounding.relative), real(rounding.noise)
    for row in range(0, count, height):
        size = min(height, count - row) * columns
        start, noise = row * columns, 0
        for i in range(size // columns):
            sign = signs[row + i] if len(signs) else np.int8(0)
            if shown[i] != sign:
                shown[i] = sign
                for j in range(columns):
                    unit[i * columns + j] = units[sign, j]
                    inverse[i * columns + j] = real(1) / units[sign, j]
                    margin[i * columns + j] = slack[sign, j]
        longest = real(0 if len(norms) else 1)
        for i in range(row, min(row + height, count) if len(norms) else row):
            longest = max(longest, norms[i])
        if noisy:
            number = numbers[0] + row if len(numbers) == 1 else numbers[row]
            noise = normals(key, number * columns, size, buffer)
        if rounding.codes == 0:
            for place in range(size):
                found[place] = given[start + place]
            if noisy:
                for place in range(size):
                    found[place] += np.sqrt(spread[start + place]) * buffer[noise + place]
        else:
            if noisy:
                for place in range(size):
                    one = np.sqrt(spread[start + place]) * buffer[noise + place]
                    quotient = (given[start + place] + one) * inverse[place]
                    doubtful = abs(one) * share * inverse[place] + relative * abs(quotient)
                    off[place] = longest * margin[place] + doubtful
                    found[place], magnitudes[place] = quotient, abs(quotient)
            else:
                for place in range(size):
                    quotient = given[start + place] * inverse[place]
                    off[place] = longest * margin[place] + relative * abs(quotient)
                    found[place], magnitudes[place] = quotient, abs(quotient)
            if rounding.doublings:
                widest = np.int32(0)
                for place in range(size):
                    widest = max(widest, widths[place])
                for i in range(size // columns):
                    most = np.int32(0)
                    for place in range(i * columns, (i + 1) * columns):
                        most = max(most, bits[place])
                    top = np.int32(most).view(np.float32)
                    times, sure = _gain(top, np.int32(widest).view(np.float32), rounding)
                    if not sure:
                        top = np.float32(0)
                        for place in range(i * columns, (i + 1) * columns):
                            exact = _exactly(
                                row + i,
                                place - i * columns,
                                inputs,
                                weights,
                                spreads,
                                noisy,
                                buffer[noise + place] if noisy else np.float32(0),
                            )
                            found[place] = real(exact / np.float64(unit[place]))
                            top = max(top, np.float32(abs(found[place])))
                        times, _ = _gain(top, np.float32(0), rounding)
                    if gain[i] != times:
                        gain[i] = times
                        for place in range(i * columns, (i + 1) * columns):
                            gains[place] = times
            unsure, wide = np.int32(0), np.int32(0)
            for place in range(size):
                quotient = found[place] * gains[place]
                code = np.rint(quotient)
                near = abs(quotient - code) > real(0.5) - off[place] * gains[place]
                doubt[place] = np.uint8(near)
                unsure = np.int32(unsure | np.int32(near))
                wide = np.int32(wide + np.int32(abs(code) > end))
                found[place] = code
            for eight in range(-(-size // 8) if unsure else 0):
                if doubts[eight] == 0:
                    continue
                for place in range(8 * eight, min(8 * eight + 8, size)):
                    if doubt[place]:
                        exact = _exactly(
                            row + place // columns,
                            place % columns,
                            inputs,
                            weights,
                            spreads,
                            noisy,
                            buffer[noise + place] if noisy else np.float32(0),
                        )
                        quotient = exact / np.float64(unit[place]) * np.float64(gains[place])
                        found[place] = real(np.rint(quotient))
            if wide:
                for place in range(size):
                    beyond[row + place // columns] += abs(found[place]) > end
            for place in range(size):
                found[place] = min(max(found[place], -end), end) * unit[place]
        for i in range(size // columns):
            scale = steps[row + i] * real(factor) / gain[i]
            if adds:
                for j in range(columns):
                    products[row + i, j] += found[i * columns + j] * scale
            else:
                for j in range(columns):
                    products[row + i, j] = found[i * columns + j] * scale
