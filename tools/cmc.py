# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc`: compile ONNX networks for chips of computational-memory cores, and run them.

Most of the work is done by `cmc.api`. It is imported when the command line is known to be right.
"""

import sys
from collections.abc import Sequence

from cmc.tools.interruption import interruptible


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; the exit code is 1 when there was an error or a check failed."""
    return interruptible(_run, arguments)


def _run(arguments: Sequence[str] | None) -> int:
    from cmc.tools.command import run_tool

    return run_tool(_carry_out, arguments, escaping=True)


def _carry_out(arguments: Sequence[str]) -> int:
    from cmc.tools.options import parse_options
    from cmc.tools.progress_bar import say_when_compiling

    say_when_compiling()
    options = parse_options(arguments)
    match options.command:
        case "compile":
            from cmc.tools.cmc_compile import compile_network

            compile_network(options)
        case "run":
            from cmc.tools.cmc_run import run_stream

            run_stream(options)
        case "compress":
            from cmc.tools.cmc_compress import compress_network

            compress_network(options)
        case "accuracy":
            from cmc.tools.cmc_accuracy import show_accuracy

            show_accuracy(options)
        case "calibrate":
            from cmc.tools.cmc_calibrate import calibrate

            calibrate(options)
        case "explain":
            from cmc.tools.cmc_explain import explain

            explain(options)
        case "explore":
            from cmc.tools.cmc_explore import explore_designs

            explore_designs(options)
        case "targets":
            from cmc.tools.cmc_targets import show_targets

            show_targets(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
