# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What everything costs: `python -m cmc.tools.bench` prints it, beside onnxruntime and numpy."""
