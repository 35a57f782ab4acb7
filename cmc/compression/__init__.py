# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Networks with matrices of lower rank: less weights, and fewer crossbars, for some accuracy."""
