# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a chip is made of, as the passes and the simulator see it: times are in cycles."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

SRAM_BYTES = 1 << 32
"""The largest SRAM: addresses have 32 bits."""


@dataclass(frozen=True)
class Target:
    """A chip to compile for; the defaults are those of `ideal`.

    Times are in cycles of the target's clock, rates in bytes per cycle, in whole millionths. `None`
    is no limit: of a number, as much as is wanted; of lanes and rates, work that takes no time.
    What each field means stands in `cmc.targets.keys`.
    """

    name: str = "ideal"
    clock_ghz: float = 1.0
    cores: int | None = None
    crossbars: int = 1
    rows: int | None = None
    columns: int | None = None
    sram_bytes: int | None = None
    activation_bits: int = 32
    mxv: int = 1
    mxv_interval: int = 1
    issue_interval: int = 0
    lanes: int | None = None
    lane_cycles: int = 1
    sram_bytes_per_cycle: Fraction | None = None
    gcu_bytes_per_cycle: Fraction | None = None
    topology: str = "all-to-all"
    reach: int | None = None
    grid: tuple[int, int] | None = None
    edges: tuple[tuple[int, int], ...] | None = None
    link_bytes_per_cycle: Fraction | None = None
    hop: int = 0
    multicast: bool = False
    weight_model: str = "ideal"
    weight_bits: int | None = None
    cell_bits: int | None = None
    weight_table: tuple[tuple[float, ...], ...] | None = None
    devices: int = 1
    drift_compensation: bool = False
    dac_bits: int | None = None
    adc_bits: int | None = None
    adc_bound: float | None = None
    doublings: int = 8
    halvings: int = 0
    round_activations: bool = False
    mxv_pj: float | None = None
    lane_pj: float | None = None
    sram_pj_per_byte: float | None = None
    link_pj_per_byte: float | None = None
    idle_mw: float | None = None
    core_mm2: float | None = None
    chip_mm2: float | None = None
    sources: tuple[tuple[str, str], ...] = ()
    """Where figures of energy and area are from, by their fields, in the order of these."""

    @property
    def element_bytes(self) -> int:
        """The bytes that a number takes in SRAM: whole ones."""
        return -(-self.activation_bits // 8)

    @property
    def tries(self) -> int:
        """How often a product is made at most, each after the one before.

        Control is static, so that each product has time for all of them.
        """
        return 1 + self.halvings

    @property
    def product(self) -> int:
        """The cycles from the start of a product to its last result."""
        return self.tries * self.mxv

    @property
    def product_interval(self) -> int:
        """The cycles from the start of a product to that of the next one, likewise."""
        return self.halvings * self.mxv + self.mxv_interval

    @property
    def product_issue(self) -> int:
        """The cycles for which a product has the issue port, likewise."""
        return self.tries * self.issue_interval

    @property
    def sram_capacity(self) -> int:
        """The bytes that a core can address."""
        return SRAM_BYTES if self.sram_bytes is None else self.sram_bytes

    def ns(self, cycles: float) -> float:
        """How long so many cycles take."""
        return cycles / self.clock_ghz


IDEAL = Target()
"""Unit times and no limits: what a module without a target is for."""
