# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many slots each channel's ring needs, not to deadlock or not to wait."""
