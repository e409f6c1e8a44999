# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes that come from a file: vectors that are known of each image from elsewhere.

Where another generator drew the training images, its latents say what each of them shows, in fewer
numbers than pixels do, and are distributed like noise already. Their principal components, each
scaled to variance 1, are the codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffgan import storage
from ffgan.errors import DatasetError, UsageError
from ffgan.training.by_name import rows_of
from ffgan.training.warm_start import BLOCK, CODE_SIZE, PrincipalComponents, fix_signs
from ffgan.typing import Float32

MAX_LENGTH = 4096
"""Numbers of a vector, whose square is the size of what is decomposed."""

_NAMES, _CODES = "names", "codes"


def read(path: str, names: Sequence[bytes]) -> Float32:
    """The vectors (n, k) float32 of the images with these names, n of them.

    The file is NumPy's .npz of ``names``, n or more, as the data set has them, and ``codes``, k
    numbers for each. Raises UsageError where it is anything else, and DatasetError where it lacks
    an image.
    """
    known, vectors = _content(path)
    chosen = rows_of(names, known.tolist(), given=f"--codes {path}", noun="code")
    with np.errstate(over="ignore"):
        found = vectors[chosen].astype(np.float32)
    if not np.isfinite(found).all():
        raise UsageError(f"--codes {path} has numbers that are not finite")
    return found


def _content(path: str) -> tuple[NDArray[np.str_], NDArray[np.generic]]:
    """The arrays of a file: its names, and the vectors of as many images."""
    form = f"an .npz file of {_NAMES} (n,) and {_CODES} (n, k), k from {CODE_SIZE} to {MAX_LENGTH}"
    try:
        with open(path, "rb") as content:
            if content.read(2) != b"PK":  # or NumPy would speak of pickled data
                raise ValueError("it is no zip archive")
            content.seek(0)
            file = np.load(content, allow_pickle=False)
            names, codes = file[_NAMES], file[_CODES]
    except OSError as error:
        raise UsageError(f"cannot read --codes {path}: {storage.reason(error)}") from error
    except Exception as error:  # of zipfile, zlib, and Python's parser, which NumPy uses
        raise UsageError(f"--codes {path} is not {form}: {error}") from error
    if not (
        names.dtype.kind == "U"
        and names.ndim == 1
        and codes.dtype.kind in "fiu"
        and codes.ndim == 2
        and len(codes) == len(names)
        and CODE_SIZE <= codes.shape[1] <= MAX_LENGTH
    ):
        raise UsageError(
            f"--codes {path} is not {form}: {_NAMES} are {names.dtype} {names.shape}, "
            f"{_CODES} {codes.dtype} {codes.shape}"
        )
    return names, codes


def principal_components(vectors: Float32) -> PrincipalComponents:
    """Those of vectors (n, k), which vary in as many directions as there are codes.

    Vectors of 100 numbers are codes already, and stay as they are. Raises DatasetError where others
    do not vary enough.
    """
    if vectors.shape[1] == CODE_SIZE:
        return PrincipalComponents(
            np.zeros(CODE_SIZE, np.float32),
            np.eye(CODE_SIZE, dtype=np.float32),
            np.ones(CODE_SIZE, np.float32),
            1.0,
        )
    mean = vectors.mean(axis=0, dtype=np.float64)
    square = np.zeros((vectors.shape[1],) * 2)
    for begin in range(0, len(vectors), BLOCK):
        part = vectors[begin : begin + BLOCK] - mean
        square += part.T @ part
    variance, directions = np.linalg.eigh(square / len(vectors))
    whole = float(variance.sum())
    variance, directions = variance[::-1][:CODE_SIZE], directions[:, ::-1][:, :CODE_SIZE]
    if variance[-1] <= 1e-9 * variance[0]:
        raise DatasetError(
            f"the images' codes vary in fewer than {CODE_SIZE} directions: add images, or train "
            "without --codes"
        )
    return PrincipalComponents(
        mean.astype(np.float32),
        np.ascontiguousarray(fix_signs(directions.T), np.float32),
        np.sqrt(variance).astype(np.float32),
        float(variance.sum()) / whole,
    )
