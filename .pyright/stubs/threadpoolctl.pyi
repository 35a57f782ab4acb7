# What is used of threadpoolctl, which comes without types and is needed for training only.
from contextlib import AbstractContextManager

def threadpool_limits(limits: int) -> AbstractContextManager[None]: ...
