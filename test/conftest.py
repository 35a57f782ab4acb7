"""What the tests of the whole project share."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent

SHARED_MODELS = ROOT.parent / "shared" / "models"
"""Trained networks that are not part of the project: tests read them where they are."""


@pytest.fixture(scope="session")
def shared_model() -> Callable[[str], Path]:
    """The path of a trained network by its file name; the test is skipped where it is not."""

    def find(name: str) -> Path:
        path = SHARED_MODELS / name
        if not path.is_file():
            pytest.skip(f"{name} is not in ../shared/models")
        return path

    return find


@pytest.fixture(scope="session")
def digits() -> Path:
    """The project's own trained network: 8x8 grey images of digits to ten scores."""
    return ROOT / "examples" / "digits" / "digits.onnx"


@pytest.fixture(params=["digits", "mnist_cntk", "mlperftiny_resnet8", "resnet20_cifar"])
def trained(
    request: pytest.FixtureRequest, digits: Path, shared_model: Callable[[str], Path]
) -> Path:
    """The path of each trained network."""
    name: str = request.param
    return digits if name == "digits" else shared_model(f"{name}.onnx")


RunTool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_tool() -> RunTool:
    """Run a tool of this environment as a process of its own: `run_tool("cmc-opt", "x.mlir")`."""

    def run(
        tool: str, *arguments: str | Path, cwd: Path | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [str(TOOLS / tool), *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False
        )

    return run
