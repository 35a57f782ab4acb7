# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What is said of a network that needs more of a resource than there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cmc.errors import CmcError

_NAMED = 5
"""Of those that need something, how many are named."""


_HELPS = {
    "crossbars": ("more crossbars", "larger ones"),
    "bytes of SRAM": ("more SRAM",),
}
"""What to do if there is too little of a resource, whatever it is for."""

SMALLER_RINGS = "smaller rings (--buffers minimal, unless they are)"


class DoesNotFit(CmcError):
    """A chip has no place for something; for fewer copies of stages it may have one."""


class TooMuch(DoesNotFit):
    """Parts need more of a resource in all than there is of it; `helps` are ways out of that."""

    def __init__(self, resource: str, problem: str, helps: Sequence[str], where: str | None):
        self.resource = resource
        self._problem = problem
        self._helps = helps
        *some, last = helps
        ways = ", ".join([*some, f"or {last}"]) if some else last
        super().__init__(f"{problem}; it takes {ways}", where)

    def or_(self, help: str) -> TooMuch:
        """The same, with one way out more."""
        return TooMuch(self.resource, self._problem, [*self._helps, help], self.where)


def too_much(
    resource: str,
    whose: str,
    capacity: int,
    needs: Mapping[str, int],
    where: str | None,
    helps: Sequence[str] = (),
) -> TooMuch:
    """Parts need more of a resource in all than there is of it.

    `needs` says how much each part needs, by its title, and `helps` what would do beside a larger
    chip: `412 crossbars are needed, and the chip has 64: 96 for @conv5, 48 for @conv4, 268 for 12
    others; it takes 7 such chips, more crossbars, or larger ones`.
    """
    problem = (
        f"{sum(needs.values())} {resource} are needed, and {whose} has {capacity}: {_shares(needs)}"
    )
    return TooMuch(resource, problem, [*helps, *_HELPS[resource]], where)


def too_large(
    resource: str, whose: str, capacity: int, needs: Mapping[str, int], where: str | None
) -> DoesNotFit:
    """Each of some parts needs more of a resource than there is of it in one place.

    `a core has 64 crossbars, and @conv5 needs 96, @conv4 72`.
    """
    (first, most), *others = _largest(needs)
    parts = [f"{first} needs {most}", *(f"{part} {need}" for part, need in others)]
    return DoesNotFit(f"{whose} has {capacity} {resource}, and {', '.join(parts)}", where)


def too_scattered(
    resource: str,
    cores: int,
    each: int,
    needs: Mapping[str, int],
    where: str | None,
    helps: Sequence[str] = (),
) -> TooMuch:
    """Parts need no more of a resource than there is, and no way was found to give it to them.

    `9 of 10 crossbars are needed, and no way was found to fit them on 5 cores of 2: 2 for @a; it
    takes …`.
    """
    problem = (
        f"{sum(needs.values())} of {cores * each} {resource} are needed, and no way was found to "
        f"fit them on {cores} cores of {each}: {_shares(needs)}"
    )
    return TooMuch(resource, problem, [*helps, *_HELPS[resource]], where)


def _shares(needs: Mapping[str, int]) -> str:
    return ", ".join(f"{need} for {part}" for part, need in _largest(needs))


def _largest(needs: Mapping[str, int]) -> list[tuple[str, int]]:
    """Those that need most, most first, and the rest in one."""
    most = sorted((item for item in needs.items() if item[1]), key=lambda item: -item[1])
    named, rest = most[:_NAMED], most[_NAMED:]
    if rest:
        others = "another one" if len(rest) == 1 else f"{len(rest)} others"
        named.append((others, sum(need for _, need in rest)))
    return named
