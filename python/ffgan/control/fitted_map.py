# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model's latents do to the attributes of its faces, as it lies in the model file.

The attributes of a latent z are predicted by ``c + L z + u' Q u`` with ``u = W z``: linear, and
quadratic along a few directions. A prediction tells where to move, never what was reached: that is
measured. Everything from a file is checked before it is used.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from ffgan.attributes.definitions import ATTRIBUTES
from ffgan.errors import ModelError
from ffgan.model import with_metadata, write_file
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import Float64

KEY: Final = "attributes"
"""The map's place in a model file's metadata."""

FORMAT: Final = 1
LARGEST_TEXT: Final = 1 << 19
MOST_COLUMNS: Final = 64
MOST_DIRECTIONS: Final = LATENT_SIZE
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LEAST_SHARE: Final = 1e-6
_LARGEST_NUMBER: Final = 1e6
LEAST_DEVIATION: Final = 1e-6
"""Of a column that hardly differs between faces; values are divided by it."""


def is_probability(column: str) -> bool:
    """Whether a column holds a network's probability, which is worked with as its logit."""
    return any(
        one.column == column and (one.unit == "probability" or one.kind == "choice")
        for one in ATTRIBUTES.values()
        if (one.low, one.high) == (0, 1)
    )


def known_columns() -> tuple[str, ...]:
    """The columns of all attributes, each once."""
    return tuple(dict.fromkeys(one.column for one in ATTRIBUTES.values()))


@dataclass(frozen=True, eq=False)
class AttributeMap:
    """A fitted map from latents to the attributes' columns, k of them.

    ``mean`` and ``deviation`` (k,) are those of a model's free faces, in the columns' units, of
    the logit for a probability; the rest is in standard deviations. ``constant`` (k,), ``linear``
    (k, 100), ``directions`` W (d, 100) and ``quadratic`` (k, d, d), symmetric. ``identity`` (r,
    100): the length of ``identity @ dz`` is about the distance of dlib's embeddings that a move dz
    brings about. ``low`` and ``high`` (k,) bound what can be asked for, in the columns' units.
    ``linear_fit`` and ``fit`` (k,) are R squared of the linear part alone and of the whole, on
    latents that took no part in the fit of ``samples`` latents. All float64. ``generator``: the
    SHA-256, as hex, of the generator's parameters.
    """

    generator: str
    columns: tuple[str, ...]
    mean: Float64
    deviation: Float64
    constant: Float64
    linear: Float64
    directions: Float64
    quadratic: Float64
    identity: Float64
    low: Float64
    high: Float64
    linear_fit: Float64
    fit: Float64
    samples: int

    @functools.cached_property
    def limits(self) -> dict[str, tuple[float, float]]:
        """By column, from where to where values can be asked for."""
        return {
            column: (float(low), float(high))
            for column, low, high in zip(self.columns, self.low, self.high, strict=True)
        }

    @functools.cached_property
    def probability(self) -> tuple[bool, ...]:
        """By column, whether it is worked with as its logit."""
        return tuple(is_probability(column) for column in self.columns)

    @functools.cached_property
    def cheapness(self) -> Float64:
        """(100, 100): the inverse of what a move costs, in length and in identity."""
        gram = self.identity.T @ self.identity
        scale = max(float(np.trace(gram)) / LATENT_SIZE, 1e-12)
        return np.asarray(np.linalg.inv(np.eye(LATENT_SIZE) + gram / scale), np.float64)

    @functools.cached_property
    def cosines(self) -> Float64:
        """(k, k): the cosines of the columns' linear slopes, 1 for what the same move changes."""
        lengths = np.linalg.norm(self.linear, axis=1, keepdims=True)
        slopes = self.linear / np.maximum(lengths, 1e-12)
        return np.asarray(slopes @ slopes.T, np.float64)

    def only(self, places: Sequence[int]) -> AttributeMap:
        """Return the map of some of the columns."""
        kept = list(places)
        chosen = {name: getattr(self, name)[kept] for name in (*_PER_COLUMN, "linear", "quadratic")}
        return replace(self, columns=tuple(self.columns[i] for i in kept), **chosen)

    def standardised(self, values: Float64) -> Float64:
        """Measured values (..., k) in standard deviations from the mean of free faces."""
        worked = np.array(values, dtype=np.float64)
        for i, is_one in enumerate(self.probability):
            if is_one:
                worked[..., i] = logit(worked[..., i])
        return np.asarray((worked - self.mean) / self.deviation, np.float64)

    def predict(self, latents: Float64) -> Float64:
        """Predict standardised attributes (..., k) of latents (..., 100)."""
        along = latents @ self.directions.T
        curved = np.einsum("...i,kij,...j->...k", along, self.quadratic, along)
        result: Float64 = self.constant + latents @ self.linear.T + curved
        return result

    def jacobian(self, latent: Float64) -> Float64:
        """Return the derivative (k, 100) of `predict` at a latent (100,)."""
        along = self.directions @ latent
        result: Float64 = self.linear + 2 * (self.quadratic @ along) @ self.directions
        return result

    def encode(self) -> str:
        """As text for a model file's metadata; the large arrays as float16."""
        count = len(self.directions)
        lower = np.tril_indices(count)
        return json.dumps(
            {
                "format": FORMAT,
                "generator": self.generator,
                "columns": list(self.columns),
                "samples": self.samples,
                **{name: _numbers(getattr(self, name)) for name in _PER_COLUMN},
                "directions": _packed(self.directions),
                "linear": _packed(self.linear),
                "quadratic": _packed(self.quadratic[:, lower[0], lower[1]]),
                "identity": _packed(self.identity),
            },
            separators=(",", ":"),
            sort_keys=True,
        )

    @classmethod
    def decode(cls, text: str, called: str) -> AttributeMap:
        """Read what `encode` wrote; ``called`` is the file's name for messages.

        Columns that this version does not know are left out. Raises `ModelError` for anything else
        that `encode` does not write.
        """
        if len(text) > LARGEST_TEXT:
            raise ModelError(f"{called}: its fitted attributes are too large")
        try:
            content = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{called}: its fitted attributes are not JSON: {error}") from error
        if not isinstance(content, dict):
            raise ModelError(f"{called}: its fitted attributes are not a table")
        if (stated := content.get("format")) != FORMAT or isinstance(stated, bool):
            newer = isinstance(stated, int) and stated > FORMAT
            way = "update ffgan, or " if newer else ""
            raise ModelError(
                f"{called}: its fitted attributes have format {str(stated)[:40]!r}, this version "
                f"reads {FORMAT}: {way}fit them again: python -m ffgan fit-attributes"
            )
        try:
            return _read(content)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            what = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
            raise ModelError(f"{called}: its fitted attributes are damaged: {what}") from error


