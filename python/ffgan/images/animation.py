# SPDX-License-Identifier: GPL-3.0-or-later
"""Animations from frames that come one by one: WebP and MP4.

Frames are (height, width, 3) uint8 RGB, all of one size.
"""

from __future__ import annotations

import struct
import tempfile
import threading
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from ffgan.errors import Error, UsageError
from ffgan.images.containers import WebP, riff_chunk, webp_file
from ffgan.images.encoding import DEFAULT_QUALITY, encode
from ffgan.images.lazy_opencv import opencv
from ffgan.typing import RGB

MEMORY = Path("/dev/shm")
"""Where OpenCV's encoder, which only knows files by name, writes: a file system in memory."""

# Codecs of an MP4, the best first: browsers show VP9, hardly one shows MPEG-4 part 2.
CODECS = ("vp09", "mp4v")

MAX_FPS = 60

PIXEL_CHUNKS = (b"ALPH", b"VP8 ", b"VP8L")


class AnimatedWebP:
    """An animated WebP file that repeats without end."""

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
        chunks = [riff_chunk(b"VP8X", struct.pack("<I", animation) + sides)]
        black, without_end = 0, 0
        chunks.append(riff_chunk(b"ANIM", struct.pack("<IH", black, without_end)))
        at_the_corner = bytes(6)
        replaces_what_was = b"\x02"
        duration = self._milliseconds.to_bytes(3, "little")
        for pixels in self._frames:
            place = at_the_corner + sides + duration + replaces_what_was
            chunks.append(riff_chunk(b"ANMF", place + pixels))
        return webp_file(b"".join(chunks))

    def __enter__(self) -> AnimatedWebP:
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.clear()


class MP4:
    """An MP4 file, in the first of `CODECS` that OpenCV has; these drop the last of odd sides.

    Raises Error where it has none, or where the machine has no `MEMORY`: nothing is written to
    disk.
    """

    def __init__(self, *, size: tuple[int, int], fps: int) -> None:
        """``size`` is height and width."""
        _check(fps)
        # Who gives up while a frame is being added on another thread must not end the writer too.
        self._lock = threading.Lock()
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="ffgan-", dir=MEMORY)
        except OSError as error:
            raise Error(f"an MP4 needs room in {MEMORY}: {error.strerror}") from error
        self._path = Path(self._folder.name) / "faces.mp4"
        self._cv2 = opencv()
        try:
            self._writer = self._open(self._cv2, size, fps)
        except BaseException:
            self._folder.cleanup()
            raise

    def _open(self, cv2: ModuleType, size: tuple[int, int], fps: int) -> Any:
        for codec in CODECS:
            code = cv2.VideoWriter_fourcc(*codec)
            writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, code, fps, size[::-1])
            if writer.isOpened():
                return writer
            writer.release()
        raise Error(f"this OpenCV has no encoder for MP4 ({' or '.join(CODECS)}): take WebP")

    def add(self, frame: RGB) -> None:
        pixels = self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2BGR)
        with self._lock:
            self._writer.write(pixels)

    def finish(self) -> bytes:
        """The file's bytes."""
        self._writer.release()
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise Error(f"the MP4 could not be written: {error.strerror}") from error

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


def _pixels(data: bytes) -> bytes:
    """The chunks of a WebP file that hold its pixels, which a frame of an animation consists of."""
    chunks = WebP(data).chunks()
    return b"".join(riff_chunk(*chunk) for chunk in chunks if chunk[0] in PIXEL_CHUNKS)


def _check(fps: int) -> int:
    if not 1 <= fps <= MAX_FPS:
        raise UsageError(f"{fps} frames a second: give 1 to {MAX_FPS}")
    return fps
