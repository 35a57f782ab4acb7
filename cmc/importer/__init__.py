# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""From ONNX to the `nn` dialect."""

from cmc.importer.graph import import_model
from cmc.importer.split import import_network

__all__ = ["import_model", "import_network"]