_PER_COLUMN: Final = ("mean", "deviation", "constant", "low", "high", "linear_fit", "fit")


def logit(probability: Float64) -> Float64:
    """The logit, of what lies nearer to 0 or 1 than a network is to be believed: of that end."""
    inside = np.clip(probability, _LEAST_SHARE, 1 - _LEAST_SHARE)
    result: Float64 = np.log(inside / (1 - inside))
    return result


def _numbers(array: Float64) -> list[float]:
    return [float(f"{value:.6g}") for value in array]


def _packed(array: Float64) -> str:
    return base64.b64encode(np.ascontiguousarray(array, "<f2").tobytes()).decode()


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _read(content: Mapping[str, Any]) -> AttributeMap:
    columns = content["columns"]
    if not isinstance(columns, list) or not 1 <= len(columns) <= MOST_COLUMNS:
        raise ValueError(f"'columns' is no list of 1 to {MOST_COLUMNS} names")
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in columns):
        raise ValueError("'columns' has one that is no name")
    if len(set(columns)) != len(columns):
        raise ValueError("'columns' names one twice")
    samples = content["samples"]
    if isinstance(samples, bool) or not isinstance(samples, int) or not 1 <= samples < 1 << 40:
        raise ValueError("'samples' is not a whole number from 1 up")
    generator = content["generator"]
    if not isinstance(generator, str) or not _DIGEST.fullmatch(generator):
        raise ValueError("'generator' is no SHA-256")
    count = len(columns)
    per_column = {name: _list(content, name, count) for name in _PER_COLUMN}
    if not (per_column["deviation"] >= LEAST_DEVIATION).all():
        raise ValueError(f"'deviation' has one below {LEAST_DEVIATION:g}")
    if not (per_column["low"] <= per_column["high"]).all():
        raise ValueError("'low' is above 'high'")
    directions = _rows(content, "directions")
    d = len(directions)
    lower = np.tril_indices(d)
    packed = _unpacked(content, "quadratic", (count, len(lower[0])))
    quadratic = np.zeros((count, d, d))
    quadratic[:, lower[0], lower[1]] = packed
    quadratic[:, lower[1], lower[0]] = packed
    linear = _unpacked(content, "linear", (count, LATENT_SIZE))
    kept = [i for i, name in enumerate(columns) if name in known_columns()]
    if not kept:
        raise ValueError("this version knows none of its attributes: update ffgan")
    return AttributeMap(
        generator,
        tuple(columns),
        **per_column,
        linear=linear,
        directions=directions,
        quadratic=quadratic,
        identity=_rows(content, "identity"),
        samples=samples,
    ).only(kept)


def _list(content: Mapping[str, Any], name: str, count: int) -> Float64:
    values = content[name]
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"'{name}' is no list of {count} numbers")
    for value in values:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or abs(value) > _LARGEST_NUMBER:
            raise ValueError(f"'{name}' has {str(value)[:40]!r}, not a number of its size")
    return np.array(values, dtype=np.float64)


def _bytes(content: Mapping[str, Any], name: str) -> bytes:
    text = content[name]
    if not isinstance(text, str):
        raise ValueError(f"'{name}' is no text")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"'{name}' is not base64") from error


def _unpacked(content: Mapping[str, Any], name: str, shape: tuple[int, int]) -> Float64:
    data = _bytes(content, name)
    if len(data) != 2 * shape[0] * shape[1]:
        raise ValueError(f"'{name}' has {len(data)} bytes, not those of {shape}")
    array = np.frombuffer(data, "<f2").astype(np.float64).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError(f"'{name}' is not finite")
    return cast(Float64, array)


def _rows(content: Mapping[str, Any], name: str) -> Float64:
    """Directions of the latent space (n, 100), 0 to `MOST_DIRECTIONS` of them."""
    count = len(_bytes(content, name)) // (2 * LATENT_SIZE)
    if count > MOST_DIRECTIONS:
        raise ValueError(f"'{name}' has {count} directions, more than {MOST_DIRECTIONS}")
    return _unpacked(content, name, (count, LATENT_SIZE))


def save(fitted: AttributeMap, source: Path, target: Path) -> None:
    """Write the model file ``source`` with the fitted map as ``target``, whole or not at all.

    The two may be one file; its parameters stay as they are. Raises `ModelError`.
    """
    write_file(target, with_metadata(source, {KEY: fitted.encode()}))
