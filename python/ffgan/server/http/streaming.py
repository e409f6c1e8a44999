# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses that are sent while they are produced."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ffgan.server.http.errors import Disconnected, RequestError, Unavailable
from ffgan.server.http.middleware import HEADERS_ONLY

T = TypeVar("T")


async def in_order(work: Iterator[Coroutine[Any, Any, T]], ahead: int) -> AsyncIterator[T]:
    """The results of ``work`` in order; up to ``ahead`` of them are computed at a time."""
    tasks: deque[asyncio.Future[T]] = deque()
    try:
        for coroutine in work:
            tasks.append(asyncio.ensure_future(coroutine))
            if len(tasks) >= ahead:
                yield await tasks.popleft()
        while tasks:
            yield await tasks.popleft()
    finally:
        for task in tasks:
            task.cancel()


async def wait_for_disconnect(request: Request) -> None:
    """Returns once the client has disconnected; the request's body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class StreamedResponse(Response):
    """A response in parts, which holds ``reservation`` to its end or the client's disconnection."""

    def __init__(
        self,
        parts: AsyncGenerator[bytes, None],
        reservation: AbstractContextManager[object],
        *,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        self._parts = parts
        self._reservation = reservation
        self._started = False
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._reservation:
            sending = asyncio.ensure_future(self._send(scope, send))
            disconnected = asyncio.ensure_future(wait_for_disconnect(Request(scope, receive)))
            try:
                await asyncio.wait((sending, disconnected), return_when=asyncio.FIRST_COMPLETED)
                if not sending.done():
                    raise Disconnected
                sending.result()
            except asyncio.CancelledError as error:
                if not self._started:
                    raise Unavailable("stopping", "the server is shutting down") from error
            except (Disconnected, RequestError, OSError):
                # A response that has started can only be cut off: the server closes the connection.
                if not self._started:
                    raise
            finally:
                disconnected.cancel()
                sending.cancel()

    async def _send(self, scope: Scope, send: Send) -> None:
        try:
            if scope.get(HEADERS_ONLY, False):
                await self._start(send)
            else:
                async for part in self._parts:
                    # An error before the first part still gets an error response.
                    if not self._started:
                        await self._start(send)
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._parts.aclose()

    async def _start(self, send: Send) -> None:
        self._started = True
        headers = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **headers})
