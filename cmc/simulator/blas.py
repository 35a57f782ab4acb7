# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""One thread for each product: the simulator itself shares work among the processors."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[None]:
    """While this lasts, a product of matrices runs on the processor that asks for it.

    A library's own threads wait for each other at every product, which costs more than they save
    where products are small, and many times that where other work keeps a processor busy.
    """
    return _libraries().limit(limits=1, user_api="blas")
