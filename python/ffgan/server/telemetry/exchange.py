# SPDX-License-Identifier: GPL-3.0-or-later
"""Observes each request and its response, for metrics and the access log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ffgan.server.http.errors import CLIENT_CLOSED_REQUEST


@dataclass(frozen=True)
class Exchange:
    """A request and its response; ``complete`` is False if the client did not get all of it."""

    client: str
    method: str
    route: str
    path: str
    query: str
    status: int
    bytes: int
    seconds: float
    complete: bool


class ExchangeMiddleware:
    """Calls ``observers`` with every exchange once it has ended."""

    def __init__(self, app: ASGIApp, *, observers: Sequence[Callable[[Exchange], None]]) -> None:
        self.app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        status, size, complete = CLIENT_CLOSED_REQUEST, 0, False

        async def send_and_note(message: Message) -> None:
            nonlocal status, size, complete
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
                complete = not message.get("more_body", False)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            client = scope.get("client")
            exchange = Exchange(
                client=client[0] if client else "",
                method=scope["method"],
                # A path that a client makes up must not create a new time series.
                route=getattr(scope.get("route"), "path", "other"),
                path=scope["path"],
                query=scope["query_string"].decode("latin-1"),
                status=status,
                bytes=size,
                seconds=time.perf_counter() - begin,
                complete=complete,
            )
            for observer in self._observers:
                observer(exchange)
