# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The networks that are measured: the project's own, trained ones beside it, those of onnx."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from cmc.errors import CmcError
from cmc.spelling import hint

_ROOT = Path(__file__).resolve().parents[2]
_LIGHT = Path("backend", "test", "data", "light")
"""In the package of onnx: well-known networks whose weights are one number each."""


def find_networks() -> dict[str, Path]:
    """All that are here, by name."""
    folders = [_ROOT / "examples" / "digits", _ROOT.parent / "shared" / "models"]
    # onnx itself is not to be imported: what this process holds counts as its children's memory.
    onnx = find_spec("onnx")
    if onnx is not None and onnx.origin is not None:
        folders.append(Path(onnx.origin).parent / _LIGHT)
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.onnx"))}


def choose_networks(names: Sequence[str]) -> dict[str, Path]:
    """The networks of these names, or files; all if there are none. CmcError for others."""
    found = find_networks()
    chosen: dict[str, Path] = {}
    for name in names:
        if name in found:
            chosen[name] = found[name]
        elif Path(name).is_file():
            chosen[Path(name).stem] = Path(name)
        else:
            raise CmcError(f"no network or file is named '{name}'; {hint(name, found)}")
    return chosen or found
