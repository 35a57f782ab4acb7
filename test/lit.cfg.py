# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What lit does with the files of this folder.

The tools run as processes of their own, with pipes and exit codes, but as forks of lit's workers,
which have imported them already: starting Python and importing takes ten times as long as the work.
"""

import os
import subprocess
import sys
import traceback
from pathlib import Path

import lit.formats
from filecheck.main import main as filecheck

from cmc.tools.cmc import main as cmc
from cmc.tools.cmc_opt import main as cmc_opt
from cmc.universe import CMC_UNIVERSE

TOOLS = {
    "cmc": lambda args: cmc(args[1:]),
    "cmc-opt": lambda args: cmc_opt(args[1:]),
    "filecheck": filecheck,
}


class ForkingPopen(subprocess.Popen):
    """A process that becomes one of the tools by a call instead of by `exec`."""

    def __init__(self, args, *, env, **options):
        def become_tool():
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # as exec would
            os.environ.clear()
            os.environ.update(env)
            sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
            try:
                code = TOOLS[args[0]](args) or 0
            except SystemExit as exit:
                code = exit.code or 0
            except BaseException:
                traceback.print_exc()
                code = 1
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

        super().__init__(
            args, env=env, preexec_fn=become_tool if args[0] in TOOLS else None, **options
        )


for factory in (*CMC_UNIVERSE.all_dialects.values(), *CMC_UNIVERSE.all_passes.values()):
    factory()
subprocess.Popen = ForkingPopen

config.name = "cmc"
config.test_source_root = os.path.dirname(__file__)
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["Inputs"]

# The tools of the environment that runs lit, whether or not it is activated.
config.environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
