"""The fewest slots: the rings that a demand-driven schedule needs.

Run a pipeline from its end: to run an iteration, first run what it needs, just far enough. How full
each ring gets in this schedule is a size with which nothing deadlocks, for the schedule itself is
the witness.

On a channel to a reader that nothing else overtakes, the reader's iteration i finds all elements
from the oldest that it or a later one wants to the newest that it needs: the ring holds these, and
no fewer would do. Where a writer has several readers, and the ways from it meet again in a stage j,
iteration k of j makes the writer emit whatever any way to j needs for k, while a reader may have
come no further than j's iteration k - 1 asked for: its ring holds all that lies between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import islpy as isl
import numpy as np

from cmc.poly.evaluate import tabulate
from cmc.poly.extremes import lexmax, lexmin
from cmc.poly.order import Order
from cmc.poly.relations import prefix_maximum, union


@dataclass(frozen=True, eq=False)
class Dependence:
    """A channel: from each iteration of the reader to the writer's iterations that it reads from.

    Both sides run in lexicographic order; the tuples have no names.
    """

    writer: str
    reader: str
    reads: isl.Map
    reading: isl.Set

    @cached_property
    def need(self) -> isl.Map:
        """The last writer's iteration that the reader's iterations up to this one need."""
        return prefix_maximum(self.reads, self.reading).coalesce()


def minimal_slots(iterations: Mapping[str, isl.Set], channels: Sequence[Dependence]) -> list[int]:
    """The slots of each channel, from the iterations of each stage or input and the channels."""
    readers: dict[str, list[Dependence]] = {name: [] for name in iterations}
    for channel in channels:
        readers[channel.writer].append(channel)
    known: dict[tuple[isl.Map, isl.Set, isl.Set], int] = {}
    forks = _Forks(iterations, readers)
    result: list[int] = []
    for channel in channels:
        key = (channel.reads, channel.reading, iterations[channel.writer])
        if key not in known:
            known[key] = _alone(channel, iterations[channel.writer])
        slots = known[key]
        if len(readers[channel.writer]) > 1:
            slots = max(slots, forks.slots(channel))
        result.append(slots)
    return result


def _alone(channel: Dependence, writing: isl.Set) -> int:
    """The slots of a channel whose reader nothing overtakes."""
    later = isl.Map.lex_le(channel.reading.get_space()).intersect_range(channel.reading)
    oldest = lexmin(later.intersect_domain(channel.reading).apply_range(channel.reads))
    return _longest(channel.need, oldest, writing)


def _longest(newest: isl.Map, oldest: isl.Map, writing: isl.Set) -> int:
    """The largest number of the writer's iterations from `oldest(i)` to `newest(i)`, both included.

    Both map the same points to iterations of the writer, which run in lexicographic order.
    """
    rank = writing.dim(isl.dim_type.set)
    bounds = [
        (writing.dim_min_val(d).to_python(), writing.dim_max_val(d).to_python())
        for d in range(rank)
    ]
    dims = [f"i{d}" for d in range(rank)]
    limits = " and ".join(
        f"{low} <= {name} <= {high}" for name, (low, high) in zip(dims, bounds, strict=True)
    )
    full = isl.Set(f"{{ [{', '.join(dims)}] : {limits or 'true'} }}")
    if not writing.is_equal(full):
        return _longest_by_table(newest, oldest, writing)
    stride, terms = 1, ["1"]
    for name, (low, high) in zip(reversed(dims), reversed(bounds), strict=True):
        terms.append(f"{stride}*({name} - {name}_)")
        stride *= high - low + 1
    both = ", ".join([*dims, *(f"{name}_" for name in dims)])
    count = isl.Map(f"{{ [{both}] -> [{' + '.join(terms)}] }}")
    lengths = newest.flat_range_product(oldest).range().apply(count)
    return 1 if lengths.is_empty() else max(1, lengths.dim_max_val(0).to_python())


def _longest_by_table(newest: isl.Map, oldest: isl.Map, writing: isl.Set) -> int:
    """As `_longest`, for iterations that do not fill a box: point by point."""
    both = newest.domain().intersect(oldest.domain())
    if both.is_empty():
        return 1
    columns = tuple(Order.of(both).points.T)
    count = len(columns[0]) if columns else 1
    order = Order.of(writing)

    def numbers(function: isl.Map):
        places = tabulate(function, columns).coordinates
        return order.number(np.stack([np.broadcast_to(c, count) for c in places], axis=1))

    return max(1, int((numbers(newest) - numbers(oldest)).max()) + 1)


@dataclass(frozen=True)
class _Forks:
    """The rings of writers with several readers. Stages stand after those that they read from."""

    iterations: Mapping[str, isl.Set]
    readers: Mapping[str, Sequence[Dependence]]

    @cached_property
    def _below(self) -> dict[str, frozenset[str]]:
        """For each stage, itself and all that its data reaches."""
        below: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.iterations)):
            below[name] = frozenset({name}).union(*(below[c.reader] for c in self.readers[name]))
        return below

    @cached_property
    def _unavoidable(self) -> dict[str, frozenset[str]]:
        """For each stage, itself and all that every way from it to an end goes through."""
        through: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.iterations)):
            ways = [through[c.reader] for c in self.readers[name]]
            through[name] = frozenset({name}) | (ways[0].intersection(*ways) if ways else set())
        return through

    def slots(self, channel: Dependence) -> int:
        """The slots of one channel of a writer with several readers."""
        return max(
            self._between(channel, meeting)
            for meeting in self._meetings(channel.writer)
            if meeting in self._below[channel.reader]
        )

    def _meetings(self, fork: str) -> list[str]:
        """Where all ways from a writer first meet again; if they never do, all their ends."""
        meet = self._unavoidable[fork] - {fork}
        below = [name for name in self.iterations if name in self._below[fork]]
        first = [name for name in below if name in meet][:1]
        return first or [name for name in below if not self.readers[name]]

    def _between(self, channel: Dependence, meeting: str) -> int:
        """The slots for what lies between the writer and the reader while `meeting` runs."""
        steps = self.iterations[meeting]
        demands = self._demands(channel.writer, meeting)
        forced, asked = demands[channel.writer], demands[channel.reader]
        reading = channel.reading
        # The first step that asks for iteration i, or for a later one.
        upto = isl.Map.lex_le(reading.get_space()).intersect_domain(reading)
        first = lexmin(upto.apply_range(asked.reverse()))
        # Before step k, the reader has at least run all that an earlier step asked for.
        later = isl.Map.lex_le(steps.get_space()).intersect_domain(steps).intersect_range(steps)
        never = isl.Map.from_domain_and_range(steps, reading.subtract(first.domain()))
        pending = later.apply_range(first.reverse()).union(never)
        oldest = lexmin(pending.apply_range(channel.reads))
        return _longest(forced, oldest, self.iterations[channel.writer])

    def _demands(self, fork: str, meeting: str) -> dict[str, isl.Map]:
        """For each stage between, the last iteration that each step of `meeting` asks for."""
        demands = {meeting: self.iterations[meeting].identity()}
        for name in reversed(list(self.iterations)):
            if name != meeting and name in self._below[fork] and meeting in self._below[name]:
                ways = [
                    demands[c.reader].apply_range(c.need)
                    for c in self.readers[name]
                    if c.reader in demands
                ]
                demands[name] = lexmax(union(ways)).coalesce()
        return demands
