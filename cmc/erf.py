# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The error function, which numpy does not have."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def erf(x: Floats, out: Floats | None = None) -> Floats:
    """The error function of each element to rounding in float32, into `out` if that is given.

    A quotient of polynomials in `x * x`, times `x`. Beyond 4 the result is 1.
    """
    bounded = np.clip(x, -4, 4)
    square: Floats = np.square(bounded)
    quotient = _polynomial(_NUMERATOR, square) / _polynomial(_DENOMINATOR, square)
    return np.multiply(bounded, quotient, out)


_NUMERATOR = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_DENOMINATOR = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    """From the highest power down."""
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result *= x
        result += np.float32(coefficient)
    return result
