# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What Perfetto makes of a trace in the trace-event format, as its importer of JSON does.

Rules are those of its trace processor, `src/trace_processor/importers` (v59): times are whole
nanoseconds, what is less is cut off; events go by their times, and those of one time as they stand;
a complete event that is partly in another one of its thread is left out; flows bind to what began
last on their thread; a thread's name is set by its number, of several threads on the last one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Event(Protocol):
    """As it is written."""

    @property
    def ph(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def tid(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def cat(self) -> str: ...
    @property
    def ts(self) -> float: ...
    @property
    def dur(self) -> float: ...
    @property
    def id(self) -> int: ...
    @property
    def bp(self) -> str: ...
    @property
    def args(self) -> Mapping[str, object]: ...


@dataclass(frozen=True)
class Slice:
    """A complete event on its thread."""

    event: Event
    ts: int
    dur: int
    depth: int

    @property
    def end(self) -> int:
        return self.ts + self.dur


@dataclass
class Imported:
    """A trace that was read."""

    slices: list[Slice] = field(default_factory=list[Slice])
    flows: dict[int, tuple[Slice, Slice]] = field(default_factory=dict[int, tuple[Slice, Slice]])
    """What each flow leads from, and what to."""
    threads: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    """Names by processes and numbers."""
    dropped: list[Event] = field(default_factory=list["Event"])


def imported(events: Iterable[Event]) -> Imported:
    """The trace of some events."""
    found, known = Imported(), defaultdict[int, list[int]](list)
    stacks: dict[tuple[int, int], list[Slice]] = defaultdict(list)
    begun: dict[tuple[int, str, str], Slice] = {}
    for event in sorted(events, key=lambda one: 0 if one.ph == "M" else _ns(one.ts)):
        # A process has a thread of its own number.
        for pid, tid in ((event.pid, event.pid), (event.pid, event.tid)):
            if pid not in known[tid]:
                known[tid].append(pid)
        stack, flow = stacks[event.pid, event.tid], (event.id, event.cat, event.name)
        if event.ph == "M" and event.name == "thread_name":
            found.threads[known[event.tid][-1], event.tid] = str(event.args["name"])
        elif event.ph == "X":
            new = Slice(event, _ns(event.ts), _ns(event.dur), 0)
            while stack and (stack[-1].end < new.ts or (stack[-1].end == new.ts and stack[-1].dur)):
                stack.pop()
            if stack and new.ts < stack[-1].end < new.end:
                found.dropped.append(event)
                continue
            stack.append(Slice(event, new.ts, new.dur, len(stack)))
            found.slices.append(stack[-1])
        elif event.ph == "s" and stack and flow not in begun:
            begun[flow] = stack[-1]
        elif event.ph == "f" and event.bp == "e" and stack and flow in begun:
            found.flows[event.id] = begun[flow], stack[-1]
        elif event.ph in "sf":
            found.dropped.append(event)
    return found


def _ns(microseconds: float) -> int:
    return int(microseconds * 1000.0)
