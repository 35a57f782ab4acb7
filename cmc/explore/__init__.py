# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Many designs: networks, figures of a target and options, each with each, and what came of it."""
