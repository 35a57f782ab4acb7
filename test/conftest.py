# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the tests of the whole project share.

Tests of random examples draw the same ones in every run, unless `CMC_FUZZ=5` in the environment
asks for five times as many, and others each time: `make fuzz`, which is how to look for what these
do not show. Tests that are marked `thorough` are more of what others are already, for `make fuzz`.
With `CMC_CIRCUITS=1` all that any test times is explained, too: `make circuits`.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent

# Modules are millions of small objects, of which hardly any is garbage.
gc.set_threshold(100_000, 10, 10)

FUZZ = int(os.environ.get("CMC_FUZZ", "0"))

settings.register_profile(
    "suite",
    derandomize=not FUZZ,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def examples(count: int) -> settings:
    """So many examples of a random test, in a usual run."""
    return settings(max_examples=count * max(1, FUZZ))


def thorough(*values: object) -> ParameterSet:
    """Parameters of a test that is left out in a usual run."""
    return pytest.param(*values, marks=pytest.mark.thorough)


def by_turns(cases: Iterable[object], choices: Sequence[object]) -> list[ParameterSet]:
    """Each case with each choice; in a usual run with one of them, each choice in its turn."""
    return [
        pytest.param(case, choice) if index % len(choices) == turn else thorough(case, choice)
        for index, case in enumerate(cases)
        for turn, choice in enumerate(choices)
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is thorough in a usual run."""
    if FUZZ:
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]


@pytest.fixture(autouse=True, scope="session")
def circuits() -> Generator[None]:
    """With `CMC_CIRCUITS=1`, what explains the times of all that any test times, against these."""
    if "CMC_CIRCUITS" not in os.environ:
        yield
        return
    from cmc.simulator import Simulator
    from explaining import expect_explained

    time = Simulator.time

    def explained(self: Simulator, images: int):
        report = time(self, images)
        expect_explained(self, report)
        return report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Simulator, "time", explained)
        yield


OWN_NETWORKS = ("digits", "shortcuts", "same", "separable")
"""The project's own trained networks, for images of digits: files of examples/digits."""

OTHER_NETWORKS = ("mnist_cntk", "mlperftiny_resnet8", "resnet20_cifar")
"""Trained networks that are not part of the project: files of ../shared/models."""


def find_trained(name: str) -> Path:
    """The path of a trained network by its name; the test is skipped where it is not."""
    own = name in OWN_NETWORKS
    folder = ROOT / "examples" / "digits" if own else ROOT.parent / "shared" / "models"
    path = folder / f"{name}.onnx"
    if not own and not path.is_file():
        pytest.skip(f"{path.name} is not in ../shared/models")
    return path


@pytest.fixture(scope="session")
def digits() -> Path:
    """The project's own trained network: 8x8 grey images of digits to ten scores."""
    return ROOT / "examples" / "digits" / "digits.onnx"


@pytest.fixture(params=[*OWN_NETWORKS, *OTHER_NETWORKS])
def trained(request: pytest.FixtureRequest) -> Path:
    """The path of each trained network."""
    return find_trained(request.param)


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
