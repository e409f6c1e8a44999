# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what a CPU build computes into golden/, for builds with CUDA to be compared with.

    python tests/cuda/make_golden.py

To be run again when the packaged model or what a step computes has changed on purpose.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import device

from ffgan import _core

FOLDER = Path(__file__).with_name("golden")


def main() -> None:
    if _core.engine()["cuda"]:
        raise SystemExit("this is a build with CUDA: the golden values are those of the CPU")
    faces = device.faces()
    FOLDER.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(list(faces), axis=1)).save(FOLDER / "faces.png", optimize=True)
    numbers = {
        f"scores {name}": device.scores(name, faces).astype(np.float64)
        for name in device.DISCRIMINATORS
    }
    for training in device.TRAININGS:
        for kind, computed in (
            ("gradients", device.gradients(training)),
            ("moved", device.moved(training)),
        ):
            for key, values in computed.items():
                numbers[f"{kind} {training} {key}"] = values.astype(np.float32)
    numbers["model"] = np.array(device.model("program").generator_hash)
    np.savez_compressed(FOLDER / "numbers.npz", **numbers)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
