"""A compiler from ONNX to pipelines of computational-memory cores.

What `__all__` names is that of `cmc.api`, imported when it is first used: the tables of dialects
and passes must load without numpy and onnx.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cmc.api import (
        Hosted,
        Network,
        Pipeline,
        Program,
        Result,
        compile,
        load,
        load_level,
    )

__all__ = ["Hosted", "Network", "Pipeline", "Program", "Result", "compile", "load", "load_level"]

_root = Path(__file__).resolve().parent.parent
if (_root / "dialects").is_dir() and (_root / "passes").is_dir():
    # A source checkout: `cmc.dialects`, `cmc.passes` and `cmc.tools` lie beside this folder.
    __path__.append(str(_root))


def __getattr__(name: str) -> object:
    if name in __all__:
        from cmc import api

        return getattr(api, name)
    raise AttributeError(f"module 'cmc' has no attribute '{name}'")
