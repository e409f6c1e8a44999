# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server: a page with a face, and faces as images by URL.

FastAPI and uvicorn are imported by the first call, so that `import ffgan.server` stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ffgan.errors import ServerError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ffgan.model import Model

__all__ = ["create_app", "serve"]

DEFAULT_PORT = 9190
DEFAULT_QUEUE = 64
DEFAULT_TRIES = 15


def create_app(
    model: Model | Callable[[], Model],
    *,
    queue: int = DEFAULT_QUEUE,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    workers: int | None = None,
) -> FastAPI:
    """The ASGI application, for a server of your own; `serve` runs it in uvicorn.

    Args:
        model: a model, or a function that loads one; it runs in the background from now on, and
            `/health/ready` answers 503 until it has returned.
        queue: how many requests may wait for inference; beyond it the answer is 503.
        tries: draws of the candidate search where a request names none.
        threshold: score above which a face is a candidate; None: the model's own.
        workers: inference threads; None: as many as the engine has.

    Raises:
        UsageError: a number is outside its range.
        ServerError: FastAPI or uvicorn is not installed.
    """
    try:
        from ffgan.server import app
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return app.create_app(model, queue=queue, tries=tries, threshold=threshold, workers=workers)


def serve(
    model: Model | str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    queue: int = DEFAULT_QUEUE,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    log_level: str = "warning",
) -> None:
    """Serves faces until a signal stops it: requests in flight are finished, at most 10 seconds.

    Prints one line with the address once the model is loaded.

    Args:
        model: a model, the path of a model file, or None for the packaged model.
        host: the address to listen on; the default is reachable from this machine only.
        port: 0 takes a free one.
        queue: how many requests may wait for inference; beyond it the answer is 503.
        tries: draws of the candidate search where a request names none.
        threshold: score above which a face is a candidate; None: the model's own.
        log_level: uvicorn's; "info" prints a line for each request.

    Raises:
        UsageError: a number is outside its range.
        ServerError: the address cannot be listened on, or FastAPI or uvicorn is not installed.
        ModelError: the model cannot be loaded.
        KeyboardInterrupt: Ctrl+C stopped it. SIGTERM does what it did before the call.
    """
    try:
        from ffgan.server import process
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    process.serve(
        model,
        host=host,
        port=port,
        queue=queue,
        tries=tries,
        threshold=threshold,
        log_level=log_level,
    )


def _missing(error: ModuleNotFoundError) -> ServerError:
    return ServerError(
        f"the web server needs {error.name}, which is not installed;"
        " try `python -m pip install fastapi uvicorn`"
    )
