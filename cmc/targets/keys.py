# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The keys of a target's file: one table, from which checks, printing and documentation follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cmc.targets.kinds import (
    Choice,
    Edges,
    Flag,
    Grid,
    Kind,
    Measure,
    Rate,
    Table,
    Text,
    Time,
    Whole,
    shown_limit,
)
from cmc.targets.target import SRAM_BYTES, Target

StepKind = Literal["double", "halve", "more", "column", "on"]
"""What a step to a better chip is: twice or half of a figure, one thing more, a column of cores
more, or that something is so."""


@dataclass(frozen=True)
class Key:
    """A key of a file, and the field of `Target` that holds what it says.

    `unit` is the last part of the key's name. A key that is not `required` may be left out, and
    then says what `ideal` has. One that is `of` some topologies, or of some words of another key,
    its `chooser`, belongs to those, and to no other. What a `step` to a better chip is, `cmc
    explain` tries; some keys have none.
    """

    name: str
    field: str
    unit: str
    kind: Kind
    meaning: str
    required: bool = False
    of: tuple[str, ...] = ()
    chooser: str = "topology"
    step: StepKind | None = None

    @property
    def stem(self) -> str:
        """The name without its unit."""
        return self.name.removesuffix(f"_{self.unit}")


WEIGHT_MODELS = ("ideal", "quantised", "pcm", "hermes", "table")

DRIFTING = ("pcm", "hermes", "table")
"""Of these, the ones that do not keep what is programmed."""

BITS = 24
"""The most that a converter or a cell has, as float32 has no more."""

TOPOLOGIES = ("all-to-all", "bus", "chain", "mesh", "torus", "edges")

