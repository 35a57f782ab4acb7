"""A compiler from ONNX to pipelines of computational-memory cores."""

from pathlib import Path

_root = Path(__file__).resolve().parent.parent
if (_root / "dialects").is_dir() and (_root / "passes").is_dir():
    # A source checkout: `cmc.dialects`, `cmc.passes` and `cmc.tools` lie beside this folder.
    __path__.append(str(_root))
