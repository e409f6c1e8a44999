# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of image files that can be read: by which suffixes, with which extra."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

_SUFFIXES: Final = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),
    "PNG": (".png",),
    "WebP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIC": (".heic", ".heif", ".hif"),
    "JPEG XL": (".jxl",),
    "DNG": (".dng",),
}

EXTRAS: Final[Mapping[str, str]] = MappingProxyType({"HEIC": "photos", "JPEG XL": "photos"})
"""The extra that reading a kind needs; kinds that are not here need none."""

# The module by which an extra's kind is read.
_MODULES: Final = {"HEIC": "pillow_heif", "JPEG XL": "pillow_jxl"}


def missing_extra(kind: str) -> str:
    """The extra that must be installed before files of this kind can be read, or nothing."""
    if kind in _MODULES and find_spec(_MODULES[kind]) is None:
        return EXTRAS[kind]
    return ""


def suffixes() -> Mapping[str, str]:
    """The kind of file by each suffix in lower case, such as ``".heic"``: "HEIC".

    A suffix only says what to look at: what a file is, its first bytes say. Kinds in `EXTRAS` are
    here whether or not the extra is installed.
    """
    return {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes}


def needs_extra(kind: str) -> str:
    """What to say of a file of a kind whose extra is missing."""
    return f"is a {kind} file: pip install 'ffgan[{EXTRAS[kind]}]' reads those"


def lacks_extra(reason: str) -> bool:
    """Whether a reason is that of `needs_extra`, which holds until the extra is installed."""
    return any(reason == needs_extra(kind) for kind in EXTRAS)
