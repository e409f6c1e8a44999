# SPDX-License-Identifier: GPL-3.0-or-later
"""Animations from frames that come one by one: WebP and MP4.

Frames are (height, width, 3) uint8 RGB, all of one size.
"""

from __future__ import annotations

import logging
import shutil
import struct
import tempfile
import threading
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from ffgan.errors import Error, UsageError
from ffgan.images import mp4
from ffgan.images.chunks import riff_chunk, webp_file
from ffgan.images.containers import WebP
from ffgan.images.encoding import DEFAULT_QUALITY, encode
from ffgan.images.lazy_opencv import opencv
from ffgan.images.metadata_writing import WEBP_HAS_XMP, xmp
from ffgan.typing import RGB

logger = logging.getLogger("ffgan.images")

MEMORY = Path("/dev/shm")
"""Where OpenCV's encoder, which only knows files by name, writes: a file system in memory."""

CODEC = "vp09"
"""Of an MP4: VP9, the only one that both OpenCV's wheels write and browsers show."""

NO_ROOM = 1 << 16
"""Bytes: with fewer left, a film that is cut off was cut off by a full file system."""

MAX_FPS = 60

PIXEL_CHUNKS = (b"ALPH", b"VP8 ", b"VP8L")


class AnimatedWebP:
    """An animated WebP file that repeats without end; its metadata name ffgan."""

    def __init__(self, *, fps: int, quality: int = DEFAULT_QUALITY) -> None:
        self._milliseconds = round(1000 / _check(fps))
        self._quality = quality
        self._frames: list[bytes] = []
        self._size = (0, 0)

    def add(self, frame: RGB) -> None:
        self._size = frame.shape[1], frame.shape[0]
        image = encode(frame, "webp", self._quality)
        self._frames.append(_pixels(image))

    def finish(self) -> bytes:
        """The file's bytes (container specification: RFC 9649, section 2.7)."""
        width, height = (side - 1 for side in self._size)
        sides = width.to_bytes(3, "little") + height.to_bytes(3, "little")
        animation = 0x02
        flags = struct.pack("<I", animation | WEBP_HAS_XMP)
        chunks = [riff_chunk(b"VP8X", flags + sides)]
        black, without_end = 0, 0
        chunks.append(riff_chunk(b"ANIM", struct.pack("<IH", black, without_end)))
        at_the_corner = bytes(6)
        replaces_what_was = b"\x02"
        duration = self._milliseconds.to_bytes(3, "little")
        for pixels in self._frames:
            place = at_the_corner + sides + duration + replaces_what_was
            chunks.append(riff_chunk(b"ANMF", place + pixels))
        chunks.append(riff_chunk(b"XMP ", xmp({"software": "ffgan"})))
        return webp_file(b"".join(chunks))

    def __enter__(self) -> AnimatedWebP:
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.clear()


class NotWrittenError(Error):
    """A film that could not be written, or not whole: mostly for lack of room."""


class MP4:
    """An MP4 file, VP9; it has even sides: the last row and column of odd ones are dropped.

    Raises Error where OpenCV has no encoder, NotWrittenError where there is no room for the file.
    """

    def __init__(self, *, size: tuple[int, int], fps: int) -> None:
        """``size`` is height and width."""
        _check(fps)
        self._frames = 0
        # Who gives up while a frame is being added on another thread must not end the writer too.
        self._lock = threading.Lock()
        self._folder = _folder()
        self._path = Path(self._folder.name) / "faces.mp4"
        self._cv2 = opencv()
        try:
            self._writer = self._open(self._cv2, size, fps)
        except BaseException:
            self._folder.cleanup()
            raise

    def _open(self, cv2: ModuleType, size: tuple[int, int], fps: int) -> Any:
        code = cv2.VideoWriter_fourcc(*CODEC)
        writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, code, fps, size[::-1])
        if not writer.isOpened():
            writer.release()
            if self._is_full():
                raise self._no_room()
            raise Error(f"this OpenCV has no encoder for MP4 ({CODEC}): take WebP")
        return writer

    def add(self, frame: RGB) -> None:
        pixels = self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2BGR)
        with self._lock:
            self._writer.write(pixels)
            self._frames += 1

    def finish(self) -> bytes:
        """The file's bytes, its index first so that it can be played and sought while it arrives.

        OpenCV does not tell when it could not write, so the file is checked.
        """
        self._writer.release()
        try:
            data = self._path.read_bytes()
            mp4.check(data, self._frames)
        except (OSError, Error) as error:
            if self._is_full():
                raise self._no_room() from error
            reason = error.strerror if isinstance(error, OSError) else error
            raise NotWrittenError(f"the MP4 could not be written: {reason}") from error
        return mp4.index_first(data)

    def _is_full(self) -> bool:
        return shutil.disk_usage(self._folder.name).free < NO_ROOM

    def _no_room(self) -> NotWrittenError:
        folder = Path(self._folder.name).parent
        total = shutil.disk_usage(folder).total
        return NotWrittenError(
            f"no room for the MP4 in {folder}, which has {total >> 10} KB in all:"
            " make room there, or take WebP, which needs none"
        )

    def __enter__(self) -> MP4:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._writer.release()
            self._folder.cleanup()


def _folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of a film's own, in MEMORY; on systems without it among the temporary files."""
    in_memory = MEMORY.is_dir()
    if not in_memory:
        logger.info("there is no %s: films are made in %s", MEMORY, tempfile.gettempdir())
    try:
        return tempfile.TemporaryDirectory(prefix="ffgan-", dir=MEMORY if in_memory else None)
    except OSError as error:
        place = MEMORY if in_memory else tempfile.gettempdir()
        raise NotWrittenError(f"no room for the MP4 in {place}: {error.strerror}") from error


def _pixels(data: bytes) -> bytes:
    """The chunks of a WebP file that hold its pixels, which a frame of an animation consists of."""
    chunks = WebP(data).chunks()
    return b"".join(riff_chunk(*chunk) for chunk in chunks if chunk[0] in PIXEL_CHUNKS)


def _check(fps: int) -> int:
    if not 1 <= fps <= MAX_FPS:
        raise UsageError(f"{fps} frames a second: give 1 to {MAX_FPS}")
    return fps
