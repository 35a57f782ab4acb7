# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Why a stream of images takes as long as it does, and what would help."""
