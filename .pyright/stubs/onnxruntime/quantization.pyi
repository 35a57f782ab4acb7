# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What is used of onnxruntime's quantizer, which comes without types.
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

class QuantFormat(Enum):
    QDQ = ...
    QOperator = ...

class QuantType(Enum):
    QInt8 = ...
    QUInt8 = ...

class CalibrationDataReader:
    def get_next(self) -> dict[str, NDArray[np.float32]] | None: ...

def quantize_static(
    model_input: Path,
    model_output: Path,
    calibration_data_reader: CalibrationDataReader,
    quant_format: QuantFormat,
    *,
    per_channel: bool = False,
    activation_type: QuantType,
    weight_type: QuantType,
    extra_options: Mapping[str, bool] | None = None,
) -> None: ...
def quantize_dynamic(
    model_input: Path,
    model_output: Path,
    *,
    per_channel: bool = False,
    weight_type: QuantType,
) -> None: ...
