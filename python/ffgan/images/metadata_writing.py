# SPDX-License-Identifier: GPL-3.0-or-later
"""Text metadata put into PNG, JPEG and WebP files; `ffgan.images.metadata` reads them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Final

from ffgan.errors import UsageError
from ffgan.images.chunks import PNG_SIGNATURE, png_chunk, riff_chunk, webp_file

MAX_TEXT: Final = 1 << 20
"""Most bytes of metadata that `ffgan.images.metadata.read_metadata` takes from one chunk."""

WEBP_HAS_XMP: Final = 0x04
"""The bit of a WebP's VP8X chunk that announces its XMP chunk."""


def insert_metadata(
    data: bytes, format: str, metadata: Mapping[str, str], *, size: tuple[int, int]
) -> bytes:
    """The file ``data`` of a format (png, jpg, webp) with the text by name put in.

    ``size`` is the image's width and height, in pixels. Raises UsageError for a name or text that
    the format cannot hold.
    """
    for name, text in metadata.items():
        _check_metadata(name, text)
    if format == "png":
        return _insert_png(data, metadata)
    if format == "jpg":
        return _insert_jpeg(data, metadata)
    return _insert_webp(data, metadata, *size)


def _check_metadata(name: str, text: str) -> None:
    if not (name.isascii() and name.isprintable() and 1 <= len(name) <= 79):
        raise UsageError(f"metadata name {name!r}: 1 to 79 printable ASCII characters")
    if name != name.strip() or "  " in name:
        raise UsageError(f"metadata name {name!r}: no space at its ends and no two in a row")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"metadata {name!r} is not text: {text!r}") from None
    if "\0" in text or len(text) > MAX_TEXT // 8:
        raise UsageError(f"metadata {name!r}: at most {MAX_TEXT // 8} characters, no NUL")


def _insert_png(data: bytes, metadata: Mapping[str, str]) -> bytes:
    chunks = []
    for name, text in sorted(metadata.items()):
        if text.isascii():
            chunks.append(png_chunk(b"tEXt", name.encode() + b"\0" + text.encode()))
        else:
            uncompressed_no_language = b"\0\0\0\0\0"
            content = name.encode() + uncompressed_no_language + text.encode()
            chunks.append(png_chunk(b"iTXt", content))
    after_header = len(PNG_SIGNATURE) + 25
    return data[:after_header] + b"".join(chunks) + data[after_header:]


def _insert_jpeg(data: bytes, metadata: Mapping[str, str]) -> bytes:
    comment = _json(metadata).encode()
    if len(comment) > 65533:
        raise UsageError("metadata of more than 65533 bytes do not fit a JPEG comment: write png")
    # JFIF wants its own segment to be the first.
    position = 2
    if data[3] == 0xE0:
        position += 2 + int.from_bytes(data[4:6], "big")
    segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    return data[:position] + segment + data[position:]


def _insert_webp(data: bytes, metadata: Mapping[str, str], width: int, height: int) -> bytes:
    from ffgan.images.containers import WebP  # which brings the readers of all kinds along

    header = struct.pack("<I", WEBP_HAS_XMP)
    header += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    pixels = [(kind, part) for kind, part in WebP(data).chunks() if kind != b"VP8X"]
    chunks = [(b"VP8X", header), *pixels, (b"XMP ", xmp(metadata))]
    return webp_file(b"".join(riff_chunk(kind, content) for kind, content in chunks))


def xmp(metadata: Mapping[str, str]) -> bytes:
    """The metadata as an XMP packet, the content of a WebP's last chunk."""
    text = _json(metadata).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
        "</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def _json(metadata: Mapping[str, str]) -> str:
    return json.dumps(dict(metadata), sort_keys=True)
