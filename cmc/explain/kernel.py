# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Go back through waits, from what waits to what came last of all that it waits for: compiled."""

from __future__ import annotations

from typing import NamedTuple

from cmc.compiled import compiled as _compiled
from cmc.compiled import kept as _kept
from cmc.poly.evaluate import Ints
from cmc.timing.flow import NEVER
from cmc.timing.kernel import Plan

NOTHING = -1
"""No log."""

PACE, END = -1, -2
"""What is waited for, where that is no wait of a plan: the iteration before, or an own end."""

NOT_SEEN = NEVER
"""When the first entry is of a log that was looked at: later than all."""

_BEFORE = -NEVER
"""When what is not known of a log is: before all that is."""


class Back(NamedTuple):
    """What a plan says, in the direction that one goes back in.

    Where there are several for each, those of number n are from `..._of[n]` up to `..._of[n + 1]`.
    """

    order: Ints
    """The waits of each process, in its places, as they are looked at."""
    slots: Ints
    """Of each wait, how many iterations of those that wait do not, at the start of the stream."""
    rank_of: Ints
    """Of each wait, where in `some` the iterations of an image are that wait; -1 for all."""
    passed_of: Ints
    """Of each hop, where in `some` the entries of an image of the log before are; -1 for all."""
    some: Ints
    vectors: Ints
    """Of each hop in an image."""
    user_of: Ints
    """Of each unit and link the places in `user` of the logs that take it."""
    user: Ints


class Clock(NamedTuple):
    """When entries of logs are: of each log some in a row, from a number on.

    These come again and again, each time a `rise` later, forever and ever; or once, if that is 0.
    """

    place: Ints
    """Of each log, where its first one is in `starts`; and where the last log ends."""
    starts: Ints
    first: Ints
    rise: int


class Seen(NamedTuple):
    """How far back each user of a unit or link was looked at, in the places of `Back.user`.

    Those of one unit or link are a heap: each one's entry is no earlier than those of the two which
    are twice as far from the first one.
    """

    log: Ints
    number: Ints
    when: Ints
    """NOT_SEEN before it is looked at."""


class Way(NamedTuple):
    """A chain of entries of logs, each of which but the last one waits for the next.

    Why it does is the number of a wait, or, after all of these, of a unit or link; PACE or END.
    """

    log: Ints
    number: Ints
    why: Ints
    cycles: Ints


@_kept
def when(clock: Clock, log: int, number: int) -> int:
    """When an entry of a log is."""
    begin: int = clock.place[log]
    count: int = clock.place[log + 1] - begin
    place: int = number - clock.first[log]
    later = 0
    if clock.rise and count:
        round_ = place // count
        place -= round_ * count
        later = round_ * clock.rise
    found = _BEFORE
    if 0 <= place < count:
        found = clock.starts[begin + place] + later
    return found


@_kept
def _before(back: Back, clock: Clock, seen: Seen, shared: int, now: int) -> int:
    """The place of what took a unit or link last before now, which is no later than last time."""
    first: int = back.user_of[shared]
    count: int = back.user_of[shared + 1] - first
    while seen.when[first] >= now:
        log: int = seen.log[first]
        number: int = seen.number[first]
        if seen.when[first] == NOT_SEEN:
            begin: int = clock.place[log]
            entries: int = clock.place[log + 1] - begin
            number = clock.first[log] + entries
            if clock.rise and entries:
                number += (now - clock.starts[begin]) // clock.rise * entries
        time = now
        while time >= now:
            number -= 1
            time = when(clock, log, number)
        place, child = 0, 1
        while child < count:
            if child + 1 < count and seen.when[first + child + 1] > seen.when[first + child]:
                child += 1
            if seen.when[first + child] <= time:
                break
            seen.log[first + place] = seen.log[first + child]
            seen.number[first + place] = seen.number[first + child]
            seen.when[first + place] = seen.when[first + child]
            place, child = child, 2 * child + 1
        seen.log[first + place] = log
        seen.number[first + place] = number
        seen.when[first + place] = time
    return first


@_compiled
def _rank(some: Ints, row: int, count: int, iteration: int) -> int:
    """Which of some in a row an iteration is."""
    low, high = row, row + count
    while low < high:
        middle = (low + high) // 2
        if some[middle] < iteration:
            low = middle + 1
        else:
            high = middle
    found = NOTHING
    if low < row + count and some[low] == iteration:
        found = low - row
    return found


