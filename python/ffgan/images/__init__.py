# SPDX-License-Identifier: GPL-3.0-or-later
"""Image files in and out: decoding to 8-bit RGB, encoding with text metadata, resizing, grids.

Images are numpy arrays (height, width, 3), uint8, RGB. OpenCV does the pixels and is imported at
the first use. What OpenCV does not say is read here from the file's own structure: the size before
anything is allocated, EXIF orientation, whether the file is whole. ICC profiles are not applied.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import math
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan import storage
from ffgan.errors import DatasetError, Error, UsageError
from ffgan.typing import RGB

Format: TypeAlias = Literal["png", "jpg", "webp"]

MAX_PIXELS: Final = 100_000_000
"""Decoding refuses images of more pixels: 100 million take 800 MB as 16-bit RGBA."""

MAX_TEXT: Final = 1 << 20
"""Most bytes of metadata that `read_metadata` takes from one chunk."""

WEBP_MAX_SIDE: Final = 16383

DEFAULT_QUALITY: Final = 95
"""Of a JPEG or WebP, 1 to 100."""

_FORMATS: Final[dict[str, Format]] = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp"}
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_DAMAGED: Final = "the file is damaged"
_CUT_OFF: Final = "the file is cut off"
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ORIENTATION_TAG: Final = 0x0112
_XMP_KEYWORD: Final = "{http://purl.org/dc/elements/1.1/}description"


@functools.cache
def opencv() -> ModuleType:
    """OpenCV, imported at the first call and quiet; raises Error where it cannot be loaded."""
    try:
        import cv2
    except ImportError as error:
        raise Error(
            f"OpenCV cannot be loaded ({error}): pip install opencv-python-headless, "
            "which needs no system libraries"
        ) from error
    # Its log would put lines of its own between ours for every damaged file.
    if hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


# --- Decoding ------------------------------------------------------------------------------------


def decode(data: bytes, *, at_least: int | None = None, reduce: bool = False) -> RGB:
    """The image in the bytes of a JPEG, PNG, WebP, BMP or TIFF file, as (height, width, 3) RGB.

    Grey and palette become RGB, CMYK is converted without a profile, 16 bits are rounded to 8,
    transparency is laid over white, EXIF orientation is applied, of several frames the first
    is taken. With `at_least` a large JPEG may come at 1/2, 1/4 or 1/8 of its size, as long as its
    shorter side keeps twice that many pixels; this is faster. With `reduce` a JPEG of more than
    MAX_PIXELS comes at the first of these sizes that has fewer, unless it is progressive, since
    such a file is unpacked whole.

    Raises DatasetError with the reason alone (the caller knows the name) for anything else:
    another type, a file that is cut off or damaged, more than MAX_PIXELS pixels.
    """
    kind = file_type(data)
    width, height = dimensions(data)
    shrink = _reduction(width, height) if reduce and kind == "JPEG" and _is_sequential(data) else 1
    if width * height > MAX_PIXELS and shrink == 1:
        raise DatasetError(
            f"{width}x{height} pixels are more than the limit of {MAX_PIXELS // 10**6} million"
        )
    try:
        orientation, data = _check(kind, data)
    except (struct.error, IndexError) as error:
        raise DatasetError(_CUT_OFF) from error

    cv2 = opencv()
    flags = int(cv2.IMREAD_UNCHANGED)
    if kind == "JPEG":
        for factor in (8, 4, 2) if at_least else ():
            if min(width, height) >= 2 * (at_least or 0) * factor:
                shrink = max(shrink, factor)
                break
        flags = cv2.IMREAD_COLOR
        if shrink > 1:
            flags = getattr(cv2, f"IMREAD_REDUCED_COLOR_{shrink}")
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    pixels, message = _imdecode(data, flags)
    if pixels is None:
        raise DatasetError(_DAMAGED)
    if kind == "JPEG" and _tells_damage(message):
        raise DatasetError(f"{_DAMAGED}: {message.splitlines()[0]}")
    return _turn(_to_rgb(pixels, premultiplied=kind == "TIFF"), orientation)


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height, in pixels, as the header says; mostly the file's first 64 KB are enough.

    EXIF orientation is not applied. Raises DatasetError where there is no such header.
    """
    try:
        width, height = _DIMENSIONS[file_type(data)](data)
    except (struct.error, IndexError) as error:
        raise DatasetError(_CUT_OFF) from error
    if width < 1 or height < 1:
        raise DatasetError(_DAMAGED)
    return width, height


