"""What is said of a network that needs more of a resource than there is."""

from __future__ import annotations

from collections.abc import Mapping

from cmc.errors import CmcError

_NAMED = 5
"""Of those that need something, how many are named."""


_HELP = {
    "crossbars": "a target with more crossbars, or with larger ones",
    "bytes of SRAM": "smaller rings (--buffers minimal, unless they are), or more SRAM",
}
"""What to do if there is too little of a resource."""


def too_much(
    resource: str, whose: str, capacity: int, needs: Mapping[str, int], where: str | None
) -> CmcError:
    """Parts need more of a resource in all than there is of it.

    `needs` says how much each part needs, by its title: `412 crossbars are needed, and the chip has
    64: 96 for @conv5, 48 for @conv4, 268 for 12 others; it takes a target with …`.
    """
    return CmcError(
        f"{sum(needs.values())} {resource} are needed, and {whose} has {capacity}: "
        f"{_shares(needs)}; it takes {_HELP[resource]}",
        where,
    )


def too_large(
    resource: str, whose: str, capacity: int, needs: Mapping[str, int], where: str | None
) -> CmcError:
    """Each of some parts needs more of a resource than there is of it in one place.

    `a core has 64 crossbars, and @conv5 needs 96, @conv4 72`.
    """
    (first, most), *others = _largest(needs)
    parts = [f"{first} needs {most}", *(f"{part} {need}" for part, need in others)]
    return CmcError(f"{whose} has {capacity} {resource}, and {', '.join(parts)}", where)


def too_scattered(
    resource: str, cores: int, each: int, needs: Mapping[str, int], where: str | None
) -> CmcError:
    """Parts need no more of a resource than there is, and no way was found to give it to them.

    `9 of 10 crossbars are needed, and no way was found to fit them on 5 cores of 2: 2 for @a`.
    """
    return CmcError(
        f"{sum(needs.values())} of {cores * each} {resource} are needed, and no way was found to "
        f"fit them on {cores} cores of {each}: {_shares(needs)}",
        where,
    )


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
