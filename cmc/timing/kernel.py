# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The events of processes that share units or links, one after the other: a compiled loop.

Numbers stand for processes, waits, units and cores, in flat arrays. What an event changes is a few
of them; the next event is found in a tree that has in each node the least time of those below.

What happens again and again is a *log* of its times: the starts of a process, and where vectors
have a hop over a link that they may have to wait for, when they begin on the link. *Followers* of a
log do something some cycles after each of its entries: signals, which are the ends of iterations
and the arrivals of vectors, end waits; hops take a vector on over their link. A follower may pass
over some entries of an image: those whose vectors go elsewhere.
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
    interval: Ints
    core: Ints
    wait_of: Ints
    """Of each process its waits, numbered through."""
    unit_of: Ints
    """Of each process the places in `unit` of what it occupies."""
    owner: Ints
    """Of each wait the process that waits; so the next ones."""
    on: Ints
    """The signal that must have come so often."""
    table: Ints
    """Where in `needs` those are that each iteration of an image awaits, from the image's start."""
    signals: Ints
    """How often the signal comes in an image."""
    driven: Ints
    """How many iterations of an image wait for it: all, or those that send something."""
    waits: Ints
    """Where in `some` those iterations are told from others; -1 if all of them wait."""
    needs: Ints
    some: Ints
    """Rows of 1 and 0: what is one of some."""
    waited_of: Ints
    """Of each signal the places in `waited` of waits for it."""
    waited: Ints
    link: Ints
    """Of each hop, the place of its link in `free`; so the next one."""
    held: Ints
    kept: Ints
    """Whether its whole log is kept, as those of processes are, or what is not followed yet."""
    follows: Ints
    """Of each signal, then of each hop, the log that it follows; so the next one."""
    after: Ints
    """After how many cycles."""
    entries: Ints
    """How many entries the log has in an image; so the next one."""
    passes: Ints
    """Where in `some` the entries that are followed are told from others; -1 if all of them are."""
    follower_of: Ints
    """Of each log, of processes and then of hops, the places in `follower` of what follows it."""
    follower: Ints
    unit: Ints
    occupied: Ints
    """For how many cycles, in the places of `unit`."""
    member_of: Ints
    """Of each core the places in `member` of its processes, in the order in which it serves."""
    member: Ints


