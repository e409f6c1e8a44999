# SPDX-License-Identifier: GPL-3.0-or-later
"""Image files to 8-bit RGB. OpenCV makes the pixels; ICC profiles are not applied."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import threading
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images.containers import DAMAGED, Container, Jpeg, container
from ffgan.images.lazy_opencv import opencv
from ffgan.typing import RGB

MAX_PIXELS: Final = 100_000_000
"""Decoding refuses images of more pixels: 100 million take 800 MB as 16-bit RGBA."""


def decode(data: bytes | Container, *, at_least: int | None = None, reduce: bool = False) -> RGB:
    """The image in a JPEG, PNG, WebP, BMP or TIFF file, its bytes or container, as (h, w, 3) RGB.

    Grey and palette become RGB, CMYK is converted without a profile, 16 bits are rounded to 8,
    transparency is laid over white, EXIF orientation is applied, of several frames the first
    is taken. With `at_least` a large JPEG may come at 1/2, 1/4 or 1/8 of its size, as long as its
    shorter side keeps twice that many pixels; this is faster. With `reduce` a JPEG of more than
    MAX_PIXELS comes at the first of these sizes that has fewer, unless it is progressive, since
    such a file is unpacked whole.

    Raises DatasetError with the reason alone (the caller knows the name) for anything else:
    another type, a file that is cut off or damaged, more than MAX_PIXELS pixels.
    """
    file = data if isinstance(data, Container) else container(data)
    width, height = file.size
    shrink = 1
    if reduce and isinstance(file, Jpeg) and file.sequential:
        shrink = _reduction(width, height)
    if width * height > MAX_PIXELS and shrink == 1:
        raise DatasetError(
            f"{width}x{height} pixels are more than the limit of {MAX_PIXELS // 10**6} million"
        )
    orientation, content = file.check()

    cv2 = opencv()
    flags = int(cv2.IMREAD_UNCHANGED)
    if isinstance(file, Jpeg):
        for factor in (8, 4, 2) if at_least else ():
            if min(width, height) >= 2 * (at_least or 0) * factor:
                shrink = max(shrink, factor)
                break
        flags = cv2.IMREAD_COLOR
        if shrink > 1:
            flags = getattr(cv2, f"IMREAD_REDUCED_COLOR_{shrink}")
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    pixels, message = _imdecode(content, flags)
    if pixels is None:
        raise DatasetError(DAMAGED)
    if isinstance(file, Jpeg) and _tells_damage(message):
        raise DatasetError(f"{DAMAGED}: {message.splitlines()[0]}")
    return _turn(_to_rgb(pixels, premultiplied=file.kind == "TIFF"), orientation)


def _reduction(width: int, height: int) -> int:
    """Of a JPEG too large to be decoded as it is: 2, 4 or 8; 1 where none of them is enough."""
    return next((s for s in (1, 2, 4, 8) if -(-width // s) * -(-height // s) <= MAX_PIXELS), 1)


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
        raise DatasetError(DAMAGED) from error


def _tells_damage(message: str) -> bool:
    # Bytes between two segments are common and cost no pixel.
    return message.startswith("Corrupt JPEG data") and "extraneous bytes" not in message
