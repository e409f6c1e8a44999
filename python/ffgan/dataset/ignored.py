# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are no training images: told by their names where possible, else by their first bytes.

Looking into a file costs one more access, which counts on a slow drive: it is left to names that
say nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ffgan import images

UNFINISHED: Final = "unfinished or a copy"
NOT_REGULAR: Final = "link or special file"
ENCRYPTED: Final = "encrypted"

HOLDS_IMAGES: Final = frozenset({b".tar", b".zip", b".parquet"})
"""Files that may hold images: of a folder that has no others, these are taken."""

_KINDS: Final = {
    "text": "txt md rst log csv tsv json jsonl xml html htm css js ini cfg conf toml yaml yml url "
    "lnk nfo srt vtt caption py ipynb sh bat rtf xmp aae thumbdata plist sha256 md5",
    "film": "mp4 m4v mov avi mkv webm mpg mpeg 3gp wmv flv mts m2ts thm lrv",
    "sound": "mp3 m4a wav flac ogg opus aac amr wma",
    "archive": "zip tar gz tgz bz2 xz zst 7z rar iso dmg",
    "document": "pdf doc docx xls xlsx ppt pptx odt ods odp epub",
    "raw photograph": "cr2 cr3 crw nef nrw arw sr2 srf raf rw2 orf pef x3f 3fr erf kdc mrw dcr "
    "iiq rwl srw raw",
    "data": "exe dll so dylib bin db sqlite npy npz pt pth ckpt safetensors onnx pkl "
    "h5 pack cache dnn dat tfrecord lmdb mdb parquet arrow",
    "drawing": "svg psd psb xcf ai eps",
    UNFINISHED: "part partial crdownload download tmp temp bak old orig swp",
}
BY_SUFFIX: Final = {
    b"." + suffix.encode(): kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()
}


def kind_of_content(beginning: bytes, suffix: bytes) -> str:
    """The type of a file by its first `images.SNIFFED` bytes.

    Raw photographs are TIFF files with a small preview in them, so only a name that says TIFF, or
    nothing, makes one an image.
    """
    kind = images.describe(beginning)
    if kind == "TIFF" and suffix and not suffix.startswith(b".tif"):
        return "raw photograph"
    return kind


def summary(ignored: Counter[str]) -> str:
    """How many files of which kinds: "2 HEIC (pip install 'ffgan[photos]' reads them), 1 GIF"."""
    parts = []
    for kind, count in ignored.most_common():
        extra = images.EXTRAS.get(kind)
        way_out = f" (pip install 'ffgan[{extra}]' reads them)" if extra else ""
        parts.append(f"{count:,} {kind}{way_out}")
    return ", ".join(parts)
