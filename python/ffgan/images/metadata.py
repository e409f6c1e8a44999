# SPDX-License-Identifier: GPL-3.0-or-later
"""Text metadata in PNG, JPEG and WebP files: putting them in and reading them."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ffgan import storage
from ffgan.errors import DatasetError, Error, UsageError
from ffgan.images.containers import (
    CUT_OFF,
    DAMAGED,
    PNG_SIGNATURE,
    Jpeg,
    Png,
    WebP,
    container,
    png_chunk,
    riff_chunk,
    webp_file,
)

MAX_TEXT: Final = 1 << 20
"""Most bytes of metadata that `read_metadata` takes from one chunk."""

METADATA_WITHIN: Final = 1 << 16
"""Bytes at a file's beginning, of a WebP at its end, that hold the metadata ffgan gives it."""

WEBP_HAS_XMP: Final = 0x04
"""The bit of a WebP's VP8X chunk that announces its XMP chunk."""

# What all pictures that show generated faces say: PNG text, and JSON in a JPEG and a WebP.
_MARKS: Final = (b"software\0ffgan", b"program\0ffgan ", b'"software": "ffgan"')

_XMP_KEYWORD: Final = "{http://purl.org/dc/elements/1.1/}description"


# --- Writing ---


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


# --- Reading ---


def read_metadata(source: str | Path | bytes) -> dict[str, str]:
    """The text metadata of a PNG, JPEG or WebP file or its bytes, as `encode` writes them.

    Text of other programs comes too: PNG chunks by their keyword, a JPEG comment or an XMP
    description that is not JSON as "comment". Raises Error when the file cannot be read, UsageError
    when it is of another type or cut off.
    """
    if isinstance(source, bytes):
        name, data = "image", source
    else:
        name = str(source)
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise Error(f"cannot read {name}: {storage.reason(error)}") from error
    try:
        file = container(data)
        if isinstance(file, Png):
            return _read_png(file)
        if isinstance(file, Jpeg):
            return _read_jpeg(file)
        if isinstance(file, WebP):
            return _read_webp(file)
    except (struct.error, IndexError) as error:
        raise UsageError(f"{name}: {CUT_OFF}") from error
    except DatasetError as error:
        raise UsageError(f"{name}: {error}") from error
    raise UsageError(f"{name}: metadata are read from PNG, JPEG and WebP, not {file.kind}")


def made_by_ffgan(data: bytes) -> bool:
    """Whether a picture says that its faces were generated by ffgan.

    ``data``: the file, or its first and last METADATA_WITHIN bytes. `read_metadata` would say the
    same, and take the whole file and much longer.
    """
    end = data[-METADATA_WITHIN:] if data.startswith(b"RIFF") else data[:METADATA_WITHIN]
    return b"ffgan" in end and any(mark in end for mark in _MARKS)


def _read_png(file: Png) -> dict[str, str]:
    found = {}
    for kind, start, end in file.chunks():
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            continue
        keyword, _, content = file.data[start + 8 : end - 4].partition(b"\0")
        if kind == b"iTXt":
            compressed = content[:1] == b"\1"
            content = content[2:].partition(b"\0")[2].partition(b"\0")[2]
        else:
            compressed = kind == b"zTXt"
            content = content[1:] if compressed else content
        if compressed:
            try:
                content = zlib.decompressobj().decompress(content, MAX_TEXT)
            except zlib.error as error:
                raise DatasetError(DAMAGED) from error
        encoding = "utf-8" if kind == b"iTXt" else "latin-1"
        found[keyword.decode("latin-1")] = content[:MAX_TEXT].decode(encoding, "replace")
    return found


def _read_jpeg(file: Jpeg) -> dict[str, str]:
    found = {}
    for marker, start, end in file.segments():
        if marker == 0xFE:
            found.update(_from_json(file.data[start:end].decode("utf-8", "replace").rstrip("\0")))
    return found


def _read_webp(file: WebP) -> dict[str, str]:
    from xml.etree import ElementTree

    for kind, content in file.chunks():
        # A document type could define entities that grow without bound.
        if kind == b"XMP " and len(content) <= MAX_TEXT and b"<!" not in content:
            try:
                description = ElementTree.fromstring(content).find(f".//{_XMP_KEYWORD}")
            except (ElementTree.ParseError, ValueError) as error:
                raise DatasetError(DAMAGED) from error
            if description is not None:
                return _from_json("".join(description.itertext()).strip())
    return {}


def _from_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return {"comment": text}
    return {name: value if isinstance(value, str) else str(value) for name, value in found.items()}
