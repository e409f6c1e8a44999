# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are sent while they are made."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ffgan.server.http.errors import Disconnected, Refusal, Unavailable
from ffgan.server.http.middleware import HEADERS_ONLY
from ffgan.server.inference.service import Place, disconnected

T = TypeVar("T")


async def in_order(work: Iterator[Coroutine[Any, Any, T]], ahead: int) -> AsyncIterator[T]:
    """The results of `work`, in its order, of which up to `ahead` are under way at a time."""
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


class Stream(Response):
    """An answer in parts, which holds `place` until its end; it ends when the client hangs up."""

    def __init__(
        self,
        parts: AsyncGenerator[bytes, None],
        place: Place,
        *,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        self._parts = parts
        self._place = place
        self._begun = False
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            sending = asyncio.ensure_future(self._send(scope, send))
            hung_up = asyncio.ensure_future(disconnected(Request(scope, receive)))
            try:
                await asyncio.wait((sending, hung_up), return_when=asyncio.FIRST_COMPLETED)
                if not sending.done():
                    raise Disconnected
                sending.result()
            except asyncio.CancelledError as error:
                if not self._begun:
                    raise Unavailable("stopping", "the server is shutting down") from error
            except (Disconnected, Refusal, OSError):
                # Once begun, an answer can only break off: the server closes the connection.
                if not self._begun:
                    raise
            finally:
                hung_up.cancel()
                sending.cancel()

    async def _send(self, scope: Scope, send: Send) -> None:
        try:
            if scope.get(HEADERS_ONLY, False):
                await self._start(send)
            else:
                async for part in self._parts:
                    # An error before there is anything to send still gets its own answer.
                    if not self._begun:
                        await self._start(send)
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._parts.aclose()

    async def _start(self, send: Send) -> None:
        self._begun = True
        headers = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **headers})
