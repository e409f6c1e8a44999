# SPDX-License-Identifier: GPL-3.0-or-later
"""The server as a process: its socket, uvicorn, its end.

On SIGINT and SIGTERM uvicorn finishes the requests in flight, puts back the handlers that it found
and raises the signal again: so Ctrl+C is a KeyboardInterrupt, and SIGTERM ends the process unless
the program handles it.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from ffgan.errors import ServerError, UsageError
from ffgan.model import Model
from ffgan.server.app import create_app
from ffgan.server.inference import Inference
from ffgan.server.settings import DEFAULT_PORT, Settings

BACKLOG = 2048
MAX_PORT = 65535


def serve(
    model: Model | str | Path | None,
    *,
    host: str,
    port: int,
    log_level: str,
    grace: float,
    settings: Settings,
    ready: Callable[[str], None] | None,
) -> None:
    """See `ffgan.server.serve`."""
    load: Callable[[], Model] | Model
    load = (lambda: Model.load(model)) if model is None or isinstance(model, str | Path) else model
    # Listening comes before loading: a taken port is said at once, not after the work.
    with listen(host, port) as listener:
        run(load, listener, log_level=log_level, grace=grace, settings=settings, ready=ready or say)


def say(address: str) -> None:
    print(f"ffgan: serving {address} (Ctrl+C stops)", flush=True)


def run(
    load: Callable[[], Model] | Model,
    listener: socket.socket,
    *,
    log_level: str,
    grace: float,
    settings: Settings,
    ready: Callable[[str], None],
) -> None:
    """Serves at `listener` until a signal stops it; raises what kept the model from loading."""
    app = create_app(load, settings)
    inference = app.state.inference
    server = uvicorn.Server(configuration(app, log_level, grace))

    def loaded(future: Future[Model]) -> None:
        if future.cancelled() or future.exception() is not None:
            server.should_exit = True
        else:
            ready(address(listener))

    first = inference.model
    first.add_done_callback(loaded)
    try:
        with reloads(inference):
            server.run(sockets=[listener])
    finally:
        inference.close()
    first.result()


@contextlib.contextmanager
def reloads(inference: Inference) -> Iterator[None]:
    """Within it SIGHUP loads the model again; where there is no such signal it does nothing."""

    def tell(future: Future[Model]) -> None:
        if (error := future.exception()) is not None:
            print(f"ffgan: the old model stays: {error}", file=sys.stderr, flush=True)
        else:
            print(f"ffgan: the model is now {future.result().hash[:16]}", flush=True)

    def reload(number: int, frame: FrameType | None) -> None:
        inference.reload().add_done_callback(tell)

    main = threading.current_thread() is threading.main_thread()
    if not (hasattr(signal, "SIGHUP") and main):
        yield
        return
    previous = signal.signal(signal.SIGHUP, reload)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, previous)


def configuration(app: FastAPI, log_level: str, grace: float) -> uvicorn.Config:
    if log_level not in uvicorn.config.LOG_LEVELS:
        levels = ", ".join(uvicorn.config.LOG_LEVELS)
        raise UsageError(f"log level {log_level!r} is unknown; try one of {levels}")
    if not (math.isfinite(grace) and grace >= 0):
        raise UsageError(f"grace {grace} is out of range: give 0 seconds or more")
    return uvicorn.Config(
        app,
        log_level=log_level,
        ws="none",
        # There is nothing to start or to end; but uvicorn waits for it, and so also for the answers
        # that end when the grace is over.
        lifespan="on",
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=math.ceil(grace),
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises ServerError or UsageError with the way out."""
    if not 0 <= port <= MAX_PORT:
        raise UsageError(f"port {port} is outside 0..{MAX_PORT}; try `--port {DEFAULT_PORT}`")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise ServerError(f"host {host!r} is unknown; try `--host 127.0.0.1`") from error
    # `localhost` can mean both families; IPv4 is the one that always works.
    family, kind, protocol, _, target = min(found, key=lambda info: info[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ServerError(_why_not(host, port, error)) from error
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        free = port + 1 if port < MAX_PORT else DEFAULT_PORT
        return f"port {port} on {host} is taken; try `--port {free}`"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} needs privileges that you lack; try `--port {DEFAULT_PORT}`"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; try `--host 127.0.0.1`"
    return f"cannot listen on {host} port {port}: {error.strerror}; try `--host 127.0.0.1`"


def address(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
