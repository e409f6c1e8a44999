# SPDX-License-Identifier: GPL-3.0-or-later
"""How often each training image comes, beside the others: weights from a file."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np

from ffgan import storage
from ffgan.errors import UsageError
from ffgan.training.by_name import rows_of
from ffgan.typing import Float64

_NAME, _WEIGHT = "image", "weight"


def read(path: str, names: Sequence[bytes]) -> Float64:
    """The weights (n,) float64 of the images with these names, n of them.

    The file is a table (CSV) with the columns ``image``, the names as the data set has them, and
    ``weight``, numbers from 0 on, in any order and with any other columns. It may have more images
    than the data set. Raises UsageError where it is anything else, or all weights are 0, and
    DatasetError where it lacks an image.
    """
    given = f"--image-weights {path}"
    form = f"a table (CSV) with the columns {_NAME} and {_WEIGHT}"
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            table = csv.DictReader(file)
            if not {_NAME, _WEIGHT} <= set(table.fieldnames or ()):
                raise UsageError(f"{given} is not {form}")
            rows = [(row[_NAME], row[_WEIGHT]) for row in table]
    except OSError as error:
        raise UsageError(f"cannot read {given}: {storage.reason(error)}") from error
    except csv.Error as error:
        raise UsageError(f"{given} is not {form}: {error}") from error
    chosen = rows_of(names, [name for name, _ in rows], given=given, noun="weight")
    weights = np.empty(len(names))
    for place, row in enumerate(chosen):
        name, text = rows[row]
        try:
            weights[place] = float(text)
        except (TypeError, ValueError):  # of a line that is too short, or of a word
            weights[place] = np.nan
        if not 0 <= weights[place] < np.inf:
            raise UsageError(f"{given} has the weight {text!r} of {name}: give a number from 0 on")
    if not weights.any():
        raise UsageError(f"{given} has the weight 0 of all images: give some of them a larger one")
    return weights
