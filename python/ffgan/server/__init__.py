# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server: a page that shows faces, and faces as images by URL.

FastAPI and uvicorn are imported by the first call, so that ``import ffgan.server`` stays cheap.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from ffgan.errors import ServerError, UsageError
from ffgan.server.settings import DEFAULT_PORT, Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ffgan.model import Model

__all__ = ["DEFAULT_GRACE", "DEFAULT_PORT", "Settings", "create_app", "serve"]

DEFAULT_GRACE = 10.0
MODEL_VARIABLE = "FFGAN_MODEL"

logger = logging.getLogger("ffgan.server")


def create_app(
    model: Model | Callable[[], Model] | str | Path | None = None,
    settings: Settings | None = None,
) -> FastAPI:
    """The ASGI application, for a server of your own; ``serve`` runs it in uvicorn.

    Without arguments it is a factory for process managers, such as
    ``uvicorn --factory ffgan.server:create_app --workers 2``; the environment variables FFGAN_MODEL
    and FFGAN_WEB_QUEUE, FFGAN_WEB_TOKENS, ... then give the model and the settings. The application
    can be called from any event loop and needs no lifespan events.

    ``model`` is a model, the path of a model file, a function that loads a model, or None for the
    file FFGAN_MODEL or else the packaged model. It is loaded in the background; until then
    /health/ready responds 503. The logger ``ffgan.server`` reports a failure. Without ``settings``
    those of the environment are used.

    Raises UsageError if an environment variable FFGAN_WEB_... is unknown or its value is invalid,
    ServerError if FastAPI or another package of the server is not installed.
    """
    try:
        from ffgan.server import app
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    settings = Settings.from_environment() if settings is None else settings
    model = (os.environ.get(MODEL_VARIABLE) or None) if model is None else model
    application = app.create_app(app.loader(model, settings), settings)
    application.state.inference.model.add_done_callback(_log_failure)
    return application


def _log_failure(loaded: Future[Model]) -> None:
    if not loaded.cancelled() and (error := loaded.exception()) is not None:
        logger.error("the model could not be loaded: %s", error)


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
    """Serves faces until a signal; requests in progress are then finished, within ``grace``.

    SIGHUP loads the model file again without losing a request. The logger ``ffgan.server`` reports
    it.

    ``model`` is a model, the path of a model file, or None for the packaged model. The default
    ``host`` is reachable from this machine only; ``port`` 0 takes a free one. ``workers`` is 1: one
    process uses all cores (docs/deploy.md describes several processes). ``log_level`` is uvicorn's;
    "info" logs a line for each request. ``grace`` is the time in seconds that requests in progress
    get after a signal. ``ready`` is called with the address, such as http://127.0.0.1:9190, when
    the model is loaded; None logs the address.

    Raises UsageError for a number outside its range, ServerError if the address cannot be listened
    on or a package is not installed, ModelError if the model cannot be loaded, KeyboardInterrupt
    after Ctrl+C. SIGTERM has the effect that it had before the call.
    """
    if workers != 1:
        raise UsageError(
            "this server is one process, which uses all cores; for several use gunicorn, systemd"
            f" units or `uvicorn --factory ffgan.server:create_app --workers {workers}`"
            " (see docs/deploy.md)"
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
