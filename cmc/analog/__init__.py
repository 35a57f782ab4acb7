# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a crossbar really computes: weights that were programmed, and converters of few bits.

Mathematics on arrays; nothing here knows operations, targets or the simulator.
"""
