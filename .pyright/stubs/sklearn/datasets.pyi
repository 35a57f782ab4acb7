# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What is used of scikit-learn, which comes without types and is needed for training only.
import numpy as np
from numpy.typing import NDArray

def load_digits(
    *,
    return_X_y: bool,  # noqa: N803
) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
