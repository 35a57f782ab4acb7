"""What is said of a network that needs more of a resource than there is."""

from __future__ import annotations

from collections.abc import Mapping

from cmc.errors import CmcError

_NAMED = 5
"""Of those that need something, how many are named."""


def too_much(
    resource: str, whose: str, capacity: int, needs: Mapping[str, int], where: str
) -> CmcError:
    """Of `resource`, `whose` capacity is less than what `needs` come to: those that need most.

    `needs` says how much each part needs, by its title. `412 crossbars are needed, and the chip has
    64: @conv5 needs 96, @conv4 48, and 12 others 268`.
    """
    most = sorted((item for item in needs.items() if item[1]), key=lambda item: -item[1])
    named = [f"{title} {'needs ' if not n else ''}{need}" for n, (title, need) in enumerate(most)]
    parts = named[:_NAMED]
    if rest := most[_NAMED:]:
        others = "1 other" if len(rest) == 1 else f"{len(rest)} others"
        parts.append(f"and {others} {sum(need for _, need in rest)}")
    total = sum(needs.values())
    return CmcError(
        f"{total} {resource} are needed, and {whose} has {capacity}: {', '.join(parts)}", where
    )
