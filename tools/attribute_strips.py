# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws docs/images/attributes.jpg: one seed's face under each attribute, from end to end.

python tools/attribute_strips.py --seed 11 --out docs/images/attributes.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ffgan
from ffgan import control, images
from ffgan.attributes import ATTRIBUTES

STEPS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--side", type=int, default=84, help="pixels of each face")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    model = ffgan.load()
    fitted = control.attribute_map(model)
    free = model.face(given.seed)
    rows, names, below = [], [], []
    for name, one in ATTRIBUTES.items():
        if one.kind != "number" or one.column not in fitted.columns:
            continue
        (faces,) = control.strip(model, free, {name: None}, steps=STEPS).faces
        rows.append([images.resize(face.image, given.side) for face in faces])
        reached = (round(face.attributes[name], one.decimals) + 0.0 for face in faces)  # no -0
        below.append([f"{value:.{one.decimals}f}" for value in reached])
        names.append(name.replace("_", " "))
    whole = images.labelled_grid(rows, beside=names, below=below)
    given.out.write_bytes(images.encode(whole, given.out.suffix[1:], quality=75))


if __name__ == "__main__":
    main()