class State(NamedTuple):
    """What changes from one event to the next."""

    begun: Ints
    """Entries of each log, of processes and hops; so the next ones."""
    stop: Ints
    """After how many the loop is to be left."""
    first: Ints
    """How many came before those that are kept."""
    place: Ints
    """Where in `starts` the first one is that is kept."""
    seen: Ints
    """How many entries each signal, and each hop, has followed or passed over."""
    limit: Ints
    """How many iterations of each process there are; so the next ones."""
    next: Ints
    """When the interval of the last one is over."""
    missing: Ints
    """How many waits of the next one are not over."""
    number: Ints
    """Of each wait, which of those of the image that wait is the next one; so the next ones."""
    base: Ints
    """Signals of the images before."""
    skip: Ints
    """For how many of them more there is nothing to wait for."""
    need: Ints
    """How many signals must have come before the next one."""
    free: Ints
    """When each unit is, and each link."""
    served: Ints
    """The place after that of the process which each core served last."""
    starts: Ints
    tree: Ints
    """The times of the next signal of each kind, then of the next vector that comes to each hop,
    then of the next look at each core, as leaves."""


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
    iteration = state.begun[process] % plan.iterations[process]
    for wait in range(plan.wait_of[process], plan.wait_of[process + 1]):
        row: int = plan.waits[wait]
        if row >= 0 and not plan.some[row + iteration]:
            continue
        if state.skip[wait]:
            state.skip[wait] -= 1
            if state.skip[wait]:
                continue
        state.number[wait] += 1
        if state.number[wait] == plan.driven[wait]:
            state.number[wait] = 0
            state.base[wait] += plan.signals[wait]
        need: int = state.base[wait] + plan.needs[plan.table[wait] + state.number[wait]]
        state.need[wait] = need
        if need > state.seen[plan.on[wait]]:
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
    leaf = len(plan.follows) + core
    if time < state.tree[len(state.tree) // 2 + leaf]:
        _put(state.tree, leaf, time)


@_compiled
def _enter(plan: Plan, state: State, log: int, time: int) -> bool:
    """The next entry of a log; whether to leave the loop."""
    number: int = state.begun[log]
    state.starts[state.place[log] + number - state.first[log]] = time
    state.begun[log] = number + 1
    for place in range(plan.follower_of[log], plan.follower_of[log + 1]):
        follower: int = plan.follower[place]
        if state.seen[follower] == number:
            if _passed(plan, follower, number, number + 1) == number:
                _put(state.tree, follower, time + plan.after[follower])
            else:
                state.seen[follower] = number + 1
    return number + 1 == state.stop[log]


@_compiled
def _passed(plan: Plan, follower: int, number: int, begun: int) -> int:
    """The first entry from a number on, of those that there are, which a follower follows."""
    row: int = plan.passes[follower]
    if row >= 0:
        while number < begun and not plan.some[row + number % plan.entries[follower]]:
            number += 1
    return number


@_compiled
def _follow(plan: Plan, state: State, follower: int, now: int) -> bool:
    """What a signal or a hop does some cycles after an entry; whether to leave the loop."""
    count: int = state.seen[follower] + 1
    log: int = plan.follows[follower]
    seen = _passed(plan, follower, count, state.begun[log])
    state.seen[follower] = seen
    time: int = NEVER
    if seen < state.begun[log]:
        time = state.starts[state.place[log] + seen - state.first[log]] + plan.after[follower]
    _put(state.tree, follower, time)
    signals = len(plan.follows) - len(plan.link)
    if follower >= signals:
        return _cross(plan, state, follower - signals, now)
    _signal(plan, state, follower, count, now)
    return False


@_compiled
def _signal(plan: Plan, state: State, signal: int, count: int, now: int) -> None:
    """An iteration ends, or a vector or a credit comes, after so many entries with it."""
    for place in range(plan.waited_of[signal], plan.waited_of[signal + 1]):
        wait: int = plan.waited[place]
        if state.need[wait] == count:
            owner: int = plan.owner[wait]
            state.missing[owner] -= 1
            if not state.missing[owner] and state.begun[owner] < state.limit[owner]:
                _look(plan, state, plan.core[owner], max(now, _free(plan, state, owner)))


@_compiled
def _cross(plan: Plan, state: State, hop: int, now: int) -> bool:
    """A vector comes to a link, and begins on it when those before it are through."""
    link: int = plan.link[hop]
    free: int = state.free[link]
    time = max(now, free)
    state.free[link] = time + plan.held[hop]
    log = len(plan.core) + hop
    full = _enter(plan, state, log, time)
    return full and (plan.kept[hop] > 0 or not _forget(plan, state, log))


@_compiled
def _forget(plan: Plan, state: State, log: int) -> bool:
    """Keep of a log what is not followed yet; whether that leaves half of its room."""
    first: int = state.first[log]
    begun: int = state.begun[log]
    least = begun
    for place in range(plan.follower_of[log], plan.follower_of[log + 1]):
        least = min(least, int(state.seen[plan.follower[place]]))
    start: int = state.place[log]
    for number in range(begun - least):
        state.starts[start + number] = state.starts[start + least - first + number]
    room: int = state.stop[log] - first
    state.first[log] = least
    state.stop[log] = least + room
    return 2 * (begun - least) <= room


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
            if _enter(plan, state, process, now):
                leave = True
            state.next[process] = now + plan.interval[process]
            for place_ in range(plan.unit_of[process], plan.unit_of[process + 1]):
                state.free[plan.unit[place_]] = now + plan.occupied[place_]
            state.served[core] = place + 1
            _next_needs(plan, state, process)
            if state.missing[process] or state.begun[process] >= state.limit[process]:
                continue
            time = _free(plan, state, process)
        again = min(again, time)
    _put(state.tree, len(plan.follows) + core, again)
    return leave


@_kept
def run(plan: Plan, state: State, now: int) -> int:
    """Go on until a log has as many entries as it is to be left after, or nothing can move.

    All that happens in the cycle of that event happens; the cycle is returned, or NEVER.
    """
    followers, leave = len(plan.follows), False
    while state.tree[1] == now or not leave:
        now = state.tree[1]
        if now == NEVER:
            break
        leaf = _first(state.tree)
        if leaf < followers:
            if _follow(plan, state, leaf, now):
                leave = True
        elif _serve(plan, state, leaf - followers, now):
            leave = True
    return now
