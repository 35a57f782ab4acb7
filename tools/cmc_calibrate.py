# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc calibrate`: ranges of converters from images, kept in the chip's module."""

from cmc.calibration import check_converters
from cmc.files.array_files import Arrays, read_arrays
from cmc.interface import Interface
from cmc.reports.columns import aligned
from cmc.streams import count_images
from cmc.targets import IDEAL, find_target
from cmc.tools.cmc_compile import check_files, is_module, open_reading
from cmc.tools.options import Options
from cmc.tools.progress_bar import track

_LEGEND = """\
range: the largest input of a product, up to which its DACs reach from now on
bound: the largest sum of a column, in products of the crossbar's largest weight with the largest
  input, up to which its ADCs reach; inputs and sums beyond are clipped, and ADCs that ranged
  themselves (doublings) do so no longer, with which small sums may lose bits"""


def calibrate(options: Options) -> None:
    """Carry the command out; raises `CmcError` for chips without converters."""
    assert options.output is not None
    check_files(options, options.output)
    if not is_module(options):
        check_converters(find_target(options.target or IDEAL.name))

    def read(interface: Interface) -> Arrays:
        arrays = read_arrays(options.input, interface.inputs)
        interface.check(arrays)
        return arrays

    program, arrays = open_reading(options, read)
    seen = program.calibrate(arrays, percentile=options.percentile, track=track)
    program.save(options.output)
    rows = [(one.stage, one.crossbar, _shown(one.range), _shown(one.bound)) for one in seen]
    print("\n".join(aligned([("stage", "crossbar", "range", "bound"), *rows], left=(0, 1))))
    print(f"\n{len(seen)} products calibrated by {count_images(arrays)} images")
    print(_LEGEND)
    if options.percentile < 100:
        print(f"largest is here what {options.percentile:g} % of those that are not 0 are at most")


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.4g}"
