# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What an image takes of energy: counts of what is done, times the target's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import auto
from functools import cached_property

from xdsl.utils.str_enum import StrEnum

from cmc.targets import Target

_PICO = 1e-12


class Kind(StrEnum):
    """What takes energy."""

    MXV = auto()
    DIGITAL = auto()
    SRAM = auto()
    LINKS = auto()
    IDLE = auto()


FIGURES: Mapping[Kind, str] = {
    Kind.MXV: "mxv_pj",
    Kind.DIGITAL: "lane_pj",
    Kind.SRAM: "sram_pj_per_byte",
    Kind.LINKS: "link_pj_per_byte",
    Kind.IDLE: "idle_mw",
}
"""The keys of a target that say how much of it each kind takes."""

AREAS = ("core_mm2", "chip_mm2")
"""The keys of a target for areas."""


@dataclass(frozen=True)
class Counts:
    """What is done for an image, exactly; of several pipelines, for an image of each."""

    products: Mapping[str, int]
    """By crossbar, `@stage/@crossbar`, how often it is driven at most."""
    operations: int
    """Multiplications and additions of these products: two for each weight of a matrix, wherever
    the matrix lies on its crossbar. The zeros between the blocks of a matrix that lies on the
    diagonal are none of its weights."""
    digital: int
    """Elements that operations of the digital unit compute."""
    sram_read: int
    """Bytes: what each window holds of its object, and constants, in each iteration."""
    sram_written: int
    """Bytes: each vector that arrives in a ring, from another core, from this one or the GCU."""
    hop_bytes: int | None
    """Bytes that are sent, each as often as it crosses a link. None where cores have no places."""

    @property
    def mxv(self) -> int:
        """How often crossbars are driven, all of them together."""
        return sum(self.products.values())

    def of(self, kind: Kind) -> int | None:
        """How often that is done which takes energy of a kind; None if it is not known."""
        counts = {
            Kind.MXV: self.mxv,
            Kind.DIGITAL: self.digital,
            Kind.SRAM: self.sram_read + self.sram_written,
            Kind.LINKS: self.hop_bytes,
        }
        return counts.get(kind)

    @staticmethod
    def total(parts: Sequence[Counts]) -> Counts:
        """What several cores do together."""
        hops = [part.hop_bytes for part in parts]
        known = [count for count in hops if count is not None]
        return Counts(
            {name: count for part in parts for name, count in part.products.items()},
            sum(part.operations for part in parts),
            sum(part.digital for part in parts),
            sum(part.sram_read for part in parts),
            sum(part.sram_written for part in parts),
            sum(known) if len(known) == len(hops) else None,
        )


