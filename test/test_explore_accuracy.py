# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Accuracy as an objective of an exploration."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from cmc.errors import CmcError
from cmc.explore.evaluate import Evaluator
from cmc.explore.point import Point
from cmc.explore.space import read_space
from cmc.tools.cmc import main
from onnx_models import chain_model, normal

SPACE = """
networks = "one.onnx"
objectives = ["max accuracy.top1", "interval_ns"]

[target]
weight_model = "pcm"
adc_bits = [2, 8]

[accuracy]
inputs = "images.npz"
labels = "labels.npy"
time = "1h"
trials = 3
images = 50
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product, images, and which of what it gives for each is the largest."""
    folder = tmp_path_factory.mktemp("space")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    weights, x = normal(8, 3), normal(60, 8, seed=1)
    model = chain_model([1, 8], node, constants={"w": weights})
    (folder / "one.onnx").write_bytes(model.SerializeToString())
    np.savez(folder / "images.npz", x=x)
    np.save(folder / "labels.npy", (x @ weights).argmax(1))
    (folder / "space.toml").write_text(SPACE)
    return folder


def test_accuracy_of_designs_is_what_the_command_finds(folder: Path):
    space = read_space(folder / "space.toml")
    found: list[float] = []
    for choices in space:
        point = Point.of(choices, space.images, space.accuracy)
        figures = Evaluator()(point).figures
        assert figures is not None and figures["interval_ns"] is not None
        words = shlex.split(point.command)
        assert words[:2] == ["cmc", "accuracy"]
        path = folder / "accuracy.json"
        assert main([*words[1:], "--json", str(path)]) == 0
        alone = json.loads(path.read_text())
        (moment,) = alone["times"]
        assert moment["time_s"] == 3600 and alone["images"] == 50 and alone["trials"] == 3
        assert figures["accuracy.top1"] == moment["top1"]["mean"]
        assert figures["accuracy.top1_deviation"] == moment["top1"]["deviation"]
        assert figures["accuracy.float_top1"] == 1
        assert space.objectives[0].cost(figures) == -moment["top1"]["mean"]
        found.append(moment["top1"]["mean"])
    assert found[0] < found[1] - 0.1


def test_ids_are_of_what_is_asked(folder: Path):
    space = read_space(folder / "space.toml")
    choices = next(iter(space))
    one, none = Point.of(choices, 1, space.accuracy), Point.of(choices, 1)
    assert one.id != none.id
    np.save(folder / "others.npy", np.zeros(60, np.int64))
    (folder / "other.toml").write_text(SPACE.replace("labels.npy", "others.npy"))
    other = read_space(folder / "other.toml").accuracy
    assert len({one.id, none.id, Point.of(choices, 1, other).id}) == 3


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[accuracy]", "[acuracy]", "unknown key; did you mean accuracy"),
        ('time = "1h"', 'time = "-1h"', "accuracy.time: -1h is before the crossbars"),
        ("trials = 3", "trials = 0", "accuracy.trials: expected a whole number from 1"),
        ('labels = "labels.npy"\n', "", "accuracy: no labels: give a file of numpy"),
        ("images.npz", "no.npz", "accuracy.inputs: there is no file"),
        ("images = 50", "image = 50", "accuracy.image: unknown key; did you mean images"),
        (SPACE[SPACE.index("[accuracy]") :], "", "accuracy.top1 needs images: give a table"),
    ],
)
def test_words_about_what_is_refused(folder: Path, before: str, after: str, message: str):
    path = folder / "wrong.toml"
    assert before in SPACE
    path.write_text(SPACE.replace(before, after))
    with pytest.raises(CmcError) as error:
        read_space(path)
    assert message in str(error.value)
