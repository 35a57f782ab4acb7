# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Models that are damaged in their bytes or in their fields: none ends in more than one line.

`make malformed` makes and tries thousands of them.
"""
