# SPDX-License-Identifier: GPL-3.0-or-later
"""ICC profiles (ICC.1:2022): what LittleCMS, as Pillow offers it, does not tell of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffgan.typing import Float32

HEADER: Final = 128


@dataclass(frozen=True)
class Shaper:
    """A profile of a matrix and curves, or of one curve.

    ``curves``: (1 or 3, n), light of evenly spaced samples, all from 0 to 1. ``matrix``: (3, 3),
    from that light to XYZ under D50, None of grey.
    """

    curves: Float32
    matrix: Float32 | None


def space(profile: bytes) -> str:
    """The colour space of its samples: "RGB", "GRAY", "CMYK", ..."""
    return profile[16:20].decode("latin-1").strip()


def cicp(profile: bytes) -> tuple[int, int] | None:
    """Primaries and transfer by the codes of H.273, where the profile has them."""
    try:
        content = _tags(profile).get(b"cicp", b"")
    except (struct.error, IndexError):
        return None
    return (content[8], content[9]) if len(content) >= 12 else None


def shaper(profile: bytes, samples: int) -> Shaper | None:
    """A profile's matrix and curves of so many ``samples``; None where it has tables instead."""
    try:
        tags = _tags(profile)
        if any(tag in tags for tag in (b"A2B0", b"A2B1", b"D2B0", b"D2B1")):
            return None
        if space(profile) == "GRAY":
            return Shaper(np.stack([_curve(tags[b"kTRC"], samples)]), None)
        if space(profile) != "RGB" or profile[20:24] != b"XYZ ":
            return None
        columns = [struct.unpack_from(">3i", tags[name], 8) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = [_curve(tags[name], samples) for name in (b"rTRC", b"gTRC", b"bTRC")]
    except (struct.error, IndexError, KeyError, ValueError, OverflowError):
        return None
    matrix = np.array(columns, np.float64).T / 65536
    return Shaper(np.stack(curves), matrix.astype(np.float32))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, HEADER)
    tags = {}
    for entry in range(HEADER + 4, HEADER + 4 + 12 * min(count, 200), 12):
        name, start, length = struct.unpack_from(">4sII", profile, entry)
        tags[name] = profile[start : start + length]
    return tags


def _curve(tag: bytes, samples: int) -> Float32:
    """A tone curve; raises ValueError for one of an unknown type."""
    x: NDArray[Any] = np.linspace(0, 1, samples)
    y: NDArray[Any]
    if tag.startswith(b"curv"):
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            y = x
        elif count == 1:
            y = x ** (struct.unpack_from(">H", tag, 12)[0] / 256)
        else:
            table = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
            y = np.interp(x, np.linspace(0, 1, count), table)
    elif tag.startswith(b"para"):
        (kind,) = struct.unpack_from(">H", tag, 8)
        if kind > 4:
            raise ValueError(f"a parametric curve of type {kind}")
        given = np.array(struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)) / 65536
        y = _parametric(x, kind, *given)
    else:
        raise ValueError("not a curve")
    if not np.isfinite(y).all():
        raise ValueError("a curve without values")
    light: Float32 = np.clip(y, 0, 1).astype(np.float32)
    return light


def _parametric(
    x: NDArray[Any],
    kind: int,
    g: float,
    a: float = 1.0,
    b: float = 0.0,
    c: float = 0.0,
    d: float = 0.0,
    e: float = 0.0,
    f: float = 0.0,
) -> NDArray[Any]:
    """A curve of section 10.18; ``x`` from 0 to 1."""
    with np.errstate(all="ignore"):
        power: NDArray[Any] = np.maximum(a * x + b, 0) ** g
        if kind == 0:
            return power
        if kind in (1, 2):  # c is the offset there, and the curve is flat below -b / a
            return np.where(x >= -b / a, power, 0) + c
        return np.where(x >= d, power + e, c * x + f)
