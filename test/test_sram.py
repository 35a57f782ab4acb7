# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A core's SRAM is one array: what lies in one place is one thing."""

from dataclasses import replace

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from cmc.api import make_context
from cmc.diagnostics import verify_module
from cmc.dialects.cmpipe import TargetAttr
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.proof.chip import prove
from cmc.simulator import Mode, chip_of, simulate
from cmc.targets import IDEAL

CHIP = """
cmctrl.chip @main {
  cmpipe.object @a : memref<4xvector<2xf32>>
  cmpipe.object @b : memref<4xvector<2xf32>>
  cmctrl.gcu {
    cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x4xf32>
    cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x2x4xf32>
    cmctrl.credits @a from @a_stream to @scale count 2
    cmctrl.program @a_stream {
      affine.for %w = 0 to 4 {
        cmctrl.start [%w]
      }
    }
  }
  cmctrl.core @core0 {
    cmpipe.stage @scale in #poly.set<"{ [w] : 0 <= w < 4 }"> {
      cmpipe.object @scales #nn.weights<[[1.0], [2.0], [3.0], [4.0]]> : memref<4xvector<1xf32>>
      %v = cmpipe.read @a #poly.map<"{ [w, c] -> [w, c] }"> : vector<2xf32>
      %s = cmpipe.read @scales #poly.map<"{ [w, c] -> [w, 0] }"> : vector<2xf32>
      %p = arith.mulf %v, %s : vector<2xf32>
      %c = cmpipe.constant #nn.weights<[10.0, 20.0]> : vector<2xf32>
      %y = arith.addf %p, %c : vector<2xf32>
      cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<2xf32>
    }
    cmctrl.ring @a from @a_stream to @scale at 8 slots 2
    cmctrl.constants @scale at 24
    cmctrl.machine ready @a from @a_stream to @scale {
      affine.for %w = 0 to 4 {
        cmctrl.await [%w]
        cmctrl.enable [%w]
      }
    }
    cmctrl.machine free @a from @a_stream to @scale {
      affine.for %w = 0 to 4 {
        cmctrl.await [%w]
        cmctrl.release [%w]
      }
    }
    cmctrl.program @scale {
      affine.for %w = 0 to 4 {
        cmctrl.start [%w]
      }
    }
  }
}
"""

X = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
Y = X * np.array([1, 2, 3, 4], np.float32) + np.array([[10], [20]], np.float32)


def on(text: str, target: str) -> ModuleOp:
    """The chip, for a target; it has to verify."""
    text = text.replace("@main {", f"@main on #cmpipe.target<{target}> {{")
    module = parse_file(make_context(), text, "chip.mlir")
    verify_module(module)
    return module


@pytest.mark.parametrize("mode", ["bulk", "interpret"])
@pytest.mark.parametrize(
    ("bits", "ring", "constants", "end"), [(8, 3, 7, 13), (12, 2, 12, 24), (24, 9, 21, 39)]
)
def test_elements_take_whole_bytes(mode: Mode, bits: int, ring: int, constants: int, end: int):
    """Addresses are in bytes, and numbers as wide as activations; values stay what they are."""
    text = CHIP.replace("at 8 slots", f"at {ring} slots").replace("at 24", f"at {constants}")
    module = on(text, f"activation_bits = {bits}, sram_bytes = {end}")
    prove(chip_of(module))
    result = simulate(module, {"x": X}, mode)
    np.testing.assert_array_equal(result.outputs["y"], Y)
    assert result.report.cores[1].as_json()["sram_bytes"] == end
    with pytest.raises(CmcError, match=f"and lies from {constants} to {end}"):
        on(text, f"activation_bits = {bits}, sram_bytes = {end - 1}")


def test_what_lies_beyond_the_sram_is_not_proved():
    module = on(CHIP, "sram_bytes = 48")
    chip_of(module).target = TargetAttr(replace(IDEAL, sram_bytes=47))
    with pytest.raises(CmcError, match="lies from 24 to 48, and the SRAM from 0 to 47"):
        prove(chip_of(module))


def test_addresses_are_those_of_elements():
    with pytest.raises(CmcError, match="multiple of 2 bytes, not at 7"):
        on(CHIP.replace("at 8 slots", "at 7 slots"), "activation_bits = 16")


@pytest.mark.parametrize("mode", ["bulk", "interpret"])
def test_rings_and_constants_share_an_array(mode: Mode):
    module = parse_file(make_context(), CHIP, "chip.mlir")
    verify_module(module)
    prove(chip_of(module))
    result = simulate(module, {"x": X}, mode)
    np.testing.assert_array_equal(result.outputs["y"], Y)
    assert result.report.cores[1].as_json()["sram_bytes"] == 48


@pytest.mark.parametrize(
    ("old", "new"), [("@scale at 24", "@scale at 20"), ("at 8 slots", "at 12 slots")]
)
def test_what_overlaps_is_refused_and_would_be_overwritten(old: str, new: str):
    assert CHIP.count(old) == 1
    module = parse_file(make_context(), CHIP.replace(old, new), "chip.mlir")
    with pytest.raises(CmcError, match="overlap"):
        verify_module(module)
    with pytest.raises(CmcError, match="overlap"):
        prove(chip_of(module))
    assert not np.array_equal(simulate(module, {"x": X}, "interpret").outputs["y"], Y)
