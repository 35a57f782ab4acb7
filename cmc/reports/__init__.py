# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a stream came to, as numbers and as text."""
