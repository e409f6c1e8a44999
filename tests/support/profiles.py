# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour profiles made by hand, and what their colours are in sRGB by the formulas."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

from ffgan.images.chunks import PNG_SIGNATURE, png_chunk

P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
BT2020 = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
PROPHOTO = ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))

D65 = (0.3127, 0.3290)
D50 = (0.345704, 0.358540)
D50_XYZ = np.array([0.9642, 1.0, 0.8249])

Curve = Callable[[np.ndarray], np.ndarray]


def srgb_light(samples: np.ndarray) -> np.ndarray:
    return np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)


def srgb_samples(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def gamma(exponent: float) -> Curve:
    return lambda samples: samples**exponent


def matrix(primaries: tuple[tuple[float, float], ...], white: tuple[float, float]) -> np.ndarray:
    """From the light of primaries to XYZ under D50."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    of_white = np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    adapt = np.diag((bradford @ D50_XYZ) / (bradford @ of_white))
    return np.linalg.inv(bradford) @ adapt @ bradford @ (xyz * np.linalg.solve(xyz, of_white))


def in_srgb(
    samples: np.ndarray,
    primaries: tuple[tuple[float, float], ...],
    curve: Curve,
    white: tuple[float, float] = D65,
) -> np.ndarray:
    """What (h, w, 3) samples from 0 to 1 are in sRGB, from 0 to 255, not rounded."""
    light = curve(samples) @ (np.linalg.inv(matrix(SRGB, D65)) @ matrix(primaries, white)).T
    return 255 * srgb_samples(light)


def rgb_profile(
    primaries: tuple[tuple[float, float], ...],
    curve: Curve,
    white: tuple[float, float] = D65,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """A profile of a matrix and a curve."""
    columns = matrix(primaries, white).T
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    colorants = [(name, _xyz(column)) for name, column in zip(names, columns, strict=True)]
    curves = [(name, _curve(curve)) for name in (b"rTRC", b"gTRC", b"bTRC")]
    return _profile(b"mntr", b"RGB ", b"XYZ ", (*colorants, *curves, *more))


def grey_profile(curve: Curve) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", ((b"kTRC", _curve(curve)),))


def ink_profile(lab: Callable[[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """A profile for CMYK: a table of the L*a*b* of each of the 16 overprints of full inks."""
    nodes = [
        (round(lightness * 2.55), round(a) + 128, round(b) + 128)
        for c in (0, 1)
        for m in (0, 1)
        for y in (0, 1)
        for k in (0, 1)
        for lightness, a, b in [lab(c, m, y, k)]
    ]
    identity = bytes(range(256))
    one = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0\4\3\2\0" + one + identity * 4
    table += bytes(value for node in nodes for value in node) + identity * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", ((b"A2B0", table), (b"A2B1", table)))


def _profile(
    kind: bytes, space: bytes, connection: bytes, more: tuple[tuple[bytes, bytes], ...]
) -> bytes:
    tags = (
        (b"desc", b"desc\0\0\0\0\0\0\0\5test\0".ljust(96, b"\0")),
        (b"cprt", b"text\0\0\0\0none\0"),
        (b"wtpt", _xyz(D50_XYZ)),
        *more,
    )
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags:
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    header = struct.pack(">I4sI", start + len(body), b"none", 0x02400000)
    header += kind + space + connection + bytes(12) + b"acsp" + bytes(28)
    header += b"".join(_fixed(value) for value in D50_XYZ)
    return header.ljust(128, b"\0") + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in values)


def _curve(curve: Curve) -> bytes:
    table = np.round(curve(np.linspace(0, 1, 1024)) * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(table)) + table.tobytes()


def with_profile(data: bytes, profile: bytes, orientation: int = 1) -> bytes:
    """A PNG or TIFF of OpenCV with a colour profile, the TIFF with an orientation."""
    if data.startswith(PNG_SIGNATURE):
        return with_chunk(data, b"iCCP", b"p\0\0" + zlib.compress(profile))
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    first = data[place + 2 : place + 2 + 12 * count]
    kept = [first[at : at + 12] for at in range(0, len(first), 12)]
    kept = [entry for entry in kept if struct.unpack_from("<H", entry)[0] != 274]
    kept.append(struct.pack("<HHIHxx", 274, 3, 1, orientation))
    kept.append(struct.pack("<HHII", 34675, 7, len(profile), len(data)))
    kept.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    data = data[:4] + struct.pack("<I", len(data) + len(profile)) + data[8:] + profile
    return data + struct.pack("<H", len(kept)) + b"".join(kept) + bytes(4)


def with_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return data[:33] + png_chunk(kind, content) + data[33:]
