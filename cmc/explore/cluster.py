# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Designs tried by the workers of a Dask cluster, which read the same files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Protocol

from cmc.errors import CmcError
from cmc.explore.extra import extra
from cmc.explore.outcome import Outcome
from cmc.explore.point import Point, version_of_program
from cmc.explore.workers import Done, Evaluate, compiling

_PATIENCE = 60
"""Seconds until a cluster that has no workers is given up."""

_AHEAD = 2
"""How many designs are started for each thread of a worker: one, and one to go on with."""


class _Future(Protocol):
    """What of a future of `distributed` is used."""

    status: str

    def result(self) -> Outcome: ...
    def exception(self) -> BaseException: ...
    def release(self) -> None: ...


class Cluster:
    """The workers of a scheduler. One that ends is the scheduler's to replace or to do without."""

    def __init__(self, address: str):
        self._library = extra("distributed", "--scheduler")
        self._address = address
        try:
            self._client = self._library.Client(address, timeout="10s")
        except (OSError, ValueError) as error:
            raise CmcError(
                f"no Dask scheduler answers: {error}", f"--scheduler {address}"
            ) from None
        self._started: dict[_Future, Point] = {}

    def free(self) -> bool:
        return len(self._started) < max(1, _AHEAD * sum(self._client.nthreads().values()))

    def start(self, point: Point) -> None:
        future = self._client.submit(tried, point, version_of_program(), pure=False)
        self._started[future] = point

    def wait(self) -> Sequence[Done]:
        alone = 0
        while alone < _PATIENCE:
            try:
                found = self._library.wait(
                    list(self._started), timeout="1s", return_when="FIRST_COMPLETED"
                )
            except TimeoutError:
                alone = 0 if self._client.nthreads() else alone + 1
                continue
            done: list[_Future] = list(found.done)
            return [(self._started.pop(future), self._outcome(future)) for future in done]
        raise self._error(f"there have been no workers for {_PATIENCE} s")

    def _outcome(self, future: _Future) -> Outcome:
        if future.status == "finished":
            return future.result()
        if future.status == "error":
            error = future.exception()
            if isinstance(error, self._library.KilledWorker):
                return Outcome(None, "the workers that tried it ended, perhaps for want of memory")
            if isinstance(error, CmcError):
                raise error
            raise self._error(f"a worker cannot try designs: {type(error).__name__}: {error}")
        raise self._error("the scheduler is gone")

    def _error(self, message: str) -> CmcError:
        return CmcError(message, f"--scheduler {self._address}")

    def close(self) -> None:
        for future in self._started:
            future.release()
        self._client.close(timeout=5)


_ONE_AT_A_TIME = Lock()
"""What is kept for designs is for one thread."""


def tried(point: Point, version: str) -> Outcome:
    """What comes of a design, in a worker. CmcError if the worker has another program."""
    if version != version_of_program():
        message = f"a worker has cmc {version_of_program()}, and this is {version}"
        raise CmcError(message, "--scheduler")
    with _ONE_AT_A_TIME:
        return _evaluator()(point)


@cache
def _evaluator() -> Evaluate:
    return compiling()
