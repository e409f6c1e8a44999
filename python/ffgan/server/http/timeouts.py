# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that take their time, by accident or to keep a server busy with nothing.

uvicorn waits for ever for the rest of a request's head, and for a client to take its answer. (How
long an upload may take is said in `uploads`.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

# So that a large answer is no harder to accept in time than a small one.
PART_BYTES = 1 << 16


class Patience:
    """Ends the answer to a client that takes longer than `seconds` to accept a part of it.

    It would keep what the answer needs: its place in the queue, its memory.
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

        # Not wait_for, which begins a task: a server that ends does not wait for another one.
        sender = cast("asyncio.Task[None]", asyncio.current_task())
        timer = asyncio.get_running_loop().call_later(self._seconds, give_up)
        try:
            await sending
        except asyncio.CancelledError:
            if late:
                # What a server raises for a client that is gone (ASGI 2.4).
                raise OSError("the client is too slow") from None
            raise
        finally:
            timer.cancel()


class PunctualProtocol(H11Protocol):
    """Closes a connection whose request has not said what it wants after `seconds`.

    It closes one at once that is made after the server's end began, having been accepted before:
    uvicorn does not tell such a one to end, and would serve it until the grace is over.
    """

    seconds = 10.0
    ending = False  # of the class: that of one server

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.ending:
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


def punctual(seconds: float) -> type[PunctualProtocol]:
    """The protocol with its number, since uvicorn makes the objects."""
    return type("PunctualProtocol", (PunctualProtocol,), {"seconds": seconds})
