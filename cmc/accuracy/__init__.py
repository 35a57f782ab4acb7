# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How often a network names the right class on a chip, and what of the chip makes it fail."""
