# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of pictures: which columns there are, and what a picture has in each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from ffgan.attributes.definitions import named
from ffgan.attributes.measurement import columns as attribute_columns
from ffgan.attributes.table import DIGITS
from ffgan.model import Face
from ffgan.shapes import LATENT_SIZE
from ffgan.synthesis.settings import Settings

Kind: TypeAlias = Literal["uint64", "int64", "int32", "float32", "word"]
Row: TypeAlias = dict[str, Any]
"""The labels of a picture by column, None for what could not be measured; without its latent."""

LATENT: Final = "latent"

_FIRST: Final[tuple[tuple[str, Kind], ...]] = (
    ("index", "int64"),
    ("seed", "uint64"),
    ("tries", "int32"),
    ("score", "float32"),
    ("identity", "int64"),
    ("image_index", "int32"),
)


@dataclass(frozen=True)
class Column:
    """A column of labels. ``longest``: letters of the longest of its words."""

    name: str
    kind: Kind
    longest: int = 0


@dataclass(frozen=True, eq=False)
class Sample:
    """A face for place ``slot`` of its shard, with what was measured of it, by column.

    ``image``: its number among the pictures of its ``identity``.
    """

    slot: int
    face: Face
    identity: int
    image: int
    values: Mapping[str, Any]


def columns(settings: Settings) -> list[Column]:
    """The columns of all labels but the latent."""
    found = [Column(name, kind) for name, kind in _FIRST]
    longest = {
        one.name: max(map(len, one.choices))
        for one in named(settings.measured)
        if one.kind == "choice"
    }
    for name in labels_measured(settings):
        if name in longest:
            found.append(Column(name, "word", longest[name]))
        else:
            found.append(Column(name, "float32"))
    return found


def labels_measured(settings: Settings) -> tuple[str, ...]:
    """The columns of what is measured, in their order."""
    return attribute_columns(settings.measured).names or ()


def row(sample: Sample, index: int) -> Row:
    """The labels of picture ``index`` of the set.

    Numbers are rounded to what their measurement is worth, and a little more.
    """
    face = sample.face
    return {
        "index": index,
        "seed": face.seed,
        "tries": face.tries,
        "score": _rounded(face.score),
        "identity": sample.identity,
        "image_index": sample.image,
        **{name: _plain(value) for name, value in sample.values.items()},
    }


def _plain(value: Any) -> Any:
    return _rounded(value) if isinstance(value, float) else value or None


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def latent_type(settings: Settings) -> np.dtype[Any] | None:
    """The type of the latents that are kept, None where they are not; they are (100,)."""
    return None if settings.latent == "none" else np.dtype(settings.latent)


def numpy_type(settings: Settings) -> np.dtype[np.void]:
    """A row of labels as a structured array has it; a missing number is NaN, a missing word ""."""
    fields: list[Any] = [
        (one.name, (np.str_, one.longest) if one.kind == "word" else one.kind)
        for one in columns(settings)
    ]
    if (kind := latent_type(settings)) is not None:
        fields.append((LATENT, kind, LATENT_SIZE))
    return np.dtype(fields)
