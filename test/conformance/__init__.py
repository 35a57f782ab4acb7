# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""onnx's own tests of its operators, run on the cores: which are right, and why others are refused.

`make conformance` runs all of them and writes `docs/operators.md`.
"""
