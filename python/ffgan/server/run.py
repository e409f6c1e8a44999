# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the application in uvicorn: the listening socket, signals, shutdown.

On SIGINT and SIGTERM uvicorn finishes the requests in progress, restores the previous signal
handlers and raises the signal again: so Ctrl+C is a KeyboardInterrupt, and SIGTERM ends the process
unless the program handles it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import math
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.flow_control import CLOSE_HEADER

from ffgan.errors import ServerError, UsageError
from ffgan.model import Model
from ffgan.server.app import create_app, loader
from ffgan.server.http.timeouts import PatientProtocol, patient_protocol
from ffgan.server.inference.service import Inference
from ffgan.server.settings import DEFAULT_PORT, Settings

BACKLOG = 2048
MAX_PORT = 65535
OPEN_FILES = 65536

M_MMAP_THRESHOLD = -3  # of malloc.h
LARGE_BLOCK = 4 << 20

LINGER = 1.0
"""Seconds for which connections between two requests stay open as the server shuts down."""

KEEP_ALIVE = 75
"""Seconds for which a connection may be idle: longer than clients and proxies keep one (60), so
that they close it and no request crosses the server's end of it."""

ACCEPTING_TURNS = 3
"""Of the event loop: to see that the socket is readable, to accept, to make the connections."""

logger = logging.getLogger("ffgan.server")


class GracefulServer(uvicorn.Server):
    """Answers every request that was sent before its connection is closed, as it shuts down."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        protocol = self.config.http_protocol_class
        assert issubclass(protocol, PatientProtocol)
        protocol.shutting_down = True
        state = self.server_state
        state.default_headers = [*state.default_headers, CLOSE_HEADER]
        # What waits at the socket is accepted first: closed with it, it would be reset.
        for _ in range(ACCEPTING_TURNS):
            await asyncio.sleep(0)
        await super().shutdown(sockets)


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
    """See ``ffgan.server.serve``."""
    check(log_level, grace)
    # The socket is opened before the model is loaded: a taken port is reported at once.
    with listen(host, port) as listener:
        run(
            loader(model, settings),
            listener,
            log_level=log_level,
            grace=grace,
            settings=settings,
            ready=ready or (lambda address: logger.info("serving %s", address)),
        )


def run(
    load: Callable[[], Model],
    listener: socket.socket,
    *,
    log_level: str,
    grace: float,
    settings: Settings,
    ready: Callable[[str], None],
) -> None:
    """Serves at ``listener`` until a signal; raises the exception if the model cannot be loaded."""
    allow_open_files()
    return_memory()
    app = create_app(load, settings)
    inference = app.state.inference
    server = GracefulServer(configuration(app, log_level, grace, settings))

    def loaded(future: Future[Model]) -> None:
        if future.cancelled() or future.exception() is not None:
            server.should_exit = True
        else:
            ready(address(listener))

    first = inference.model
    try:
        with reload_on_sighup(inference):
            first.add_done_callback(loaded)
            server.run(sockets=[listener])
    finally:
        inference.close()
    first.result()


@contextlib.contextmanager
def reload_on_sighup(inference: Inference) -> Iterator[None]:
    """Within it SIGHUP loads the model again; no effect on systems without that signal.

    Python runs the signal handler between two instructions of the event loop, which may hold a lock
    that reloading needs, such as that of the thread pool. So the handler only passes the request
    on, by a queue that is safe there, to a thread.
    """
    requests: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def log(future: Future[Model]) -> None:
        if (error := future.exception()) is not None:
            logger.warning("the old model stays: %s", error)
        else:
            logger.info("the model is now %s", future.result().hash[:16])

    def reload() -> None:
        while requests.get():
            inference.reload().add_done_callback(log)

    main = threading.current_thread() is threading.main_thread()
    if not (hasattr(signal, "SIGHUP") and main):
        yield
        return
    thread = threading.Thread(target=reload, name="ffgan-reload", daemon=True)
    thread.start()
    previous = signal.signal(signal.SIGHUP, lambda number, frame: requests.put(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, previous)
        requests.put(False)
        thread.join()


def allow_open_files() -> None:
    """Raises the limit of open files, often 1024: every connection is one."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def return_memory() -> None:
    """Lets glibc give large blocks back to the system when they are freed.

    It would keep those below 32 MB for later, once for each thread: several images' worth each.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def check(log_level: str, grace: float) -> None:
    """Raises UsageError for values that uvicorn would only fail on later."""
    if log_level not in uvicorn.config.LOG_LEVELS:
        levels = ", ".join(uvicorn.config.LOG_LEVELS)
        raise UsageError(f"log level {log_level!r} is unknown; try one of {levels}")
    if not (math.isfinite(grace) and grace >= 0):
        raise UsageError(f"grace {grace} is out of range: give 0 seconds or more")


def configuration(app: FastAPI, log_level: str, grace: float, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level=log_level,
        http=patient_protocol(settings.head_seconds, min(LINGER, grace)),
        ws="none",
        # The application has no startup or shutdown of its own. But with a lifespan uvicorn waits
        # at its end, and so also sends the responses that are cut short when the grace is over.
        lifespan="on",
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(grace),
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises ServerError or UsageError that suggest an alternative."""
    if not 0 <= port <= MAX_PORT:
        raise UsageError(f"port {port} is outside 0..{MAX_PORT}; try `--port {DEFAULT_PORT}`")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise ServerError(f"host {host!r} is unknown; try `--host 127.0.0.1`") from error
    # ``localhost`` can mean both families; IPv4 is the one that always works.
    family, kind, protocol, _, target = min(found, key=lambda info: info[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ServerError(_explain(host, port, error)) from error
    return listener


def _explain(host: str, port: int, error: OSError) -> str:
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
