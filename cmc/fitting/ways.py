# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ways of channels between the cores of a pipeline or a chip, as its target has links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from cmc.dialects.cmctrl import ChipOp
from cmc.dialects.cmpipe import PipelineOp, target_of
from cmc.targets import Target
from cmc.targets.topology import Topology, topology_of
from cmc.timing.flow import HERE, Way


@dataclass(frozen=True)
class Ways:
    """A target, and the places of cores by their names.

    Where all places are alike, those of cores that say nothing follow the order in which they
    stand. A way between cores of which one has no place, or between which there is none, costs
    nothing: a chip is not made of such cores (`cmc.fitting.limits`).

    Where so many pipelines are to share a bus, it is that much slower for each of them.
    """

    target: Target
    places: Mapping[str, int]
    sharing: int = 1

    @staticmethod
    def of(scope: PipelineOp | ChipOp) -> Ways:
        """The ways between the cores of a pipeline or a chip."""
        target, cores = target_of(scope), list(scope.cores())
        if target.link_bytes_per_cycle is None and not target.hop:
            return Ways(target, {})
        given = {core.sym_name.data: core.place for core in cores}
        places = {name: place for name, place in given.items() if place is not None}
        enough = target.cores is None or len(cores) <= target.cores
        if not topology_of(target).placed and enough and len(places) < len(cores):
            places = {name: place for place, name in enumerate(given)}
        pipelines = scope.copies if isinstance(scope, PipelineOp) else 1
        return Ways(target, places, pipelines if target.topology == "bus" else 1)

    @cached_property
    def _topology(self) -> Topology:
        # To find it anew takes the hash of all figures of the target.
        return topology_of(self.target)

    @property
    def multicast(self) -> bool:
        """Whether a vector for several readers crosses a link once."""
        return self.target.multicast

    def title(self, link: int) -> str:
        """A link, for a person."""
        return self._topology.links[link].title

    def between(self, source: str | None, to: str, vector: int) -> Way:
        """The way of vectors of so many numbers from one core to another; None is the GCU."""
        ends = self.places.get(source or ""), self.places.get(to)
        if ends[0] is None or ends[1] is None:
            return HERE
        links = self._topology.route(ends[0], ends[1])
        if not links:
            return HERE
        bytes, width = vector * self.target.element_bytes, self.target.link_bytes_per_cycle
        held = 0 if width is None else ceil(bytes / width) * self.sharing
        return Way(links, self.target.hop, held, bytes)
