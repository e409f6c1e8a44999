# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server: a page with a face, and faces as images by URL.

FastAPI and uvicorn are imported by the first call, so that `import ffgan.server` stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ffgan.errors import ServerError
from ffgan.server.settings import DEFAULT_PORT, Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ffgan.model import Model

__all__ = ["DEFAULT_PORT", "Settings", "create_app", "serve"]

DEFAULT_GRACE = 10.0


def create_app(model: Model | Callable[[], Model], settings: Settings | None = None) -> FastAPI:
    """The ASGI application, for a server of your own; `serve` runs it in uvicorn.

    It can be called at once, from any event loop; it has no start or end of its own.

    Args:
        model: a model, or a function that loads one; it runs in the background from now on, and
            `/health/ready` answers 503 until it has returned.
        settings: see `Settings`.

    Raises:
        ServerError: FastAPI or another package of the server is not installed.
    """
    try:
        from ffgan.server import app
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return app.create_app(model, settings or Settings())


def serve(
    model: Model | str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    workers: int = 1,
    log_level: str = "warning",
    grace: float = DEFAULT_GRACE,
    settings: Settings | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves faces until a signal stops it: requests in flight are finished, within `grace`.

    SIGHUP loads the model file again, without a request lost.

    Args:
        model: a model, the path of a model file, or None for the packaged model.
        host: the address to listen on; the default is reachable from this machine only.
        port: 0 takes a free one.
        workers: processes that share the port, each with a model and its part of the cores; more
            than one needs a model file.
        log_level: uvicorn's; "info" prints a line for each request.
        grace: seconds that requests in flight get to end once a signal has come.
        settings: see `Settings`.
        ready: called with the address, such as http://127.0.0.1:9190, once the model is loaded;
            None prints a line with it.

    Raises:
        UsageError: a number is outside its range.
        ServerError: the address cannot be listened on, or a package is not installed.
        ModelError: the model cannot be loaded.
        KeyboardInterrupt: Ctrl+C stopped it. SIGTERM does what it did before the call.
    """
    try:
        from ffgan.server import run as process
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    process.serve(
        model,
        host=host,
        port=port,
        workers=workers,
        log_level=log_level,
        grace=grace,
        settings=settings or Settings(),
        ready=ready,
    )


def _missing(error: ModuleNotFoundError) -> ServerError:
    return ServerError(
        f"the web server needs {error.name}, which is not installed;"
        " try `python -m pip install fastapi uvicorn prometheus-client`"
    )
