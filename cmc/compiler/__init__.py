# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which passes make a chip of a network, and how lists of passes are written."""