@_compiled
def _came_from(plan: Plan, back: Back, hop: int, number: int) -> tuple[int, int]:
    """What a vector at a hop was before: the log and the number."""
    follower = len(plan.follows) - len(plan.link) + hop
    row: int = back.passed_of[hop]
    if row >= 0:
        image = number // back.vectors[hop]
        place = number - image * back.vectors[hop]
        number = image * plan.entries[follower] + back.some[row + place]
    return plan.follows[follower], number


@_compiled
def _awaited(plan: Plan, back: Back, wait: int, number: int) -> tuple[bool, int]:
    """Whether an iteration is one of those that wait, and the number of what it waits for."""
    owner: int = plan.owner[wait]
    image = number // plan.iterations[owner]
    iteration = number - image * plan.iterations[owner]
    row: int = back.rank_of[wait]
    if row >= 0:
        iteration = _rank(back.some, row, plan.driven[wait], iteration)
    among = image * plan.driven[wait] + iteration - back.slots[wait]
    image = among // plan.driven[wait]
    need = plan.needs[plan.table[wait] + among - image * plan.driven[wait]]
    return iteration >= 0, need + image * plan.signals[wait] - 1


@_compiled
def _last(
    plan: Plan, back: Back, clock: Clock, seen: Seen, log: int, number: int
) -> tuple[int, int, int, int]:
    """What something waits for last: why, the log and number of that, and for how long.

    A vector waits for the one before it on the link. Of an iteration, where several things came in
    one cycle, it is the first one of: its own iteration before, a unit, data, room.
    """
    now = when(clock, log, number)
    processes, waits = len(plan.core), len(plan.owner)
    why, on, entry, cycles = PACE, NOTHING, 0, 0
    if log >= processes:
        link: int = plan.link[log - processes]
        last = _before(back, clock, seen, link, now)
        why, on, entry = waits + link, int(seen.log[last]), int(seen.number[last])
        cycles = int(plan.held[on - processes])
    elif when(clock, log, number - 1) == now - plan.interval[log]:
        on, entry, cycles = log, number - 1, int(plan.interval[log])
    else:
        for place in range(plan.unit_of[log], plan.unit_of[log + 1]):
            unit: int = plan.unit[place]
            last = _before(back, clock, seen, unit, now)
            user: int = seen.log[last]
            for held in range(plan.unit_of[user], plan.unit_of[user + 1]):
                free = seen.when[last] + plan.occupied[held]
                if on == NOTHING and plan.unit[held] == unit and free == now:
                    why, on, entry = waits + unit, user, int(seen.number[last])
                    cycles = int(plan.occupied[held])
        place, end = int(plan.wait_of[log]), int(plan.wait_of[log + 1])
        while on == NOTHING and place < end:
            wait: int = back.order[place]
            some, need = _awaited(plan, back, wait, number)
            signal: int = plan.on[wait]
            source: int = plan.follows[signal]
            after: int = plan.after[signal]
            if some and when(clock, source, need) == now - after:
                why, on, entry, cycles = wait, source, need, after
            place += 1
    return why, on, entry, cycles


@_kept
def go_back(
    plan: Plan, back: Back, clock: Clock, seen: Seen, way: Way, step: int, since: int
) -> int:
    """Go on with a way after so many waits, back to a cycle or as far as there is room.

    How many waits that are then. Of a vector that did not wait where it came to a link it goes on
    before that: where it waited for a link, or with the iteration that sent it.
    """
    processes = len(plan.core)
    signals = len(plan.follows) - len(plan.link)
    log: int = way.log[step]
    number: int = way.number[step]
    now = when(clock, log, number)
    while step < len(way.why) and now > since:
        why, on, entry, cycles = _last(plan, back, clock, seen, log, number)
        if on == NOTHING:
            break
        log, number = on, entry
        now -= cycles
        waited = False
        while log >= processes and not waited:
            after: int = plan.after[signals + log - processes]
            before, came = _came_from(plan, back, log - processes, number)
            waited = when(clock, before, came) + after < now
            if not waited:
                log, number = before, came
                now -= after
                cycles += after
        way.why[step] = why
        way.cycles[step] = cycles
        step += 1
        way.log[step] = log
        way.number[step] = number
    return step


@_kept
def find_senders(plan: Plan, back: Back, log: Ints, number: Ints) -> None:
    """Put what sent them in the place of vectors."""
    for place in range(len(log)):
        while log[place] >= len(plan.core):
            hop = log[place] - len(plan.core)
            log[place], number[place] = _came_from(plan, back, hop, number[place])
