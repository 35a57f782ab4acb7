# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What is read and written: modules as text, their weights beside them, anything else."""
