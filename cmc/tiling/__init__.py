# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How matrices are cut to the crossbars of a target: what depends on numbers alone, and bodies."""
