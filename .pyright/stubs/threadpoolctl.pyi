# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What is used of threadpoolctl, which comes without types.
from contextlib import AbstractContextManager

def threadpool_limits(limits: int) -> AbstractContextManager[None]: ...

class ThreadpoolController:
    def limit(self, *, limits: int, user_api: str) -> AbstractContextManager[None]: ...
