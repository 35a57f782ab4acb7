# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What is used of safetensors with numpy, whose own types are incomplete.
from collections.abc import Mapping
from os import PathLike

import numpy as np
from numpy.typing import NDArray

def load_file(filename: str | PathLike[str]) -> dict[str, NDArray[np.float32]]: ...
def save_file(
    tensor_dict: Mapping[str, NDArray[np.float32] | NDArray[np.signedinteger]],
    filename: str | PathLike[str],
) -> None: ...
