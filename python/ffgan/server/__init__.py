# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server: a page that shows faces, and faces as images by URL.

FastAPI and uvicorn are imported by the first call, so that ``import ffgan.server`` stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ffgan.errors import ServerError, UsageError
from ffgan.server.settings import DEFAULT_PORT, Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ffgan.model import Model

__all__ = ["DEFAULT_GRACE", "DEFAULT_PORT", "Settings", "create_app", "serve"]

DEFAULT_GRACE = 10.0


def create_app(model: Model | Callable[[], Model], settings: Settings | None = None) -> FastAPI:
    """The ASGI application, for a server of your own; `serve` runs it in uvicorn.

    It can be called at once, from any event loop; it needs no lifespan events.

    Args:
        model: a model, or a function that loads one; the function is called in the background at
            once, and `/health/ready` answers 503 until it has returned.
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
    """Serves faces until a signal; requests in progress are then finished, within `grace`.

    SIGHUP loads the model file again without losing a request. The logger ``ffgan.server`` reports
    it.

    Args:
        model: a model, the path of a model file, or None for the packaged model.
        host: the address to listen on; the default is reachable from this machine only.
        port: 0 takes a free one.
        workers: 1. One process uses all cores; see docs/deploy.md for several processes.
        log_level: uvicorn's; "info" logs a line for each request.
        grace: seconds that requests in progress get to finish after a signal.
        settings: see `Settings`.
        ready: called with the address, such as http://127.0.0.1:9190, once the model is loaded;
            None logs the address.

    Raises:
        UsageError: a number is outside its range.
        ServerError: the address cannot be listened on, or a package is not installed.
        ModelError: the model cannot be loaded.
        KeyboardInterrupt: Ctrl+C stopped it. SIGTERM has the effect that it had before the call.
    """
    if workers != 1:
        raise UsageError(
            f"this server is one process, which uses all cores, not {workers}; for several start"
            " `uvicorn --factory ffgan.server:create_app --workers N` (see docs/deploy.md)"
        )
    try:
        from ffgan.server import run
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    run.serve(
        model,
        host=host,
        port=port,
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
