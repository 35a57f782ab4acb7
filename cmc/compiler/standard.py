"""The standard way down from `nn` to `cmctrl`, as the list of passes that it is."""

from typing import Literal

BufferPolicy = Literal["minimal", "throughput", "whole"]


def standard_pipeline(buffers: BufferPolicy = "throughput", sram: int = 0) -> tuple[str, ...]:
    """The passes from an imported network to configured cores, in the syntax of `cmc-opt -p`.

    `sram` is the capacity of a core in bytes, 0 for no limit. Slots that were just computed need
    no check for deadlocks.
    """
    return (
        "nn-canonicalize",
        "nn-fold-batch-norm",
        "convert-nn-to-cmpipe",
        "cmpipe-derive-control",
        f"cmpipe-size-buffers{{policy={buffers}}}",
        f"convert-cmpipe-to-cmctrl{{sram={sram} check=false}}",
    )
