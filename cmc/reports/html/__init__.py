# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A report as a page to look at: a figure a file, each a function from a report to a plot."""