def file_type(data: bytes) -> str:
    """JPEG, PNG, WebP, BMP or TIFF, by the first bytes; raises DatasetError for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(_PNG_SIGNATURE):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    raise DatasetError("the file is empty" if not data else "not a JPEG, PNG, WebP, BMP or TIFF")


def _check(kind: str, data: bytes) -> tuple[int, bytes]:
    """EXIF orientation, and the bytes to decode, of a file that is found whole."""
    if kind == "JPEG":
        return _check_jpeg(data), data
    if kind == "PNG":
        return _check_png(data)
    if kind == "WebP":
        return _check_webp(data), data
    if kind == "BMP":
        _check_bmp(data)
    else:
        _check_tiff(data)
    # OpenCV turns a TIFF itself, whatever the flags; a BMP has no orientation.
    return 1, data


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, first and last+1 byte of the content of each segment, up to the first scan's."""
    position = 2
    while True:
        if data[position] != 0xFF:
            raise DatasetError(_DAMAGED)
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        if marker == 0xD9:
            raise DatasetError(_DAMAGED)
        (length,) = struct.unpack_from(">H", data, position + 1)
        if length < 2:
            raise DatasetError(_DAMAGED)
        yield marker, position + 3, position + 1 + length
        if marker == 0xDA:
            return
        position += 1 + length


def _jpeg_dimensions(data: bytes) -> tuple[int, int]:
    for marker, start, _ in _jpeg_segments(data):
        if marker in _START_OF_FRAME:
            precision, height, width = struct.unpack_from(">BHH", data, start)
            if precision != 8:
                raise DatasetError(f"a JPEG of {precision} bits per sample, only 8 are supported")
            return width, height
    raise DatasetError(_DAMAGED)


def _is_sequential(data: bytes) -> bool:
    """Whether a JPEG can be decoded line by line."""
    return next(m for m, _, _ in _jpeg_segments(data) if m in _START_OF_FRAME) in (0xC0, 0xC1)


