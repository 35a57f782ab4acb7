# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The site of the documentation: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import reference

reference.write(Path(__file__).parent / "reference")

project = "cmc"
html_title = "cmc"
html_theme = "furo"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 4
# Nobody can colour listings in MLIR.
suppress_warnings = ["misc.highlighting_failure"]
