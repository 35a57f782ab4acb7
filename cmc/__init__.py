# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A compiler from ONNX to pipelines of computational-memory cores.

What `__all__` names is that of `cmc.api` and of `cmc.session`, imported when it is first used: the
tables of dialects and passes must load without numpy and onnx.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cmc.api import (
        Hosted,
        Interface,
        Network,
        Pipeline,
        Program,
        Result,
        compile,
        load,
        load_level,
    )
    from cmc.session import InferenceSession, SessionOptions, get_available_providers

__all__ = [
    "Hosted",
    "InferenceSession",
    "Interface",
    "Network",
    "Pipeline",
    "Program",
    "Result",
    "SessionOptions",
    "compile",
    "get_available_providers",
    "load",
    "load_level",
]

_OF_SESSIONS = ("InferenceSession", "SessionOptions", "get_available_providers")

_root = Path(__file__).resolve().parent.parent
if (_root / "dialects").is_dir() and (_root / "passes").is_dir():
    # A source checkout: `cmc.dialects`, `cmc.passes` and `cmc.tools` lie beside this folder.
    __path__.append(str(_root))


def __getattr__(name: str) -> object:
    if name in __all__:
        module = import_module("cmc.session" if name in _OF_SESSIONS else "cmc.api")
        return getattr(module, name)
    raise AttributeError(f"module 'cmc' has no attribute '{name}'")
