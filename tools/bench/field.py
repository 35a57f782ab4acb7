# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Networks on the chips of others, beside what their authors report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import onnx
from xdsl.dialects.builtin import ModuleOp

import cmc.api
from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import standard_pipeline
from cmc.dialects.cmpipe import PipelineOp
from cmc.fitting.bound import Demand, Supply, works
from cmc.importer import import_model
from cmc.passes import get_all_passes
from cmc.reports.report import Report
from cmc.simulator.pipeline import pipeline_of
from cmc.tools.bench.networks import find_networks
from cmc.tools.bench.residual import resnet18
from cmc.tools.bench.table import Cell

HEAD = (
    "network", "target", "compile s", "pipelines", "stages", "cores", "interval us", "latency us",
    "issue us", "lanes us", "link us", "counted us", "x bound", "theirs us",
    "x theirs", "their latency us",
)  # fmt: skip
"""Bounds are those of issue slots and lanes of all cores together, of the busiest link, and what is
counted for any copies on any cores: crossbars, too."""


@dataclass(frozen=True)
class Theirs:
    """What others have for a network on their chip, in us."""

    network: str
    interval: float
    latency: float | None
    """If they give one."""


PIMCOMP = (
    Theirs("light_squeezenet", 249.033, 2970),
    Theirs("light_inception_v1", 477.064, 5860),
    Theirs("light_shufflenet", 686.121, 6100),
    Theirs("light_resnet50", 801.119, 9680),
)
"""By the model of PIMCOMP's authors, and the latency in their mode that is made for it.

It counts convolutions, without pooling, sums, concatenations and what waits for what.
"""

RESIDUAL = Theirs("resnet18_256", 1e6 / 3303, None)
"""Images of 256 x 256 pixels, as measured by N. Bruschi et al. (DATE 2023) on their clusters."""

CLUSTERS = 322
"""Of 512: those that they use."""

MESH = """
topology = { value = "mesh", source = "assumption: in place of the hierarchical network" }
grid = { value = [16, 32], source = "assumption" }
link_bytes_per_ns = { value = 64, source = "assumption" }
hop_ns = { value = 4, source = "assumption" }
"""
"""Links for the clusters of pcm-512."""

CHIPS = {"pimcomp-mesh": 1.2, "pimcomp": 1.3}
"""PIMCOMP's chip, and how many times as long as its largest bound an interval may be there."""


@dataclass(frozen=True)
class Row:
    """One network on one target. Times are in us, of an image."""

    network: str
    target: str
    seconds: float
    """A processor's, of compilation."""
    pipelines: int
    stages: int
    cores: int
    interval: float
    """Of the middle half of a stream, if not in steady state."""
    latency: float
    """Of an image alone."""
    issue: float
    lanes: float
    link: float
    counted: float
    bound_by: str
    theirs: Theirs

    @property
    def bound(self) -> float:
        """The largest one."""
        return max(self.issue, self.lanes, self.link, self.counted)

    def cells(self) -> list[Cell]:
        """A row under `HEAD`."""
        theirs = self.theirs
        return [
            self.network, self.target, self.seconds, self.pipelines, self.stages, self.cores,
            self.interval, self.latency, self.issue, self.lanes, self.link,
            self.counted, self.interval / self.bound, theirs.interval,
            self.interval / theirs.interval, theirs.latency,
        ]  # fmt: skip


def measure_field() -> Iterator[Row]:
    """Compile each network for each chip, and time a stream and a single image."""
    networks = find_networks()
    for target in CHIPS:
        for theirs in PIMCOMP:
            if theirs.network in networks:
                yield _measured(networks[theirs.network], target, theirs)
    with TemporaryDirectory() as folder:
        target = Path(folder, "pcm-512-mesh.toml")
        target.write_text(_on_a_mesh("pcm-512"))
        started = process_time()
        program = on_clusters(resnet18(256), str(target), CLUSTERS)
        yield row_of(program, process_time() - started, RESIDUAL)


def _measured(path: Path, target: str, theirs: Theirs) -> Row:
    started = process_time()
    program = cmc.api.compile(path, target=target)
    return row_of(program, process_time() - started, theirs)


def _on_a_mesh(preset: str) -> str:
    """The text of a preset, with the links of a mesh."""
    text = files("cmc.targets").joinpath("presets", f"{preset}.toml").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("topology"))
    return "\n".join(lines).replace(preset, f"{preset}-mesh", 1) + MESH


def on_clusters(model: onnx.ModelProto, target: str, clusters: int) -> cmc.api.Program:
    """Compile for so many cores of a target with a crossbar each: for as short an interval."""
    module = import_model(model)
    passes = standard_pipeline(target=target)
    at = passes.index("cmpipe-balance")
    _apply(module, passes[:at])
    pipeline = pipeline_of(module)
    demand = Demand(works(pipeline.stages()), works(pipeline.inputs()))
    interval = demand.least_interval(Supply(clusters, clusters))
    assert interval is not None
    balanced = module
    while balanced is module or _crossbars(pipeline_of(balanced)) > clusters:
        balanced = module.clone()
        _apply(balanced, [f"cmpipe-balance{{interval={interval}}}"])
        interval += interval // 20
    _apply(balanced, passes[at + 1 :])
    return cmc.api.Program(balanced)


def _crossbars(pipeline: PipelineOp) -> int:
    return sum(1 for stage in pipeline.stages() for _ in stage.crossbars())


def _apply(module: ModuleOp, passes: Sequence[str]) -> None:
    for one in parse_passes(get_all_passes(), ",".join(passes)):
        one.apply(cmc.api.make_context(), module)


def row_of(program: cmc.api.Program, seconds: float, theirs: Theirs) -> Row:
    """Time a program, which took so many seconds to compile."""
    one = program.time(1)
    interval = one.interval
    assert interval is not None

    def us(cycles: float) -> float:
        return one.target.ns(cycles) / 1000

    cores = one.target.cores or len(one.cores) - 1
    issue, lanes = (unit_total(one, unit) / cores / one.pipelines for unit in ("port", "digital"))
    links = [link.cycles / one.pipelines for link in one.links]
    return Row(
        theirs.network,
        one.target.name,
        seconds,
        one.pipelines,
        sum(len(core.programs) for core in one.cores[1:]),
        len(one.cores) - 1,
        us(interval),
        us(one.latency),
        us(issue),
        us(lanes),
        us(max(links, default=0)),
        us(one.interval_bound),
        one.bound_by,
        theirs,
    )


def unit_total(report: Report, unit: str) -> int:
    """The cycles for which an image, or one of each pipeline, takes such units of all cores."""
    return sum(core.loads.get(unit, 0) for core in report.cores[1:])
