# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc calibrate`: ranges of converters from images, kept in the chip's module."""

from cmc.files.array_files import read_arrays
from cmc.files.output import check_output
from cmc.reports.columns import aligned
from cmc.streams import count_images
from cmc.tools.cmc_compile import check_mapping, open_program
from cmc.tools.options import Options
from cmc.tools.progress_bar import track


def calibrate(options: Options) -> None:
    """Carry the command out; raises `CmcError` for chips without converters."""
    assert options.output is not None
    check_output(options.output, [options.model, *options.input_files()])
    check_mapping(options, [options.output])
    program = open_program(options)
    if options.mapping is not None:
        program.save_mapping(options.mapping)
    arrays = read_arrays(options.input, program.inputs)
    seen = program.calibrate(arrays, percentile=options.percentile, track=track)
    program.save(options.output)
    rows = [(one.stage, one.crossbar, _shown(one.range), _shown(one.bound)) for one in seen]
    print("\n".join(aligned([("stage", "crossbar", "range", "bound"), *rows], left=(0, 1))))
    print(f"\n{len(seen)} products calibrated by {count_images(arrays)} images")


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.4g}"
