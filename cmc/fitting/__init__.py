# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a network needs of a chip, and where on it stages go."""
