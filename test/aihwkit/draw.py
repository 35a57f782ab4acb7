# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Draw weights as aihwkit has them after some time, with a Python that has aihwkit.

`draw.py FILE.npz` writes `weights`, of few levels, `times` in s, and what becomes of the weights,
`[times, levels, cells]`, as `pcm` and `hermes`.
"""

import sys
from importlib import import_module

import numpy as np

CELLS = 100_000
TIMES = (1.0, 86_400.0, 31_536_000.0)


def main(path: str) -> None:
    torch, models = import_module("torch"), import_module("aihwkit.inference")
    hermes = import_module("aihwkit.inference.noise.hermes").HermesNoiseModel()
    weights = np.linspace(0, 1, 6, dtype=np.float32)[:, np.newaxis].repeat(CELLS, 1)
    given = torch.from_numpy(weights)
    found = {
        name: np.stack([model.apply_noise(given, time).numpy() for time in TIMES])
        for name, model in (("pcm", models.PCMLikeNoiseModel()), ("hermes", hermes))
    }
    times = np.array(TIMES)
    np.savez(path, weights=weights, times=times, pcm=found["pcm"], hermes=found["hermes"])


if __name__ == "__main__":
    main(sys.argv[1])
