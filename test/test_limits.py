"""A chip has no more of anything than its target: what has is refused, and says what it needs."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import ModuleOp

from cmc.dialects.cmpipe import TargetAttr
from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.proof.chip import prove
from cmc.simulator import chip_of
from cmc.targets import Target
from end_to_end import lower
from onnx_models import chain_model, normal
from test_sizes import convolution


def two_convolutions() -> ModuleOp:
    """A chip of two cores, with a crossbar of 36 x 4 each and rings of the same size."""
    nodes = convolution("x", "a"), convolution("a", "y")
    module = import_model(chain_model((1, 4, 6, 6), *nodes, constants={"w": normal(4, 4, 3, 3)}))
    lower(module, "nn-to-cmctrl{buffers=minimal}")
    return module


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Target(crossbars=1, cores=1), "2 cores are needed, and target ideal has 1"),
        (Target(sram_bytes=200), "240 bytes of SRAM are needed, and core @core0 has 200: the ring"),
    ],
)
def test_a_chip_of_another_target_is_refused(target: Target, message: str):
    module = two_convolutions()
    prove(chip_of(module))
    chip_of(module).target = TargetAttr(target)
    with pytest.raises(CmcError, match=message):
        prove(chip_of(module))