def _reduction(width: int, height: int) -> int:
    """Of a JPEG too large to be decoded as it is: 2, 4 or 8; 1 where none of them is enough."""
    return next((s for s in (1, 2, 4, 8) if -(-width // s) * -(-height // s) <= MAX_PIXELS), 1)


def _check_jpeg(data: bytes) -> int:
    orientation, scan = 1, 0
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE1 and data.startswith(b"Exif\0\0", start):
            orientation = _exif_orientation(data[start + 6 : end])
        scan = end
    # Scan data escapes each 0xFF, so these two bytes are the end of the image and nothing else.
    if data.find(b"\xff\xd9", scan) < 0:
        raise DatasetError(_CUT_OFF)
    return orientation


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, first and last+1 byte of the whole chunk (length and CRC included)."""
    position = len(_PNG_SIGNATURE)
    while True:
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            raise DatasetError(_CUT_OFF)
        kind = data[position + 4 : position + 8]
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end


def _png_dimensions(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise DatasetError(_CUT_OFF if len(data) < 16 else _DAMAGED)
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _check_png(data: bytes) -> tuple[int, bytes]:
    orientation = 1
    # Only what makes the pixels goes to the decoder: the rest is what libpng prints warnings about.
    kept = [_PNG_SIGNATURE]
    for kind, start, end in _png_chunks(data):
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            chunk = data[start:end]
            if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                raise DatasetError(f"{_DAMAGED}: wrong checksum")
            kept.append(chunk)
        elif kind == b"eXIf":
            orientation = _exif_orientation(data[start + 8 : end - 4])
    return orientation, b"".join(kept)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each chunk of a WebP file."""
    position, end = 12, 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise DatasetError(_CUT_OFF)
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _webp_dimensions(data: bytes) -> tuple[int, int]:
    kind, _, payload = struct.unpack_from("<4sI10s", data, 12)
    if kind == b"VP8X":
        width = int.from_bytes(payload[4:7], "little") + 1
        height = int.from_bytes(payload[7:10], "little") + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", payload, 6))
    elif kind == b"VP8L":
        bits = int.from_bytes(payload[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise DatasetError(_DAMAGED)
    return width, height


def _check_webp(data: bytes) -> int:
    orientation = 1
    for kind, content in _riff_chunks(data):
        if kind == b"EXIF":
            orientation = _exif_orientation(content.removeprefix(b"Exif\0\0"))
        elif kind == b"ANIM" and _opencv_version() < (4, 11):
            raise DatasetError("an animated WebP needs OpenCV 4.11 or later")
    return orientation


def _opencv_version() -> tuple[int, int]:
    major, minor = str(opencv().__version__).split(".")[:2]
    return int(major), int(minor)


def _bmp_dimensions(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return width, abs(height)


def _check_bmp(data: bytes) -> None:
    first, header = struct.unpack_from("<II", data, 10)
    width, height = _bmp_dimensions(data)
    (bits,) = struct.unpack_from("<H", data, 24 if header == 12 else 28)
    compression = 0 if header == 12 else struct.unpack_from("<I", data, 30)[0]
    if compression in (0, 3) and first + (width * bits + 31) // 32 * 4 * height > len(data):
        raise DatasetError(_CUT_OFF)


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """The whole-number tags of the first directory of a TIFF structure, as EXIF uses it too."""
    order = "<" if data.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    tags = {}
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(order + "HHI", data, entry)
        if kind in (3, 4):
            letter, width = ("H", 2) if kind == 3 else ("I", 4)
            at = entry + 8
            if values * width > 4:
                (at,) = struct.unpack_from(order + "I", data, at)
            if at + values * width > len(data):
                raise DatasetError(_CUT_OFF)
            tags[tag] = struct.unpack_from(f"{order}{values}{letter}", data, at)
    return tags


def _tiff_dimensions(data: bytes) -> tuple[int, int]:
    tags = _tiff_tags(data)
    try:
        return tags[256][0], tags[257][0]
    except KeyError as error:
        raise DatasetError(_DAMAGED) from error


def _check_tiff(data: bytes) -> None:
    tags = _tiff_tags(data)
    for offsets, counts in ((273, 279), (324, 325)):
        pairs = zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)
        if any(offset + count > len(data) for offset, count in pairs):
            raise DatasetError(_CUT_OFF)


_DIMENSIONS: Final = {
    "JPEG": _jpeg_dimensions,
    "PNG": _png_dimensions,
    "WebP": _webp_dimensions,
    "BMP": _bmp_dimensions,
    "TIFF": _tiff_dimensions,
}


def _exif_orientation(exif: bytes) -> int:
    """1 to 8; 1, as it stands, when the EXIF data do not say or are damaged."""
    try:
        orientation = _tiff_tags(exif).get(_ORIENTATION_TAG, (1,))[0]
    except (struct.error, IndexError, DatasetError):
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _turn(image: RGB, orientation: int) -> RGB:
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _to_rgb(pixels: NDArray[Any], *, premultiplied: bool) -> RGB:
    """OpenCV's grey, BGR or BGRA of 8 or 16 bits as 8-bit RGB; over white where it has an alpha."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DatasetError(f"pixels of type {pixels.dtype}, only 8 and 16 bits are supported")
    full = np.uint32(np.iinfo(pixels.dtype).max)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.uint32)
        colour = pixels[..., :3].astype(np.uint32)
        # libtiff hands out 8-bit colours already multiplied with their alpha.
        if not (premultiplied and pixels.dtype == np.uint8):
            colour = (colour * alpha + full // 2) // full
        pixels = np.minimum(colour + (full - alpha), full).astype(pixels.dtype)
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + full // 2) // full).astype(np.uint8)
    cv2 = opencv()
    code = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
    rgb: RGB = cv2.cvtColor(pixels, code)
    return rgb


class _DecoderMessages:
    """What the codecs inside OpenCV print, kept off the terminal and ascribed to its image.

    libjpeg tells of damaged data only by a line on C's stderr. While a decoder runs, C's `stderr`
    (not file descriptor 2, which Python and a progress bar write to) is a file in memory. It is
    one for the whole process, so when it grew, the image is decoded again with no other running.
    Only glibc lets a program exchange its `stderr`; elsewhere the lines are neither read nor kept.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._alone = False
        self._file: int | None = None
        self._stderr = ctypes.c_void_p()
        with contextlib.suppress(AttributeError, ValueError, OSError):
            if (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
                self._exchange_with_memory()

    def _exchange_with_memory(self) -> None:
        libc = ctypes.CDLL(None)
        libc.fdopen.restype = ctypes.c_void_p
        libc.setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
        self._stderr = ctypes.c_void_p.in_dll(libc, "stderr")
        self._original = self._stderr.value
        file = os.memfd_create("decoder messages")
        self._captured = libc.fdopen(file, b"a")
        unbuffered = 2
        libc.setvbuf(self._captured, None, unbuffered, 0)
        self._file = file

    @contextlib.contextmanager
    def capture(self, *, alone: bool = False) -> Iterator[None]:
        with self._changed:
            if alone:
                self._changed.wait_for(lambda: not self._alone)
                self._alone = True
                self._changed.wait_for(lambda: self._running == 0)
                self._clear()
            else:
                self._changed.wait_for(lambda: not self._alone)
            self._running += 1
            if self._file is not None:
                self._stderr.value = self._captured
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                if self._running == 0 and self._file is not None:
                    self._stderr.value = self._original
                self._alone = self._alone and not alone
                self._changed.notify_all()

    def size(self) -> int:
        return 0 if self._file is None else os.fstat(self._file).st_size

    def text(self) -> str:
        if self._file is None:
            return ""
        return os.pread(self._file, 4096, 0).decode("ascii", "replace")

    def _clear(self) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)


_messages = functools.cache(_DecoderMessages)


def _imdecode(data: bytes, flags: int) -> tuple[NDArray[Any] | None, str]:
    cv2, messages = opencv(), _messages()
    buffer = np.frombuffer(data, np.uint8)
    try:
        with messages.capture():
            before = messages.size()
            pixels = cv2.imdecode(buffer, flags)
            quiet = messages.size() == before
        if quiet:
            return pixels, ""
        with messages.capture(alone=True):
            pixels = cv2.imdecode(buffer, flags)
            return pixels, messages.text()
    except cv2.error as error:
        raise DatasetError(_DAMAGED) from error


def _tells_damage(message: str) -> bool:
    # Bytes between two segments are common and cost no pixel.
    return message.startswith("Corrupt JPEG data") and "extraneous bytes" not in message


# --- Resizing ------------------------------------------------------------------------------------


def resize(image: RGB, size: int | tuple[int, int]) -> RGB:
    """`image` stretched to `size` (a side, or height and width, in pixels).

    A side that shrinks is averaged over the area of each new pixel, one that grows is interpolated
    by cubic splines, one that stays is not touched. Raises UsageError for a size below 1.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise UsageError(f"an image cannot be {width}x{height} pixels: give at least 1x1")
    cv2 = opencv()
    shrunk = (min(height, image.shape[0]), min(width, image.shape[1]))
    resized: RGB = image
    if shrunk != image.shape[:2]:
        resized = cv2.resize(resized, shrunk[::-1], interpolation=cv2.INTER_AREA)
    if shrunk != (height, width):
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_CUBIC)
    return resized


def grid(images: RGB, columns: int | None = None) -> RGB:
    """Images (n, height, width, 3) side by side, row by row, in one (rows * h, columns * w, 3).

    Without `columns` the grid is as near to a square as it gets. Missing ones at the end are black.
    Raises UsageError for no images or no columns.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0:
        raise UsageError(f"a grid needs images (n, height, width, 3), not {images.shape}")
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    if columns < 1:
        raise UsageError(f"a grid cannot have {columns} columns: give at least 1")
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * columns, height, width, channels), np.uint8)
    sheet[:count] = images
    sheet = sheet.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return sheet.reshape(rows * height, columns * width, channels)


# --- Encoding ------------------------------------------------------------------------------------


def format_of(path: str | Path) -> Format:
    """The format that a file's suffix stands for; raises UsageError for another suffix."""
    try:
        return _FORMATS[Path(path).suffix.lower()]
    except KeyError:
        raise UsageError(f"{path}: pictures end in .png, .jpg or .webp") from None


def encoder() -> str:
    """What decides the bytes that `encode` makes of a picture: OpenCV and its version."""
    return f"OpenCV {opencv().__version__}"


def encode(
    image: RGB,
    format: Format = "png",
    quality: int = DEFAULT_QUALITY,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """A picture file's bytes of `image` (height, width, 3) uint8 RGB; equal input, equal bytes.

    `quality` is 1 to 100, for jpg and webp; png is lossless. `metadata` is plain text by name: in
    PNG one tEXt chunk each (iTXt where it is not ASCII), in JPEG a comment, in WebP the XMP
    description, the latter two as one JSON object. Raises UsageError.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise UsageError(f"a picture is (height, width, 3) uint8, not {image.shape} {image.dtype}")
    if not 1 <= quality <= 100:
        raise UsageError(f"quality {quality} is outside 1 to 100")
    if format == "webp" and max(image.shape) > WEBP_MAX_SIDE:
        raise UsageError(f"WebP has at most {WEBP_MAX_SIDE} pixels a side: write png or jpg")
    cv2 = opencv()
    options = {
        "png": [],
        "jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }
    if format not in options:
        raise UsageError(f"format {format!r}: give png, jpg or webp")
    try:
        done, buffer = cv2.imencode(
            f".{format}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options[format]
        )
    except cv2.error as error:
        raise Error(f"OpenCV cannot write this picture as {format}: {error.err}") from error
    if not done:
        raise Error(f"OpenCV cannot write this picture as {format}")
    data: bytes = buffer.tobytes()
    if not metadata:
        return data
    for name, text in metadata.items():
        _check_metadata(name, text)
    insert = {"png": _insert_png, "jpg": _insert_jpeg, "webp": _insert_webp}[format]
    return insert(data, metadata, image.shape[1], image.shape[0])


def save(
    path: str | Path,
    image: RGB,
    metadata: Mapping[str, str] | None = None,
    quality: int = DEFAULT_QUALITY,
) -> None:
    """Writes `image` to `path`, in the format of its suffix; the file is whole or not there.

    Raises UsageError as `encode` does, and Error when the file cannot be written.
    """
    path = Path(path)
    data = encode(image, format_of(path), quality, metadata)
    try:
        # Not durable: there may be thousands, and a crash of the machine costs little.
        storage.write_atomically(path, data, durable=False)
    except OSError as error:
        raise Error(f"cannot write {path}: {storage.reason(error)}") from error


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


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def _insert_png(data: bytes, metadata: Mapping[str, str], width: int, height: int) -> bytes:
    chunks = []
    for name, text in sorted(metadata.items()):
        if text.isascii():
            chunks.append(_png_chunk(b"tEXt", name.encode() + b"\0" + text.encode()))
        else:
            uncompressed_no_language = b"\0\0\0\0\0"
            content = name.encode() + uncompressed_no_language + text.encode()
            chunks.append(_png_chunk(b"iTXt", content))
    after_header = len(_PNG_SIGNATURE) + 25
    return data[:after_header] + b"".join(chunks) + data[after_header:]


def _insert_jpeg(data: bytes, metadata: Mapping[str, str], width: int, height: int) -> bytes:
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
    text = _json(metadata).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
        "</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    has_xmp = 0x04
    header = struct.pack("<I", has_xmp)
    header += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    pixels = [(kind, part) for kind, part in _riff_chunks(data) if kind != b"VP8X"]
    body = b"WEBP"
    for kind, content in ((b"VP8X", header), *pixels, (b"XMP ", packet)):
        body += kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_pixels(data: bytes) -> bytes:
    """The chunks of a WebP file that hold its pixels, which a frame of an animation consists of."""
    return b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in _riff_chunks(data)
        if kind in (b"ALPH", b"VP8 ", b"VP8L")
    )


def _json(metadata: Mapping[str, str]) -> str:
    return json.dumps(dict(metadata), sort_keys=True)


# --- Metadata ------------------------------------------------------------------------------------


def read_metadata(file: str | Path | bytes) -> dict[str, str]:
    """The text metadata of a PNG, JPEG or WebP file or its bytes, as `encode` writes them.

    Text of other programs comes too: PNG chunks by their keyword, a JPEG comment or an XMP
    description that is not JSON as "comment". Raises Error when the file cannot be read, UsageError
    when it is of another type or cut off.
    """
    if isinstance(file, bytes):
        name, data = "picture", file
    else:
        name = str(file)
        try:
            data = Path(file).read_bytes()
        except OSError as error:
            raise Error(f"cannot read {name}: {error.strerror or error}") from error
    try:
        kind = file_type(data)
        if kind == "PNG":
            return _read_png(data)
        if kind == "JPEG":
            return _read_jpeg(data)
        if kind == "WebP":
            return _read_webp(data)
    except (struct.error, IndexError) as error:
        raise UsageError(f"{name}: {_CUT_OFF}") from error
    except DatasetError as error:
        raise UsageError(f"{name}: {error}") from error
    raise UsageError(f"{name}: metadata are read from PNG, JPEG and WebP, not {kind}")


def _read_png(data: bytes) -> dict[str, str]:
    found = {}
    for kind, start, end in _png_chunks(data):
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            continue
        keyword, _, content = data[start + 8 : end - 4].partition(b"\0")
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
                raise DatasetError(_DAMAGED) from error
        encoding = "utf-8" if kind == b"iTXt" else "latin-1"
        found[keyword.decode("latin-1")] = content[:MAX_TEXT].decode(encoding, "replace")
    return found


def _read_jpeg(data: bytes) -> dict[str, str]:
    found = {}
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xFE:
            found.update(_from_json(data[start:end].decode("utf-8", "replace").rstrip("\0")))
    return found


def _read_webp(data: bytes) -> dict[str, str]:
    from xml.etree import ElementTree

    for kind, content in _riff_chunks(data):
        # A document type could define entities that grow without bound.
        if kind == b"XMP " and len(content) <= MAX_TEXT and b"<!" not in content:
            try:
                description = ElementTree.fromstring(content).find(f".//{_XMP_KEYWORD}")
            except (ElementTree.ParseError, ValueError) as error:
                raise DatasetError(_DAMAGED) from error
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
