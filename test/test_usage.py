# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a report says that an image takes of a chip."""

import json
from dataclasses import replace

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from cmc.api import make_context
from cmc.dialects.cmpipe import target_of
from cmc.files.parsing import parse_file
from cmc.reports.text import format_report, format_totals
from cmc.simulator import Mode, Simulator, chip_of, simulate
from cmc.simulator.load import Chip, load
from cmc.simulator.usage import bound_by, cells, loads
from end_to_end import lower

PIPELINE = """
cmpipe.pipeline @main on #cmpipe.target<name = "small", rows = 8, columns = 16, lanes = 1> {
  cmpipe.object @a : memref<8xvector<4xf32>>
  cmpipe.object @b : memref<8xvector<6xf32>>
  cmpipe.object @c : memref<4xvector<6xf32>>
  cmpipe.object @d : memref<4xvector<6xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x8xf32>
  cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x6x4xf32>
  cmpipe.output "z" @d #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x6x4xf32>
  cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 8 }"> latency 9 interval 9 {
    cmpipe.crossbar @w #nn.weights<splat 1.0 shape [2, 2, 3]> : tensor<2x2x3xf32>
    %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<4xf32>
    %y = cmpipe.mxv @w %v : vector<4xf32> -> vector<6xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<6xf32>
  }
  cmpipe.stage @max in #poly.set<"{ [w] : 0 <= w < 4 }"> latency 12 occupies <digital = 12> {
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [2w + k, c] }"> : vector<2x6xf32>
    %y = cmpipe.reduce max %v : vector<2x6xf32> -> vector<6xf32>
    cmpipe.write %y, @c #poly.map<"{ [w] -> [w] }"> : vector<6xf32>
  }
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 4 }"> latency 12 occupies <digital = 12> {
    %v = cmpipe.read @b #poly.map<"{ [w, k, c] -> [2w + k, c] }"> : vector<2x6xf32>
    %y = cmpipe.reduce add %v : vector<2x6xf32> -> vector<6xf32>
    cmpipe.write %y, @d #poly.map<"{ [w] -> [w] }"> : vector<6xf32>
  }
  cmpipe.core @convolutions runs [@conv]
  cmpipe.core @poolings runs [@max, @sum]
}
"""


def made(text: str) -> ModuleOp:
    module = parse_file(make_context(), text, "pipeline.mlir")
    lower(module, "cmpipe-derive-control", "cmpipe-size-buffers", "convert-cmpipe-to-cmctrl")
    return module


def chip(text: str) -> Chip:
    return load(chip_of(made(text)))


def test_loads_of_units():
    loaded = chip(PIPELINE)
    one, other = loaded.op.cores()
    assert loads(loaded, loaded.op.gcu) == {}
    assert loads(loaded, one) == {"crossbars": 8 * 9}
    assert loads(loaded, other) == {"digital": 2 * 4 * 12}


@pytest.mark.parametrize(
    ("old", "new", "title"),
    [
        ("", "", "the digital unit of core @poolings"),
        ("interval 9", "interval 13", "the crossbars of @conv"),
        ("interval 9", "interval 9 occupies <port = 20>", "the port of core @convolutions"),
        ("digital = 12", "digital = 1", "the crossbars of @conv"),
    ],
)
def test_what_binds(old: str, new: str, title: str):
    assert bound_by(chip(PIPELINE.replace(old, new))) == title


def test_an_input_binds_where_all_else_is_faster():
    text = PIPELINE.replace("interval 9", "").replace("digital = 12", "digital = 1")
    assert bound_by(chip(text)) == "@a_stream"


@pytest.mark.parametrize(
    ("target", "size"),
    [("rows = 8, columns = 16", 128), ("rows = 8", 48), ("columns = 16", 64), ("", 24)],
)
def test_a_crossbar_without_limits_is_as_large_as_its_matrix(target: str, size: int):
    """The blocks lie on its diagonal."""
    loaded = chip(PIPELINE.replace("rows = 8, columns = 16", target or "crossbars = 1"))
    (crossbar,) = (one for w in loaded.op.cores() for s in w.stages() for one in s.crossbars())
    assert cells(crossbar, target_of(loaded.op)) == size


@pytest.mark.parametrize("mode", ["bulk", "interpret"])
def test_a_report_of_units_that_stages_share(mode: Mode):
    """Two poolings take turns at a digital unit, which then binds."""
    module = made(PIPELINE.replace("latency 9 interval 9", "latency 10 interval 10"))
    x = np.ones((4, 4, 8), np.float32)
    report = simulate(module, {"x": x}, mode).report
    data = json.loads(report.to_json())
    assert (data["interval_ns"], data["bound_by"]) == (96, "the digital unit of core @poolings")
    assert (data["crossbars"], data["cells_used"], data["cells"]) == (1, 12, 128)
    assert data["latency_ns"] == report.cycles - 3 * 96
    gcu, one, other = (line.split("  ") for line in format_report(report, 100).splitlines()[1:4])
    columns = [[cell.strip() for cell in line if cell] for line in (gcu, one, other)]
    assert columns[0][:3] == ["GCU", "a_stream", "8%"]
    assert columns[1][:6] == ["convolutions", "conv", "1", "12 of 128", "83%", "83%"]
    assert columns[2][:5] == ["poolings", "max, sum", "100%", "100%", "192"]
    assert columns[2][5].startswith("the digital unit ")
    assert data["interval_bound_ns"] == 96
    assert "bound by the digital unit of core @poolings, 100% busy\n" in format_totals(report)
    slower = format_totals(replace(report, cycles_per_image=120.0))
    assert "80% busy: the interval is 25.0% longer than its 96 cycles\n" in slower


def test_latency_is_that_of_an_image_by_itself():
    """The next image's convolution takes the digital unit from the poolings of the first one."""
    cores = "cmpipe.core @convolutions runs [@conv]\n  cmpipe.core @poolings runs [@max, @sum]"
    text = PIPELINE.replace("interval 9", "occupies <digital = 3>")
    shared = Simulator(
        chip_of(made(text.replace(cores, "cmpipe.core @all runs [@conv, @max, @sum]")))
    )
    alone, stream = shared.time(1), shared.time(4)
    assert stream.latency == alone.latency == alone.cycles
    assert stream.programs[-1].starts[0, -1] + 12 > stream.latency
    assert stream.critical_path == alone.critical_path
