# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Who tries designs: processes on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Protocol

from cmc.explore.outcome import Outcome
from cmc.explore.point import Point

Done = tuple[Point, Outcome]

Evaluate = Callable[[Point], Outcome]


def compiling() -> Evaluate:
    """Compiles and times designs. What that takes is imported here, where it is done."""
    from cmc.explore.evaluate import Evaluator

    return Evaluator()


TRIES = 2
"""How often a design is tried whose process ends."""


class Workers(Protocol):
    """Who tries several designs at a time."""

    def free(self) -> bool:
        """Whether one more can be started."""
        ...

    def start(self, point: Point) -> None: ...

    def wait(self) -> Sequence[Done]:
        """What has come of some of those that were started, one at the least."""
        ...

    def close(self) -> None:
        """Give up what was started."""
        ...


class Processes:
    """So many processes of this machine, each of which keeps what designs share.

    A process that ends, killed or for want of memory, is replaced. Its design is tried once more,
    and then has that for an outcome.
    """

    def __init__(self, count: int, make: Callable[[], Evaluate]):
        # What is forked has threads and states of libraries that it knows nothing of.
        self._context = get_context("spawn")
        self._make = make
        self._workers = [self._worker() for _ in range(count)]

    def _worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._make), daemon=True)
        # An interrupt at the terminal is for this process: the others have it blocked from birth.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return _Worker(process, ours)

    def free(self) -> bool:
        return any(worker.point is None for worker in self._workers)

    def start(self, point: Point) -> None:
        next(worker for worker in self._workers if worker.point is None).start(point)

    def wait(self) -> Sequence[Done]:
        done: list[Done] = []
        while not done:
            ready = wait([one.connection for one in self._workers if one.point is not None])
            for number, worker in enumerate(self._workers):
                if worker.connection in ready and worker.point is not None:
                    outcome = worker.outcome()
                    if outcome is not None:
                        done.append((worker.point, outcome))
                        worker.point = None
                    else:
                        done += self._replace(number, worker, worker.point)
        return done

    def _replace(self, number: int, worker: _Worker, point: Point) -> Sequence[Done]:
        worker.process.join()
        self._workers[number] = new = self._worker()
        if worker.tries == TRIES:
            return [(point, Outcome(None, f"{_ended(worker.process.exitcode)}, {TRIES} times"))]
        new.start(point, worker.tries + 1)
        return ()

    def close(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()


class _Worker:
    """A process, and what it is about."""

    def __init__(self, process: BaseProcess, connection: Connection[Point, Outcome]):
        self.process = process
        self.connection = connection
        self.point: Point | None = None
        self.tries = 0

    def start(self, point: Point, tries: int = 1) -> None:
        self.point, self.tries = point, tries
        # One that has ended is found when it is waited for.
        with suppress(OSError):
            self.connection.send(point)

    def outcome(self) -> Outcome | None:
        """What came of the point; None if the process has ended."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return None


def _ended(code: int | None) -> str:
    if code is None or code >= 0:
        return f"the process that tried it ended with exit code {code}"
    name = signal.Signals(-code).name
    memory = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
    return f"the process that tried it was ended by {name}{memory}"


def _serve(connection: Connection[Outcome, Point], make: Callable[[], Evaluate]) -> None:
    """Try what comes, one after the other, until whoever asks for it ends."""
    Thread(target=_end_with_parent, daemon=True).start()
    evaluate = make()
    while True:
        try:
            point = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(evaluate(point))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
