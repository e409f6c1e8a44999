# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image file says of the colours that its numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of red, green, blue and white."""

SRGB_PRIMARIES: Final = 1
SRGB_TRANSFER: Final = 13
UNSPECIFIED: Final = 2

_D65: Final = (0.3127, 0.3290)
_C: Final = (0.310, 0.316)

# The codes of ITU-T H.273, table 2.
PRIMARIES: Final[dict[int, Chromaticities]] = {
    1: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65),
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}


@dataclass(frozen=True)
class ColourSpace:
    """One of: an ICC profile; primaries and a transfer function.

    ``icc``: the profile's bytes, as they are in the file. ``primaries``: a code of H.273, or
    chromaticities. ``transfer``: a code of H.273, or the exponent that turns a sample of 0 to 1
    into light, as a float. ``damaged``: the file means to say something and it cannot be read.
    """

    icc: bytes | None = None
    primaries: int | Chromaticities = SRGB_PRIMARIES
    transfer: int | float = SRGB_TRANSFER
    damaged: bool = False