GROUPS: dict[str, tuple[Key, ...]] = {
    "The chip": (
        Key("name", "name", "", Text(), "What reports and errors call the target.", required=True),
        Key(
            "clock_ghz",
            "clock_ghz",
            "ghz",
            Measure(),
            "The clock. Whatever happens takes a whole number of its cycles: times are rounded up.",
            required=True,
            step="double",
        ),
        Key(
            "cores",
            "cores",
            "",
            Whole(limit=True),
            "How many cores there are.",
            required=True,
            step="more",
        ),
        Key(
            "activation_bits",
            "activation_bits",
            "bits",
            Whole(1, 32),
            "The width of a number that travels. In SRAM it takes whole bytes.",
            required=True,
            step="halve",
        ),
        Key(
            "sram_bytes",
            "sram_bytes",
            "bytes",
            Whole(1, SRAM_BYTES, limit=True),
            "The memory of a core: for the rings of what arrives, and for constants.",
            required=True,
            step="double",
        ),
    ),
    "Crossbars": (
        Key(
            "crossbars",
            "crossbars",
            "",
            Whole(),
            "How many a core has.",
            required=True,
            step="more",
        ),
        Key(
            "rows",
            "rows",
            "",
            Whole(limit=True),
            "The rows of a crossbar: of the inputs of a matrix, as many as fit at once.",
            required=True,
            step="double",
        ),
        Key(
            "columns",
            "columns",
            "",
            Whole(limit=True),
            "The columns of a crossbar, for the outputs: logical ones, each with a whole weight.",
            required=True,
            step="double",
        ),
        Key(
            "mxv_ns",
            "mxv",
            "ns",
            Time(),
            "A matrix-vector product, from its start to its result.",
            required=True,
            step="halve",
        ),
        Key(
            "mxv_interval_ns",
            "mxv_interval",
            "ns",
            Time(),
            "A crossbar begins one product every so often.",
            required=True,
            step="halve",
        ),
        Key(
            "issue_interval_ns",
            "issue_interval",
            "ns",
            Time(0),
            "A core's issue port accepts one product every so often: one issue drives all crossbars"
            " of the core that hold other columns for the same input. 0 where there is no port.",
            step="halve",
        ),
    ),
    "Digital unit and memory": (
        Key(
            "lanes",
            "lanes",
            "",
            Whole(limit=True),
            "Elements that a core's digital unit works on at once. Without a limit its work takes "
            "no time.",
            step="double",
        ),
        Key(
            "lane_ns",
            "lane_cycles",
            "ns",
            Time(),
            "One operation on one element in a lane.",
            step="halve",
        ),
        Key(
            "sram_bytes_per_ns",
            "sram_bytes_per_cycle",
            "bytes_per_ns",
            Rate(),
            "What an iteration reads and writes in SRAM. Without a limit that takes no time.",
            step="double",
        ),
        Key(
            "gcu_bytes_per_ns",
            "gcu_bytes_per_cycle",
            "bytes_per_ns",
            Rate(),
            "What the global control unit streams in, all inputs together. Without a limit it is "
            "one vector of each input a cycle.",
            step="double",
        ),
    ),
    "Links": (
        Key("topology", "topology", "", Choice(TOPOLOGIES), "Which cores are connected."),
        Key(
            "reach",
            "reach",
            "",
            Whole(),
            "In a chain, how far a core's links lead: to so many cores on each side.",
            of=("chain",),
            step="more",
        ),
        Key(
            "grid",
            "grid",
            "",
            Grid(),
            "The rows and columns of cores in a mesh or a torus: all cores, row by row.",
            of=("mesh", "torus"),
            step="column",
        ),
        Key(
            "edges",
            "edges",
            "",
            Edges(),
            "The links themselves. A link leads both ways.",
            of=("edges",),
        ),
        Key(
            "link_bytes_per_ns",
            "link_bytes_per_cycle",
            "bytes_per_ns",
            Rate(),
            "The width of a link, or of the bus.",
            step="double",
        ),
        Key(
            "hop_ns",
            "hop",
            "ns",
            Time(0),
            "The latency of a link.",
            step="halve",
        ),
        Key(
            "multicast",
            "multicast",
            "",
            Flag(),
            "Whether a vector for several readers crosses a link that they share once.",
            step="on",
        ),
    ),
    "Weights and converters": (
        Key(
            "weight_model",
            "weight_model",
            "",
            Choice(WEIGHT_MODELS),
            "How a crossbar holds weights, each as the difference of two columns of cells: exactly,"
            " in cells of a few bits, or in phase-change devices, which are programmed inexactly, "
            "drift, and are never read alike: those of aihwkit's PCMLikeNoiseModel, of its "
            "HermesNoiseModel, or of a table.",
        ),
        Key(
            "weight_bits",
            "weight_bits",
            "bits",
            Whole(1, BITS),
            "A weight, with its sign; the largest one of a crossbar is the largest number, but "
            "whole numbers that fit are held as they are.",
            of=("quantised",),
            chooser="weight_model",
        ),
        Key(
            "cell_bits",
            "cell_bits",
            "bits",
            Whole(1, BITS),
            "A cell. A weight is in as many as it needs, each on a column of its own with a "
            "converter, whose results are shifted and added.",
            of=("quantised",),
            chooser="weight_model",
        ),
        Key(
            "weight_table",
            "weight_table",
            "",
            Table(5),
            "Devices by what they should conduct, as a share of the largest conductance. A row has "
            "that, the deviation of what they conduct when programmed, as such a share, mean and "
            "deviation of the exponent with which they drift, counted from 20 s on, and the "
            "deviation of a read, as a share of what they conduct, which is to be multiplied by "
            "sqrt(ln((t + 250 ns) / 500 ns)). Between rows all of these are linear.",
            of=("table",),
            chooser="weight_model",
        ),
        Key(
            "devices",
            "devices",
            "",
            Whole(1, 64),
            "How many pairs of devices hold each weight: what they give is added up, so that their "
            "mean counts.",
        ),
        Key(
            "drift_compensation",
            "drift_compensation",
            "",
            Flag(),
            "Whether what a crossbar gives is multiplied by what it gave for a vector of ones when "
            "it was programmed, over what it gives now. That is part of the scale with which codes "
            "of its ADCs become numbers, and takes an image no time; a product with ones now and "
            "then is not counted.",
        ),
        Key(
            "dac_bits",
            "dac_bits",
            "bits",
            Whole(1, BITS, limit=True),
            "The inputs of a crossbar, with their sign; the largest one of each vector is the "
            "largest number.",
        ),
        Key(
            "adc_bits",
            "adc_bits",
            "bits",
            Whole(1, BITS, limit=True),
            "What a column gives, with its sign, before anything is added to it.",
        ),
        Key(
            "adc_bound",
            "adc_bound",
            "",
            Measure(),
            "The largest number of an ADC, in products of the crossbar's largest weight with the "
            "vector's largest input; what is beyond is clipped. Where it is left out, it is for "
            "each column what that can give, for inputs of both signs or of one, so that nothing "
            "is.",
        ),
        Key(
            "doublings",
            "doublings",
            "",
            Whole(0, 16),
            "How often the gain before the ADCs of a crossbar, which is one for all, is doubled at "
            "most for a vector, as long as none of its sums is beyond their range: ADCs that range "
            "themselves while they convert. Where adc_bound is given, it never is. With 0 the "
            "range is always as much as a column can give, and sums of many rows, which are far "
            "from it, have few bits.",
        ),
        Key(
            "halvings",
            "halvings",
            "",
            Whole(0, 16),
            "How often the inputs of a product are halved at most, and the product is repeated, as "
            "long as any of its sums is beyond adc_bound. Control is static: each product has time "
            "and energy for all of these.",
        ),
        Key(
            "round_activations",
            "round_activations",
            "",
            Flag(),
            "Whether the vectors that travel are rounded to activation_bits, with their sign; the "
            "largest number of each one is the largest code.",
        ),
    ),
    "Energy and area": (
        Key(
            "mxv_pj",
            "mxv_pj",
            "pj",
            Measure(),
            "A product of a whole crossbar.",
            step="halve",
        ),
        Key(
            "lane_pj",
            "lane_pj",
            "pj",
            Measure(),
            "One digital operation on one element.",
            step="halve",
        ),
        Key(
            "sram_pj_per_byte",
            "sram_pj_per_byte",
            "pj_per_byte",
            Measure(),
            "A byte read or written in SRAM.",
            step="halve",
        ),
        Key(
            "link_pj_per_byte",
            "link_pj_per_byte",
            "pj_per_byte",
            Measure(),
            "A byte over one link.",
            step="halve",
        ),
        Key(
            "idle_mw",
            "idle_mw",
            "mw",
            Measure(),
            "The chip, when it does nothing.",
            step="halve",
        ),
        Key("core_mm2", "core_mm2", "mm2", Measure(), "A core."),
        Key("chip_mm2", "chip_mm2", "mm2", Measure(), "The whole chip."),
    ),
}
"""The keys under their headings, in the order in which they are printed."""

