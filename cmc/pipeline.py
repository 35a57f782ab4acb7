"""The standard way down from `nn` to `cmctrl`, as the list of passes that it is."""

from typing import Literal

BufferPolicy = Literal["minimal", "throughput", "whole"]

NN_TO_CMCTRL = "nn-to-cmctrl"
"""The name by which `cmc-opt` knows the standard pipeline."""


def standard_pipeline(buffers: BufferPolicy = "throughput") -> tuple[str, ...]:
    """The passes from an imported network to configured cores, in the syntax of `cmc-opt -p`."""
    return (
        "nn-canonicalize",
        "nn-fold-batch-norm",
        "convert-nn-to-cmpipe",
        "cmpipe-derive-control",
        f"cmpipe-size-buffers{{policy={buffers}}}",
        "convert-cmpipe-to-cmctrl",
    )
