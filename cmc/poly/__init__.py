# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The polyhedral core: all that the compiler computes with isl, and nothing about networks."""
