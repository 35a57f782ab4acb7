import os
import sys
from pathlib import Path

import lit.formats

config.name = "cmc"
config.test_source_root = os.path.dirname(__file__)
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["Inputs"]

# The tools of the environment that runs lit, whether or not it is activated.
config.environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