KEYS: tuple[Key, ...] = tuple(key for keys in GROUPS.values() for key in keys)

SOURCED: tuple[Key, ...] = GROUPS["Energy and area"]
"""Those whose sources go with a target into a module, and from there into reports."""


def misfits(target: Target) -> Iterator[tuple[Key, str]]:
    """Keys of a target whose values do not fit to those of others, and what is expected."""
    for key in KEYS:
        given = getattr(target, key.field) is not None
        if key.of and given != (getattr(target, key.chooser) in key.of):
            what = (
                f"{'of another' if given else 'missing for this'} {key.chooser.replace('_', ' ')}"
            )
            yield key, f"{what}: it belongs to {' and '.join(key.of)}"
    by_field = {key.field: key for key in KEYS}
    grid, edges = by_field["grid"], by_field["edges"]
    if target.grid is not None and target.grid[0] * target.grid[1] != target.cores:
        yield grid, f"expected all cores, and cores is {shown_limit(target.cores)}"
    for edge in target.edges or ():
        if target.cores is not None and max(edge) >= target.cores:
            yield edges, f"expected cores from 0 to {target.cores - 1}, not {max(edge)}"
    for name in ("devices", "drift_compensation"):
        if getattr(target, name) != getattr(Target, name) and target.weight_model not in DRIFTING:
            yield by_field[name], f"it belongs to weight model {' and '.join(DRIFTING)}"
    ranging = target.adc_bits is not None and target.adc_bound is None
    if target.doublings != Target.doublings and not ranging:
        yield by_field["doublings"], "it belongs to converters of so many adc_bits without a bound"
    if target.halvings and target.adc_bound is None:
        yield by_field["halvings"], "it belongs to converters with an adc_bound"
    if target.round_activations and target.activation_bits > BITS:
        yield by_field["round_activations"], f"it belongs to at most {BITS} activation_bits"
    if target.adc_bound is not None and target.adc_bits is None:
        yield by_field["adc_bound"], "it belongs to converters of so many adc_bits"
