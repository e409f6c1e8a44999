# SPDX-License-Identifier: GPL-3.0-or-later
"""The server as a process: its socket, uvicorn, its end.

On SIGINT and SIGTERM uvicorn finishes the requests in flight, puts back the handlers that it found
and raises the signal again: so Ctrl+C is a KeyboardInterrupt, and SIGTERM ends the process unless
the program handles it.
"""

from __future__ import annotations

import contextlib
import errno
import functools
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
from ffgan.server.http.timeouts import PunctualProtocol, punctual
from ffgan.server.inference.service import Inference
from ffgan.server.settings import DEFAULT_PORT, Settings
from ffgan.server.team import Team

BACKLOG = 2048
MAX_PORT = 65535
OPEN_FILES = 65536


class EndingServer(uvicorn.Server):
    """Tells its connections that it ends, the ones to come included."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        protocol = self.config.http_protocol_class
        assert issubclass(protocol, PunctualProtocol)
        protocol.ending = True
        await super().shutdown(sockets)


def serve(
    model: Model | str | Path | None,
    *,
    host: str,
    port: int,
    workers: int,
    log_level: str,
    grace: float,
    settings: Settings,
    ready: Callable[[str], None] | None,
) -> None:
    """See `ffgan.server.serve`."""
    check(log_level, grace)
    if workers < 1:
        raise UsageError(f"workers {workers} is out of range: give 1 or more")
    ready = ready or say
    if workers == 1:
        # Listening comes before loading: a taken port is said at once, not after the work.
        with listen(host, port) as listener:
            load = model if isinstance(model, Model) else functools.partial(Model.load, model)
            run(load, listener, log_level=log_level, grace=grace, settings=settings, ready=ready)
        return
    if isinstance(model, Model):
        raise UsageError("several workers need a model file, which each of them loads")
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(one) for one in listen_together(host, port, workers)]
        team = Team(model, listeners, log_level=log_level, grace=grace, settings=settings)
        team.run(lambda: ready(address(listeners[0])))


def say(address: str) -> None:
    print(f"ffgan: serving {address} (Ctrl+C stops)", flush=True)


def say_reloaded(model: Model) -> None:
    print(f"ffgan: the model is now {model.hash[:16]}", flush=True)


def run(
    load: Callable[[], Model] | Model,
    listener: socket.socket,
    *,
    log_level: str,
    grace: float,
    settings: Settings,
    ready: Callable[[str], None],
    reloaded: Callable[[Model], None] = say_reloaded,
) -> None:
    """Serves at `listener` until a signal stops it; raises what kept the model from loading."""
    allow_open_files()
    app = create_app(load, settings)
    inference = app.state.inference
    server = EndingServer(configuration(app, log_level, grace, settings))

    def loaded(future: Future[Model]) -> None:
        if future.cancelled() or future.exception() is not None:
            server.should_exit = True
        else:
            ready(address(listener))

    first = inference.model
    try:
        with reloads(inference, reloaded):
            first.add_done_callback(loaded)
            server.run(sockets=[listener])
    finally:
        inference.close()
    first.result()


@contextlib.contextmanager
def reloads(inference: Inference, told: Callable[[Model], None]) -> Iterator[None]:
    """Within it SIGHUP loads the model again; where there is no such signal it does nothing."""

    def tell(future: Future[Model]) -> None:
        if (error := future.exception()) is not None:
            print(f"ffgan: the old model stays: {error}", file=sys.stderr, flush=True)
        else:
            told(future.result())

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


def allow_open_files() -> None:
    """Every connection is an open file, and the limit of many systems is 1024, unless one asks."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def check(log_level: str, grace: float) -> None:
    """Raises UsageError for what uvicorn would only fail on later."""
    if log_level not in uvicorn.config.LOG_LEVELS:
        levels = ", ".join(uvicorn.config.LOG_LEVELS)
        raise UsageError(f"log level {log_level!r} is unknown; try one of {levels}")
    if not (math.isfinite(grace) and grace >= 0):
        raise UsageError(f"grace {grace} is out of range: give 0 seconds or more")


def configuration(app: FastAPI, log_level: str, grace: float, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level=log_level,
        http=punctual(settings.head_seconds),
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


def listen_together(host: str, port: int, number: int) -> list[socket.socket]:
    """Several listening sockets at one port, among which the system distributes the connections.

    So a worker that ends leaves its share of those that are not yet accepted to its successor.
    Raises as `listen` does.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ServerError("this system cannot share a port among workers; try `--workers 1`")
    # A socket that shares would also share with another server; one that does not, does not.
    with listen(host, port) as alone:
        family, target = alone.family, alone.getsockname()
    listeners: list[socket.socket] = []
    try:
        for _ in range(number):
            listener = socket.socket(family, socket.SOCK_STREAM)
            listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(target)
            listener.listen(BACKLOG)
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise ServerError(_why_not(host, port, error)) from error
    return listeners


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
