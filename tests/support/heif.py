# SPDX-License-Identifier: GPL-3.0-or-later
"""AVIF and HEIC files put together from what real encoders make, with any properties."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field

import cv2
import numpy as np
import pillow_heif
from PIL import Image

from ffgan import images
from ffgan.images.containers.isobmff import Isobmff

Properties = list[tuple[bytes, bytes]]

TURNS = {0: b"irot\0", 90: b"irot\1", 180: b"irot\2", 270: b"irot\3"}
"""Anti-clockwise."""


@dataclass
class Item:
    """A coded picture, a grid of others, ..."""

    kind: bytes
    data: bytes
    properties: Properties = field(default_factory=list)
    made_of: list[int] = field(default_factory=list)
    alpha_of: int | None = None
    matrix: int = 6


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full(kind: bytes, content: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]) + content)


def assembled(items: list[Item], brand: bytes) -> bytes:
    """A file of items numbered from 1 on, of which the first is the picture."""
    entries = b"".join(
        full(b"infe", struct.pack(">HH4sx", number, 0, item.kind), 2)
        for number, item in enumerate(items, 1)
    )
    links = b""
    for number, item in enumerate(items, 1):
        if item.made_of:
            to = b"".join(struct.pack(">H", one) for one in item.made_of)
            links += box(b"dimg", struct.pack(">HH", number, len(item.made_of)) + to)
        if item.alpha_of:
            links += box(b"auxl", struct.pack(">HHH", number, 1, item.alpha_of))
    properties, of_items = b"", b""
    count = 0
    for number, item in enumerate(items, 1):
        of_items += struct.pack(">HB", number, len(item.properties))
        for kind, content in item.properties:
            count += 1
            properties += box(kind, content)
            essential = kind in (b"irot", b"imir", b"clap", b"av1C", b"hvcC")
            of_items += bytes([count | (0x80 if essential else 0)])
    ipma = full(b"ipma", struct.pack(">I", len(items)) + of_items)
    handler = full(b"hdlr", struct.pack(">I4s12xx", 0, b"pict"))

    def meta(start: int) -> bytes:
        places = struct.pack(">HH", 0x4400, len(items))
        for number, item in enumerate(items, 1):
            places += struct.pack(">HHHII", number, 0, 1, start, len(item.data))
            start += len(item.data)
        return full(
            b"meta",
            handler
            + full(b"pitm", struct.pack(">H", 1))
            + full(b"iloc", places)
            + full(b"iinf", struct.pack(">H", len(items)) + entries)
            + (full(b"iref", links) if links else b"")
            + box(b"iprp", box(b"ipco", properties) + ipma),
        )

    head = box(b"ftyp", brand + bytes(4) + brand + b"mif1miaf")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", b"".join(item.data for item in items))


def taken_apart(data: bytes) -> Item:
    """The picture of a file of an encoder, as an item without colours and turns."""
    file = images.container(data)
    assert isinstance(file, Isobmff)
    items = file._items
    parts = [data[start : start + length] for _, start, length in items.extents[items.primary]]
    kept = [
        (kind, content)
        for kind, content in items.properties[items.primary]
        if kind in (b"ispe", b"pixi", b"av1C", b"hvcC")
    ]
    told = dict(items.properties[items.primary]).get(b"colr", b"")
    matrix = int.from_bytes(told[8:10], "big") if told.startswith(b"nclx") else 6
    return Item(items.kinds[items.primary], b"".join(parts), kept, matrix=matrix)


def coded(pixels: np.ndarray, format: str) -> Item:
    """An item of AVIF or HEIC; uint8, or uint16 of which AVIF and HEIC keep ten bits."""
    buffer = io.BytesIO()
    if format == "AVIF":
        if pixels.dtype == np.uint8:
            Image.fromarray(pixels).save(
                buffer, "AVIF", quality=95, subsampling="4:4:4", speed=8, max_threads=1
            )
        else:
            options = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
            options += [cv2.IMWRITE_AVIF_SPEED, 8]
            buffer.write(cv2.imencode(".avif", (pixels >> 6)[..., ::-1], options)[1].tobytes())
    elif pixels.dtype == np.uint8:
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(buffer, quality=95, chroma=444)
    else:
        size = pixels.shape[1::-1]
        pillow_heif.encode("RGB;16", size, pixels.tobytes(), buffer, quality=-1, chroma=444)
    return taken_apart(buffer.getvalue())


def picture_file(pixels: np.ndarray, format: str, *properties: tuple[bytes, bytes]) -> bytes:
    """An AVIF or HEIC file of one picture with these properties, in this order."""
    item = coded(pixels, format)
    for kind, content in properties:
        if content.startswith(b"nclx"):  # how the samples were coded, the encoder has decided
            content = content[:8] + struct.pack(">H", item.matrix) + content[10:]
        item.properties.append((kind, content))
    return assembled([item], format.lower().encode())


def codes(primaries: int, transfer: int) -> tuple[bytes, bytes]:
    """The property that tells colours by codes."""
    return b"colr", b"nclx" + struct.pack(">HHHB", primaries, transfer, 6, 0x80)


def grid_file(tiles: list[np.ndarray], columns: int, size: tuple[int, int], format: str) -> bytes:
    """A file of a picture of (width, height) ``size`` that is made of tiles of one size."""
    width, height = size
    layout = struct.pack(">BBBBHH", 0, 0, len(tiles) // columns - 1, columns - 1, width, height)
    items = [coded(tile, format) for tile in tiles]
    own = [(b"ispe", bytes(4) + struct.pack(">II", width, height))]
    own += [p for p in items[0].properties if p[0] == b"pixi"]
    grid = Item(b"grid", layout, own, made_of=list(range(2, len(tiles) + 2)))
    return assembled([grid, *items], format.lower().encode())
