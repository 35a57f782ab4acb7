# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Measure, and print tables. What is heavy is imported when it is used, after the children ran."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from cmc.errors import CmcError
from cmc.files.output import check_output, replacing_text
from cmc.tools.bench.events import HEAD as HEAD_OF_EVENTS
from cmc.tools.bench.events import measure_events
from cmc.tools.bench.footprint import Footprint, measure_footprint
from cmc.tools.bench.large import measure_large
from cmc.tools.bench.networks import choose_networks
from cmc.tools.bench.options import Options, Section, parse_options
from cmc.tools.bench.scale import HEAD as HEAD_OF_SCALE
from cmc.tools.bench.scale import measure_scale
from cmc.tools.bench.startup import startup_times
from cmc.tools.bench.table import Cell, format_table
from cmc.tools.bench.targets import (
    Target,
    compilation_targets,
    event_targets,
    field_targets,
    interpreter_targets,
    large_targets,
    network_targets,
    physics_targets,
    scale_targets,
    startup_targets,
)
from cmc.tools.command import run_tool

Measured = tuple[object, list[Target]]
"""The numbers of a section, as JSON takes them, and the targets that they are for."""


def _startup(options: Options) -> Measured:
    seconds = startup_times()
    _print("Starting", ["process", "processor s"], list(seconds.items()))
    return seconds, list(startup_targets(seconds))


def _scale(options: Options) -> Measured:
    costs = list(measure_scale())
    _print("What is large", HEAD_OF_SCALE, [cost.cells() for cost in costs])
    return [asdict(cost) for cost in costs], [t for cost in costs for t in scale_targets(cost)]


def _networks(options: Options) -> Measured:
    footprints: dict[str, Footprint] = {}
    refused: dict[str, str] = {}
    networks = choose_networks(options.networks)
    for name, path in networks.items():
        try:
            footprints[name] = measure_footprint(path)
        except CmcError as error:
            refused[name] = error.message
    from cmc.tools.bench.network import HEAD, measure_network

    rows = [
        measure_network(networks[name], footprint, options.images, options.budget)
        for name, footprint in footprints.items()
    ]
    _print(f"Networks, streams of {options.images} images", HEAD, [row.cells() for row in rows])
    for name, message in refused.items():
        print(f"{name} does not compile: {message}")
    targets = [target for row in rows for target in network_targets(row)]
    return {"rows": [asdict(row) for row in rows], "refused": refused}, targets


def _interpreter(options: Options) -> Measured:
    from cmc.tools.bench.interpreted import interpreted_rates

    rates = interpreted_rates(options.budget)
    _print(
        "Interpreter, residual pair of 32x32 pixels and 16 channels",
        ["rings", "core iterations/s"],
        list(rates.items()),
    )
    return rates, list(interpreter_targets(rates))


def _events(options: Options) -> Measured:
    rows = list(measure_events())
    _print(
        "Stages that share units, streams of any length", HEAD_OF_EVENTS, [r.cells() for r in rows]
    )
    return [asdict(row) for row in rows], [t for row in rows for t in event_targets(row)]


def _compilation(options: Options) -> Measured:
    from cmc.tools.bench.compilation import control_ratio, scale_images, scale_layers

    images, layers = scale_images(), scale_layers()
    for scaling in (images, layers):
        _print(scaling.title, *scaling.table())
    ratio = control_ratio()
    numbers = {
        "scaling": [{**asdict(s), "exponents": s.exponents} for s in (images, layers)],
        "control of 512x512 to 32x32": ratio,
    }
    return numbers, list(compilation_targets(images.exponents, layers.exponents, ratio))


def _field(options: Options) -> Measured:
    from cmc.tools.bench.field import HEAD, measure_field

    rows = list(measure_field())
    _print("On the chips of others", HEAD, [row.cells() for row in rows])
    return [asdict(row) for row in rows], [t for row in rows for t in field_targets(row)]


def _designs(options: Options) -> Measured:
    from cmc.tools.bench.designs import HEAD, NETWORK, SAMPLE, measure_designs

    rows = list(measure_designs())
    title = f"Of 1,000 designs of {NETWORK}, {SAMPLE} for each size of crossbars"
    _print(title, HEAD, [row.cells() for row in rows])
    return [{**asdict(row), "a_minute": row.a_minute} for row in rows], []


def _physics(options: Options) -> Measured:
    from cmc.tools.bench.physics import HEAD, IMAGES, NETWORK, measure_physics

    rows = list(measure_physics(options.budget))
    _print(f"Physics, {NETWORK}, streams of {IMAGES} images", HEAD, [row.cells() for row in rows])
    return [asdict(row) for row in rows], [t for row in rows for t in physics_targets(row)]


def _large(options: Options) -> Measured:
    large = measure_large(options.budget)
    title = "Three convolutions on 2048x2048 pixels and 8 channels"
    _print(title, ["what", "measured"], large.rows())
    return asdict(large), list(large_targets(large))


_SECTIONS: dict[Section, Callable[[Options], Measured]] = {
    "startup": _startup,
    "scale": _scale,
    "large": _large,
    "networks": _networks,
    "interpreter": _interpreter,
    "events": _events,
    "compilation": _compilation,
    "field": _field,
    "designs": _designs,
    "physics": _physics,
}
"""In an order in which this process is still small when it measures others' memory."""


def _print(title: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    print(f"\n{title}\n{format_table(head, list(rows))}", flush=True)


def _run(arguments: Sequence[str]) -> int:
    options = parse_options(arguments)
    choose_networks(options.networks)
    if options.json is not None:
        check_output(options.json)
    numbers: dict[str, object] = {}
    targets: list[Target] = []
    for name, measure in _SECTIONS.items():
        if not options.section or name in options.section:
            numbers[name], found = measure(options)
            targets += found
    _print("Targets", ["target", "measured", "limit", ""], [target.cells() for target in targets])
    if options.json is not None:
        numbers["targets"] = [{**asdict(target), "met": target.met} for target in targets]
        with replacing_text(options.json) as file:
            json.dump(numbers, file, indent=2)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_tool(_run, None))
