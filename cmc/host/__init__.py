# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The parts of a network that no core can have: cut out, and executed by who is installed."""
