# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What of a network is on the host, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from cmc.dialects.nn.host import HostNode
from cmc.errors import one_line


@dataclass(frozen=True)
class HostReport:
    """A part on the host."""

    name: str
    engine: str
    """Who computes it."""
    reads: Sequence[str]
    writes: Sequence[str]
    nodes: Sequence[HostNode]

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "engine": self.engine,
            "reads": list(self.reads),
            "writes": list(self.writes),
            "nodes": [node._asdict() for node in self.nodes],
        }


def format_host(parts: Sequence[HostReport], cores: bool) -> str:
    """The parts in lines, each node with its reason; `cores` if anything is on the cores."""
    if not parts:
        return ""
    lines = (
        [] if cores else ["warning: nothing of the network is on the cores, so nothing is timed"]
    )
    for part in parts:
        lines.append(
            f"on the host: {part.name}, {one_line(', '.join(part.reads)) or 'nothing'} -> "
            f"{one_line(', '.join(part.writes))}, by {part.engine}; its time is unknown, and not "
            "counted"
        )
        rows = [
            (node.operator, f"'{one_line(node.node)}'", _short(node.reason)) for node in part.nodes
        ]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
        lines += [f"  {op:<{widths[0]}}  {name:<{widths[1]}}  {why}" for op, name, why in rows]
    return "\n".join(lines)


def _short(reason: str) -> str:
    """A reason without what a person could do about it."""
    return reason.partition(": express it")[0].partition(": export the model")[0]