@dataclass(frozen=True)
class Energy:
    """The energy of an image in a long stream, and what is computed for it.

    What is said of an image is an average, where several `pipelines` take turns with images.
    Energies are in joules; None is unknown: the target has no figure, or there is no interval.
    """

    target: Target
    cores: Mapping[str, Counts]
    """By the names of cores. The GCU, and the host, are not counted."""
    interval_ns: float | None
    pipelines: int = 1

    @cached_property
    def counts(self) -> Counts:
        """What all cores do, for an image of each pipeline."""
        return Counts.total(list(self.cores.values()))

    def joules(self, core: str | None = None) -> dict[Kind, float | None]:
        """By kind, what an image takes of the chip, or of one core, which has no share of idle."""
        counts = self.counts if core is None else self.cores[core]
        found = {kind: self._of_counts(kind, counts) for kind in Kind if kind != Kind.IDLE}
        return found if core is not None else {**found, Kind.IDLE: self._idle}

    @property
    def unknown(self) -> list[Kind]:
        """What takes energy, and nothing says how much."""
        return [kind for kind, joules in self.joules().items() if joules is None]

    @property
    def total(self) -> float | None:
        """All that is known of an image; None where nothing is. More, if anything is `unknown`."""
        return _known(self.joules())

    def core_total(self, core: str) -> float | None:
        """What is known of a core, as `total`."""
        return _known(self.joules(core))

    @property
    def watts(self) -> float | None:
        """In a long stream."""
        if self.total is None or not self.interval_ns:
            return None
        return self.total / self.interval_ns * 1e9

    @property
    def operations(self) -> float:
        """Multiplications and additions of products, of an image; digital ones do not count."""
        return _per(self.counts.operations, self.pipelines)

    @property
    def tops(self) -> float | None:
        """10¹² operations per second in a long stream."""
        return self.operations / self.interval_ns / 1e3 if self.interval_ns else None

    @property
    def tops_per_watt(self) -> float | None:
        """At the most, if anything is `unknown`."""
        return None if self.total is None else self.operations / self.total * _PICO

    @property
    def area_mm2(self) -> float | None:
        """That of the chip; of all its cores, where the target says no more."""
        if self.target.chip_mm2 is not None:
            return self.target.chip_mm2
        cores, each = self.target.cores, self.target.core_mm2
        return None if cores is None or each is None else cores * each

    @property
    def tops_per_mm2(self) -> float | None:
        """Of the whole chip, whatever part of it is used."""
        return _ratio(self.tops, self.area_mm2)

    @property
    def peak_tops(self) -> float | None:
        """With matrices that fill all crossbars of the target, each as often as it can be driven.

        Where cores have an issue port, one issue drives all crossbars of a core.
        """
        target = self.target
        if target.cores is None or target.rows is None or target.columns is None:
            return None
        interval = target.ns(max(target.product_interval, target.product_issue))
        return self._crossbar_operations * target.cores * target.crossbars / interval / 1e3

    @property
    def peak_tops_per_watt(self) -> float | None:
        """Of the same, with products and idle power alone, as far as these are known."""
        if self.peak_tops is None or self.target.mxv_pj is None:
            return None
        products = (
            self.peak_tops / self._crossbar_operations * self.target.mxv_pj * self.target.tries
        )
        return self.peak_tops / (products + (self.target.idle_mw or 0) / 1e3)

    @property
    def peak_tops_per_mm2(self) -> float | None:
        return _ratio(self.peak_tops, self.area_mm2)

    @property
    def _crossbar_operations(self) -> int:
        return 2 * (self.target.rows or 0) * (self.target.columns or 0)

    def _of_counts(self, kind: Kind, counts: Counts) -> float | None:
        count, figure = counts.of(kind), self.figure(kind)
        if count == 0:
            return 0.0
        return None if count is None or figure is None else count * figure * _PICO / self.pipelines

    @property
    def _idle(self) -> float | None:
        power = self.target.idle_mw
        if power is None or self.interval_ns is None:
            return None
        return power * self.interval_ns * _PICO

    def figure(self, kind: Kind) -> float | None:
        """What the target says of a kind, in the unit of its key."""
        return getattr(self.target, FIGURES[kind])

    def as_json(self) -> dict[str, object]:
        """All of it, of an image."""
        return {
            "counts": self._counts_json(self.counts),
            "joules": {str(kind): joules for kind, joules in self.joules().items()},
            "joules_known": self.total,
            "unknown": [str(kind) for kind in self.unknown],
            "watts": self.watts,
            "figures": {key: self._figure_json(key) for key in (*FIGURES.values(), *AREAS)},
            "area_mm2": self.area_mm2,
            "tops": self.tops,
            "tops_per_watt": self.tops_per_watt,
            "tops_per_mm2": self.tops_per_mm2,
            "peak_tops": self.peak_tops,
            "peak_tops_per_watt": self.peak_tops_per_watt,
            "peak_tops_per_mm2": self.peak_tops_per_mm2,
            "cores": [
                {
                    "name": name,
                    "counts": self._counts_json(counts),
                    "joules": {str(kind): joules for kind, joules in self.joules(name).items()},
                    "joules_known": self.core_total(name),
                }
                for name, counts in self.cores.items()
            ],
        }

    def _figure_json(self, key: str) -> dict[str, object]:
        """A figure, with its source, and whether that says that it is an assumption."""
        source = dict(self.target.sources).get(key)
        assumed = source is not None and source.startswith("assumption")
        return {"value": getattr(self.target, key), "source": source, "assumption": assumed}

    def _counts_json(self, counts: Counts) -> dict[str, object]:
        fields = {"mxv": counts.mxv, **asdict(counts)}
        products = {name: _per(n, self.pipelines) for name, n in counts.products.items()}
        rest = {
            name: None if count is None else _per(count, self.pipelines)
            for name, count in fields.items()
            if name != "products"
        }
        return {**rest, "products": products}


def _known(joules: Mapping[Kind, float | None]) -> float | None:
    """What is known in all; None where nothing is."""
    known = [one for one in joules.values() if one is not None]
    return sum(known) if any(known) else None


def _per(count: int, pipelines: int) -> float:
    """A count for an image, of which each of so many pipelines has one of so many."""
    return count // pipelines if count % pipelines == 0 else count / pipelines


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one / other
