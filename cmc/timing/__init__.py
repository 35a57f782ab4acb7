# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When iterations begin: who waits for whom, as counts in runs, and the times that solve it."""
