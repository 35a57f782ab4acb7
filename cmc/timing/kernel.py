"""The events of processes that share units, one after the other: a loop over flat arrays, compiled.

Numbers stand for processes, waits, units and cores. What an event changes is a few of them; the
next event is found in a tree that has in each node the least time of those below.
"""

from __future__ import annotations

from typing import NamedTuple

from cmc.compiled import compiled as _compiled
from cmc.compiled import kept as _kept
from cmc.poly.evaluate import Ints
from cmc.timing.flow import NEVER


class Plan(NamedTuple):
    """What stays as it is.

    Where there are several for each process or core, those of number n are from `..._of[n]` up to
    `..._of[n + 1]`.
    """

    iterations: Ints
    """Of each process in an image; so the next ones."""
    latency: Ints
    interval: Ints
    core: Ints
    wait_of: Ints
    """Of each process its waits, numbered through."""
    waited_of: Ints
    """Of each process the places in `waited` of waits for it."""
    unit_of: Ints
    """Of each process the places in `unit` of what it occupies."""
    owner: Ints
    """Of each wait the process that waits; so the next ones."""
    on: Ints
    """The process whose iterations must have ended."""
    table: Ints
    """Where in `needs` those are that each iteration of an image awaits, from the image's start."""
    signals: Ints
    """Iterations of that process in an image."""
    needs: Ints
    waited: Ints
    unit: Ints
    occupied: Ints
    """For how many cycles, in the places of `unit`."""
    member_of: Ints
    """Of each core the places in `member` of its processes, in the order in which it serves."""
    member: Ints


class State(NamedTuple):
    """What changes from one event to the next."""

    begun: Ints
    """Iterations of each process so far; so the next ones."""
    ended: Ints
    limit: Ints
    """How many there are."""
    stop: Ints
    """After how many the loop is to be left."""
    next: Ints
    """When the interval of the last one is over."""
    missing: Ints
    """How many waits of the next one are not over."""
    first: Ints
    """How many came before those whose `starts` are kept."""
    place: Ints
    """Where in `starts` the first one is that is kept."""
    number: Ints
    """Of each wait, the iteration of the image that waits next; so the next ones."""
    base: Ints
    """Signals of the images before."""
    skip: Ints
    """For how many iterations more there is nothing to wait for."""
    need: Ints
    """How many iterations must have ended before the next one."""
    free: Ints
    """When each unit is."""
    served: Ints
    """The place after that of the process which each core served last."""
    starts: Ints
    tree: Ints
    """The times of the next end of each process, then of the next look at each core, as leaves."""


@_compiled
def _put(tree: Ints, leaf: int, time: int) -> None:
    node = len(tree) // 2 + leaf
    tree[node] = time
    while node > 1:
        node //= 2
        least = min(tree[2 * node], tree[2 * node + 1])
        if tree[node] == least:
            break
        tree[node] = least


@_compiled
def _first(tree: Ints) -> int:
    """The first leaf of the least time."""
    half, node = len(tree) // 2, 1
    while node < half:
        node *= 2
        if tree[node] != tree[1]:
            node += 1
    return node - half


@_compiled
def _next_needs(plan: Plan, state: State, process: int) -> None:
    """What the iteration after the last one waits for."""
    missing = 0
    for wait in range(plan.wait_of[process], plan.wait_of[process + 1]):
        if state.skip[wait]:
            state.skip[wait] -= 1
            if state.skip[wait]:
                continue
        state.number[wait] += 1
        if state.number[wait] == plan.iterations[process]:
            state.number[wait] = 0
            state.base[wait] += plan.signals[wait]
        need: int = state.base[wait] + plan.needs[plan.table[wait] + state.number[wait]]
        state.need[wait] = need
        if need > state.ended[plan.on[wait]]:
            missing += 1
    state.missing[process] = missing


@_compiled
def _free(plan: Plan, state: State, process: int) -> int:
    """When the interval of a process is over and all its units are free."""
    time: int = state.next[process]
    for place in range(plan.unit_of[process], plan.unit_of[process + 1]):
        free = int(state.free[plan.unit[place]])
        time = max(time, free)
    return time


@_compiled
def _look(plan: Plan, state: State, core: int, time: int) -> None:
    """Look at a core by then."""
    leaf = len(plan.core) + core
    if time < state.tree[len(state.tree) // 2 + leaf]:
        _put(state.tree, leaf, time)


@_compiled
def _end(plan: Plan, state: State, process: int, now: int) -> None:
    """An iteration ends, and signals it."""
    ended: int = state.ended[process] + 1
    state.ended[process] = ended
    time: int = NEVER
    if ended < state.begun[process]:
        kept: int = state.place[process] + ended - state.first[process]
        time = state.starts[kept] + plan.latency[process]
    _put(state.tree, process, time)
    for place in range(plan.waited_of[process], plan.waited_of[process + 1]):
        wait: int = plan.waited[place]
        if state.need[wait] == ended:
            owner: int = plan.owner[wait]
            state.missing[owner] -= 1
            if not state.missing[owner] and state.begun[owner] < state.limit[owner]:
                _look(plan, state, plan.core[owner], max(now, _free(plan, state, owner)))


@_compiled
def _serve(plan: Plan, state: State, core: int, now: int) -> bool:
    """A core begins what it can, each of its processes in turn; whether to leave the loop."""
    first: int = plan.member_of[core]
    count: int = plan.member_of[core + 1] - first
    served: int = state.served[core]
    again, leave = NEVER, False
    for turn in range(served, served + count):
        place = turn if turn < count else turn - count
        process: int = plan.member[first + place]
        if state.missing[process] or state.begun[process] >= state.limit[process]:
            continue
        time = _free(plan, state, process)
        if time <= now:
            begun: int = state.begun[process]
            state.starts[state.place[process] + begun - state.first[process]] = now
            if begun == state.ended[process]:
                _put(state.tree, process, now + plan.latency[process])
            state.begun[process] = begun + 1
            leave = leave or begun + 1 == state.stop[process]
            state.next[process] = now + plan.interval[process]
            for place_ in range(plan.unit_of[process], plan.unit_of[process + 1]):
                state.free[plan.unit[place_]] = now + plan.occupied[place_]
            state.served[core] = place + 1
            _next_needs(plan, state, process)
            if state.missing[process] or begun + 1 >= state.limit[process]:
                continue
            time = _free(plan, state, process)
        again = min(again, time)
    _put(state.tree, len(plan.core) + core, again)
    return leave


@_kept
def run(plan: Plan, state: State, now: int) -> int:
    """Go on until a process has begun as much as it is to be left after, or nothing can move.

    All that happens in the cycle of that event happens; the cycle is returned, or NEVER.
    """
    processes, leave = len(plan.core), False
    while state.tree[1] == now or not leave:
        now = state.tree[1]
        if now == NEVER:
            break
        leaf = _first(state.tree)
        if leaf < processes:
            _end(plan, state, leaf, now)
        elif _serve(plan, state, leaf - processes, now):
            leave = True
    return now
