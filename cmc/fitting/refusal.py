"""What is said of a network that needs more of a resource than there is."""

from __future__ import annotations

from collections.abc import Mapping

from cmc.errors import CmcError

_NAMED = 5
"""Of those that need something, how many are named."""


def too_much(
    resource: str, whose: str, capacity: int, needs: Mapping[str, int], where: str | None
) -> CmcError:
    """Parts need more of a resource in all than there is of it.

    `needs` says how much each part needs, by its title: `412 crossbars are needed, and the chip has
    64: @conv5 needs 96, @conv4 48, and 12 others 268`.
    """
    total = sum(needs.values())
    return CmcError(
        f"{total} {resource} are needed, and {whose} has {capacity}: {_most(needs)}", where
    )


def too_large(
    resource: str, whose: str, capacity: int, needs: Mapping[str, int], where: str | None
) -> CmcError:
    """Each of some parts needs more of a resource than there is of it in one place.

    `a core has 64 crossbars, and @conv5 needs 96, @conv4 72`.
    """
    return CmcError(f"{whose} has {capacity} {resource}, and {_most(needs)}", where)


def too_scattered(
    resource: str, cores: int, each: int, needs: Mapping[str, int], where: str | None
) -> CmcError:
    """Parts need no more of a resource than there is, and no way was found to give it to them.

    `9 of 10 crossbars are needed, and no way was found to fit them on 5 cores of 2: @a needs 2`.
    """
    return CmcError(
        f"{sum(needs.values())} of {cores * each} {resource} are needed, and no way was found to "
        f"fit them on {cores} cores of {each}: {_most(needs)}",
        where,
    )


def _most(needs: Mapping[str, int]) -> str:
    most = sorted((item for item in needs.items() if item[1]), key=lambda item: -item[1])
    named = [f"{part} {need}" for part, need in most[:_NAMED]]
    named[0] = "{} needs {}".format(*most[0])
    if rest := most[_NAMED:]:
        others = "another one" if len(rest) == 1 else f"{len(rest)} others"
        named.append(f"and {others} {sum(need for _, need in rest)}")
    return ", ".join(named)
