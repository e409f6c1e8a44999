# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator decides: each setting of the server with its default."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ffgan.errors import UsageError
from ffgan.model.candidate_search import DEFAULT_TRIES

DEFAULT_PORT = 9190


@dataclass(frozen=True)
class Settings:
    """How the service answers; every limit is what one request may ask for.

    Raises `UsageError` for a value out of range.

    Args:
        queue: faces that may wait for the engine; beyond it the answer is 503.
        batch: faces that the engine draws at once.
        batch_wait: milliseconds that an idle engine waits for company before it begins. While it
            works, what comes in is collected anyway.
        tries: draws of the candidate search where a request names none.
        threshold: score above which a face is a candidate; None: the model's own.
        root_path: the prefix under which a reverse proxy serves this.
        tokens: with any, every request but those for the health needs one of them as its bearer.
        cors: origins whose pages may read the answers; ``*`` is any.
        access_log: a line of JSON on stdout for each answer.
        max_tries: draws per face.
        max_size: width and height of a face, in pixels.
        max_faces: faces in an archive.
        max_grid: faces in a grid.
        max_frames: frames of an interpolation.
        max_latents: latents in or out.
        max_upload: bytes of an upload.
        max_uploads: uploads in memory at one time.
        max_pixels: pixels of an uploaded image, or of one that is answered.
        head_seconds: how long a client may take to say what it wants.
        upload_seconds: how long a client may take to send its upload.
        send_seconds: how long a client may take to accept a part of its answer.
    """

    queue: int = 64
    batch: int = 8
    batch_wait: float = 0.0
    tries: int = DEFAULT_TRIES
    threshold: float | None = None
    root_path: str = ""
    tokens: tuple[str, ...] = ()
    cors: tuple[str, ...] = ()
    access_log: bool = False
    max_tries: int = 100
    max_size: int = 1024
    max_faces: int = 1000
    max_grid: int = 100
    max_frames: int = 240
    max_latents: int = 256
    max_upload: int = 10 << 20
    max_uploads: int = 16
    max_pixels: int = 32_000_000
    head_seconds: float = 10.0
    upload_seconds: float = 20.0
    send_seconds: float = 30.0

    def __post_init__(self) -> None:
        least = {"queue": 0, "max_size": 16, "max_frames": 2}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                low: float = least.get(field.name, 1)
                _check(isinstance(value, int) and value >= low, field.name, value, f"{low} or more")
            elif field.type == "float":
                low = 0 if field.name == "batch_wait" else 0.001
                _check(math.isfinite(value) and value >= low, field.name, value, f"{low} or more")
        right = self.threshold is None or math.isfinite(self.threshold)
        _check(right, "threshold", self.threshold, "a finite number")
        path = self.root_path
        right = not path or (path.startswith("/") and not path.endswith("/") and path.isascii())
        _check(right, "root_path", path, "a path such as /faces")

    def __repr__(self) -> str:
        return f"Settings(queue={self.queue}, batch={self.batch}, ...)"  # and no token


def _check(right: bool, name: str, value: object, way_out: str) -> None:
    if not right:
        raise UsageError(f"{name} {value!r} is out of range: give {way_out}")
