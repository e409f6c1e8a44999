# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file is, by its first bytes: also what ffgan does not read."""

from __future__ import annotations

import re
from typing import Final

SNIFFED: Final = 1024
"""Bytes from the beginning of a file that `describe` needs."""

UNKNOWN: Final = "unknown"

# Each at the file's very beginning; the first that fits counts.
_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\x8aMNG\r\n\x1a\n", "MNG"),
    (b"GIF8", "GIF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"DDS ", "DDS"),
    (b"P4\n", "PBM"),
    (b"P5\n", "PGM"),
    (b"P6\n", "PPM"),
    (b"bplist00", "property list"),
    (b"qoif", "QOI"),
    (b"\0\0\1\0", "icon"),
    (b"II\x1a\0\0\0HEAPCCDR", "raw photograph"),
    (b"IIRO", "raw photograph"),
    (b"IIRS", "raw photograph"),
    (b"MMOR", "raw photograph"),
    (b"IIU\0", "raw photograph"),
    (b"FUJIFILMCCD-RAW", "raw photograph"),
    (b"FOVb", "raw photograph"),
    (b"\0MRM", "raw photograph"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"PK\3\4", "zip"),
    (b"PK\5\6", "zip"),
    (b"Rar!\x1a\7", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\0\5\x16\7", "AppleDouble"),
    (b"\0\5\x16\0", "AppleDouble"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft OLE (Thumbs.db, Office)"),
    (b"\0\0\0\1Bud1", ".DS_Store"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
    (b"SQLite format 3\0", "SQLite"),
    (b"version https://git-lfs.github.com", "Git LFS pointer"),
    (b"ID3", "MP3"),
    (b"OggS", "Ogg"),
    (b"fLaC", "FLAC"),
)

# The major brands of ISO base media files (ISO/IEC 14496-12), which stand behind "ftyp".
_BRANDS: Final[dict[bytes, str]] = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"mif1", b"msf1", b"miaf", b"mif2"), "HEIF"),
    b"crx ": "raw photograph",
    b"jxl ": "JPEG XL",
    b"jp2 ": "JPEG 2000",
    b"qt  ": "QuickTime video",
}

_RIFF: Final[dict[bytes, str]] = {b"WEBP": "WebP", b"AVI ": "AVI video", b"WAVE": "WAV"}

_MARKUP: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,400}?-->\s*)*<(!doctype\s+)?(html|head|body|svg)\b",
    re.IGNORECASE | re.DOTALL,
)


def describe(data: bytes) -> str:
    """The name of a file's type by its first SNIFFED bytes: "HEIC", "GIF", "HTML", "zip", ...

    "empty" for no bytes at all, "zeros" where there is nothing else, "text" and "unknown" for what
    has no type of its own. Nothing is promised about the rest of the file.
    """
    data = data[:SNIFFED]
    if not data:
        return "empty"
    for beginning, name in _BEGINNINGS:
        if data.startswith(beginning):
            return name
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12], "RIFF")
    if data[4:8] == b"ftyp":
        return _media(data)
    if data[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "QuickTime video"
    if data.startswith(b"BM") and data[14:18] in _BMP_HEADERS:
        return "BMP"
    return _text(data)


_BMP_HEADERS: Final = frozenset(
    size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)
)


def _media(data: bytes) -> str:
    """A file of boxes by its brands: of a HEIF the compatible ones say what is coded in it."""
    name = _BRANDS.get(data[8:12], "MP4 video")
    if name == "HEIF":
        end = min(int.from_bytes(data[:4], "big"), len(data))
        for at in range(16, end - 3, 4):
            also = _BRANDS.get(data[at : at + 4], "HEIF")
            if also in ("HEIC", "AVIF"):
                return also
    return name


def _text(data: bytes) -> str:
    if not data.strip(b"\0"):
        return "zeros"
    text = data.removeprefix(b"\xef\xbb\xbf")
    if markup := _MARKUP.match(text):
        return "SVG" if markup[2].lower() == b"svg" else "HTML"
    if text.lstrip().startswith(b"<?xml"):
        return "XML"
    if text.lstrip()[:1] in (b"{", b"[") and _printable(text):
        return "JSON"
    return "text" if _printable(text) else UNKNOWN


def _printable(data: bytes) -> bool:
    """Whether no byte is a control character that text does not have."""
    return not data.translate(None, delete=_TEXT)


_TEXT: Final = bytes(set(range(32, 256)) | set(b"\t\n\r\f\x1b"))
