# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Colours that colour-blind people can tell apart, on light and on dark ground.

Source: M. Okabe and K. Ito, Color Universal Design, 2008.
"""

ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#888888"

IMAGES = (ORANGE, SKY, GREEN, YELLOW, PURPLE)
"""Of images in turn: black text can be read on each."""

CRITICAL = VERMILLION
"""Of what nothing else has: the critical circuit."""
