# SPDX-License-Identifier: GPL-3.0-or-later
"""How the pixels of a TIFF are stored, and what of that is not supported."""

from __future__ import annotations

from typing import Final, NamedTuple

from ffgan.errors import DatasetError
from ffgan.images.containers import DAMAGED, Tiff

WHITE_IS_ZERO: Final = 0
BLACK_IS_ZERO: Final = 1
IS_RGB: Final = 2
PALETTE: Final = 3
CMYK: Final = 5
YCBCR: Final = 6
LAB: Final = 8
ICC_LAB: Final = 9

# Colours of each kind of pixel, and the bits that a sample may have.
COLOURS: Final = {
    WHITE_IS_ZERO: (1, (1, 2, 4, 8, 16)),
    BLACK_IS_ZERO: (1, (1, 2, 4, 8, 16)),
    IS_RGB: (3, (8, 16)),
    PALETTE: (1, (1, 2, 4, 8)),
    CMYK: (4, (8, 16)),
    YCBCR: (3, (8,)),
    LAB: (3, (8,)),
    ICC_LAB: (3, (8,)),
}

PLAIN: Final = 1
OLD_JPEG: Final = 6
JPEG: Final = 7
DEFLATE: Final = (8, 32946)

_COMPRESSIONS: Final = {
    PLAIN,
    JPEG,
    *DEFLATE,
    2,  # of fax: Huffman, group 3, group 4
    3,
    4,
    5,  # LZW
    32773,  # PackBits
    34925,  # LZMA
    50000,  # Zstandard
}

MAX_TILE: Final = 1 << 24
"""Most pixels of a tile: usual ones have 256 a side."""

_SAMPLE_FORMATS: Final = {2: "int", 3: "float", 5: "complex int", 6: "complex"}


class Layout(NamedTuple):
    """``alpha``: 0 none, 1 the colours are multiplied with it, 2 they are not.

    ``across``: strips or tiles side by side, of ``wide`` times ``high`` pixels; where they are, all
    of one plane first. ``by_rows``: decompressed, the bytes are rows of samples.
    """

    photometric: int
    bits: int
    channels: int
    alpha: int
    compression: int
    predictor: int
    planes: int
    by_rows: bool
    across: int
    wide: int
    high: int
    tiled: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    def plane(self, number: int) -> Layout:
        """One of the planes, as if it were a grey picture."""
        many = len(self.offsets) // self.planes
        these = slice(number * many, (number + 1) * many)
        return self._replace(
            photometric=BLACK_IS_ZERO,
            channels=1,
            alpha=0,
            planes=1,
            offsets=self.offsets[these],
            counts=self.counts[these],
        )


def layout_of(file: Tiff) -> Layout:
    """Raises DatasetError for what is not supported, or not there."""
    tags = file.tags
    photometric, bits, channels = _samples(file)
    (compression,) = tags.get(259, (PLAIN,))[:1]
    if compression not in _COMPRESSIONS:
        name = "old-style JPEG" if compression == OLD_JPEG else f"number {compression}"
        raise DatasetError(f"a TIFF with a compression ({name}) that is not supported")
    predictor = tags.get(317, (1,))[0]
    if predictor not in (1, 2):
        raise DatasetError(f"a TIFF with a predictor ({predictor}) that is not supported")
    width, height = file.size
    tiled = 322 in tags
    if tiled:
        wide, high = tags[322][0], tags.get(323, (0,))[0]
    else:
        wide, high = width, min(tags.get(278, (height,))[0], height)
    offsets = tags.get(324 if tiled else 273, ())
    counts = tags.get(325 if tiled else 279, ())
    planes = channels if tags.get(284, (1,))[0] == 2 else 1
    if planes > 1 and photometric == YCBCR:
        raise DatasetError("a TIFF of YCbCr in planes, which is not supported")
    if wide < 1 or high < 1 or (tiled and wide * high > MAX_TILE):
        raise DatasetError(DAMAGED)
    across = -(-width // wide)
    needed = planes * across * -(-height // high)
    if not counts and compression == PLAIN and needed == 1 and offsets:
        counts = (len(file.data) - offsets[0],)
    if len(offsets) < needed or len(counts) < needed or 0 in counts[:needed]:
        raise DatasetError(f"{DAMAGED}: strips or tiles are missing")
    return Layout(
        photometric=photometric,
        bits=bits,
        channels=channels,
        alpha=_alpha(tags.get(338), photometric, channels),
        compression=compression,
        predictor=predictor,
        planes=planes,
        by_rows=photometric != YCBCR and tags.get(266, (1,))[0] == 1,
        across=across,
        wide=wide,
        high=high,
        tiled=tiled,
        offsets=offsets[:needed],
        counts=counts[:needed],
    )


def _samples(file: Tiff) -> tuple[int, int, int]:
    """Kind of pixel, bits per sample, samples per pixel."""
    tags = file.tags
    (channels,) = tags.get(277, (1,))[:1]
    depths = set(tags.get(258, (1,)))
    forms = set(tags.get(339, (1,))) - {1, 4}
    (photometric,) = tags.get(262, (BLACK_IS_ZERO if channels < 3 else IS_RGB,))[:1]
    if photometric in (32803, 34892):
        raise DatasetError("a raw photograph: develop it, and give the JPEG or TIFF")
    if photometric not in COLOURS:
        raise DatasetError(f"a TIFF of a kind of pixel ({photometric}) that is not supported")
    colours, supported = COLOURS[photometric]
    bits = min(depths)
    if forms:
        name = _SAMPLE_FORMATS.get(min(forms), "unknown")
        raise DatasetError(f"a TIFF of {name}{bits} samples, only 8 and 16 bits are supported")
    if len(depths) > 1 or bits not in supported:
        listed = " and ".join(str(depth) for depth in sorted(depths))
        raise DatasetError(f"a TIFF of {listed} bits per sample, only 8 and 16 are supported")
    if photometric == CMYK and tags.get(332, (1,))[0] != 1:
        raise DatasetError("a TIFF of inks other than CMYK, which is not supported")
    if not colours <= channels <= colours + 4:
        raise DatasetError(f"a TIFF of {channels} samples per pixel, which are not supported")
    return photometric, bits, channels


def _alpha(extra: tuple[int, ...] | None, photometric: int, channels: int) -> int:
    """What the sample behind the colours is.

    Where nothing is said of it, it is alpha: programs that write such files mean that. Behind the
    four inks it is another ink.
    """
    if photometric in (YCBCR, LAB, ICC_LAB) or channels == COLOURS[photometric][0]:
        return 0
    if not extra:
        return 0 if photometric in (CMYK, PALETTE) else 2
    return extra[0] if extra[0] in (1, 2) else 0
