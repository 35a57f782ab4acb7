# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What each operator of `nn` means: for whole tensors, and for a pipeline.

Each operator is one entry in one of three tables, which says what it computes of arrays, and how a
pipeline computes that: a *view* only says where an element of its result lies in its operands, and
costs nothing; an *elementwise* operator acts on one vector and joins the stage that computes its
operand; a *stage* operator has a domain of its own. Beyond this package nothing knows one operator
from another.
"""
