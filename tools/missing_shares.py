#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Shares of training images that make up for what a generator draws too rarely.

    ffgan attributes heldout --out real.csv
    ffgan attributes --model runs/NAME/model.safetensors --samples 2000 --out generated.csv
    python tools/missing_shares.py real.csv generated.csv --by age=13/20/50/60 --by yaw=-15/15 \
        --out shares.json
    python tools/compose_faces.py faces.csv --folder faces --shares shares.json \
        --weights weights.csv

A group that has the share r of real faces and the share g of generated ones gets a share in
proportion to r (r / g)^strength: a generator that draws it half as often as it sees it draws it as
often as reality has it, once it sees twice as many. The ratio is limited, since what is never drawn
would be all that is asked for, and half a face is added to each group, so that none is divided by
nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ffgan.errors import UsageError
from ffgan.synthesis.cells import Axis, counted


def shares(table: Path, axis: Axis) -> np.ndarray:
    """The share of each group of an axis among a table's faces that are measured."""
    _, found = counted(table, [axis.text])
    counts = np.array([found[place,] + 0.5 for place in range(axis.bins)])
    result: np.ndarray = counts / counts.sum()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("real", type=Path, help="table of ffgan attributes")
    parser.add_argument("generated", type=Path, help="another one")
    parser.add_argument(
        "--by",
        action="append",
        required=True,
        metavar="ATTRIBUTE[=A/B]",
        help="an attribute, with bounds between its groups; may be repeated",
    )
    parser.add_argument("--most", type=float, default=3.0, help="of r / g (default: 3)")
    parser.add_argument("--strength", type=float, default=1.0, help="default: 1")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    composed = {}
    print(f"{'group':<34} {'real':>7} {'drawn':>7} {'asked':>7}")
    for text in given.by:
        try:
            axis = Axis.of(text)
            real, drawn = shares(given.real, axis), shares(given.generated, axis)
        except UsageError as error:
            raise SystemExit(str(error)) from error
        asked = real * np.minimum(real / drawn, given.most) ** given.strength
        asked /= asked.sum()
        titles = [axis.title(place) for place in range(axis.bins)]
        composed[axis.text] = {
            title: float(share) for title, share in zip(titles, asked, strict=True)
        }
        for title, *row in zip(titles, real, drawn, asked, strict=True):
            numbers = " ".join(f"{share:>7.1%}" for share in row)
            print(f"{axis.name + ' ' + title:<34} {numbers}")
    given.out.write_text(json.dumps(composed, indent=2) + "\n")


if __name__ == "__main__":
    main()
