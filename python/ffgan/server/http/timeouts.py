# SPDX-License-Identifier: GPL-3.0-or-later
"""Timeouts against slow clients: for a request's headers, and for accepting a response.

uvicorn has none: it waits without limit for the rest of a request's headers, and for a client to
read its response. (The timeout of an upload is in ``uploads``.) ``HeaderTimeoutProtocol`` uses
attributes of uvicorn's h11 protocol that are not documented, so pyproject.toml caps uvicorn at the
versions that were tested.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

# A large response is sent in parts, so that it is no harder to accept in time than a small one.
PART_BYTES = 1 << 16


class WriteTimeoutMiddleware:
    """Ends the response to a client that takes longer than ``seconds`` to accept a part of it.

    Such a client would hold the response's memory and its places in the queue.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self.app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            body = message.get("body", b"")
            last = (max(len(body), 1) - 1) // PART_BYTES * PART_BYTES
            for start in range(0, last, PART_BYTES):
                part = body[start : start + PART_BYTES]
                await self._in_time(send({**message, "body": part, "more_body": True}))
            await self._in_time(send({**message, "body": body[last:]} if last else message))

        await self.app(scope, receive, send_in_time)

    async def _in_time(self, sending: Awaitable[None]) -> None:
        late = False

        def give_up() -> None:
            nonlocal late
            late = True
            sender.cancel()

        # Not wait_for, which creates a task: a server that shuts down does not wait for that one.
        sender = cast("asyncio.Task[None]", asyncio.current_task())
        timer = asyncio.get_running_loop().call_later(self._seconds, give_up)
        try:
            await sending
        except asyncio.CancelledError:
            if late:
                # What an ASGI server raises for a client that has disconnected (ASGI 2.4).
                raise OSError("the client is too slow") from None
            raise
        finally:
            timer.cancel()


class HeaderTimeoutProtocol(H11Protocol):
    """Closes a connection whose request headers are not complete after ``seconds``.

    A connection that is made after the shutdown began (it was accepted before) is closed at once:
    uvicorn does not tell such a connection to shut down, and would serve it for the whole grace
    period.
    """

    seconds = 10.0
    shutting_down = False  # an attribute of the class, which belongs to one server

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.shutting_down:
            self.shutdown()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def with_header_timeout(seconds: float) -> type[HeaderTimeoutProtocol]:
    """The protocol class with this timeout; uvicorn makes the instances."""
    return type("HeaderTimeoutProtocol", (HeaderTimeoutProtocol,), {"seconds": seconds})
