# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc-opt`: an `xdsl-opt` that knows this package's dialects and passes, and reads ONNX.

The work is done by `cmc.tools.opt_driver`, which is imported when an interrupt can end it.
"""

import sys
from collections.abc import Sequence

from cmc.tools.interruption import interruptible


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; the exit code is 1 when there was an error."""
    return interruptible(_run, arguments)


def _run(arguments: Sequence[str] | None) -> int:
    from cmc.tools.opt_driver import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
