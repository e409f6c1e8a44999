# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the server waits for clients: to send headers, to accept a response, before it ends.

uvicorn waits without limit for the rest of a request's headers, and for a client to read its
response. (The timeout of an upload is in ``uploads``.) ``PatientProtocol`` uses attributes of
uvicorn's h11 protocol that are not documented, so pyproject.toml caps uvicorn at the versions that
were tested.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable
from typing import Any, cast

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

# A large response is sent in parts, so that it is no harder to accept in time than a small one.
PART_BYTES = 1 << 16

MOMENT = 0.05  # seconds


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


class LingeringTransport:
    """A transport whose ``close`` ends what is sent first, and reads on for a moment.

    A connection that is closed with bytes that nobody has read is reset, and the client loses the
    response that is on its way to it: that to an upload which was refused before its end, or to
    what was sent before (RFC 9112, section 9.6).
    """

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self.ending = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.ending or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self.ending = True
        if not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(self._seconds, self._transport.close)


class PatientProtocol(H11Protocol):
    """Closes a connection whose request headers do not come, and at the end none that may send one.

    A request's headers must be complete after ``head_seconds``.

    When the server shuts down, uvicorn closes all connections between two requests at once, and
    so loses the requests that are on their way. Here they stay open for ``linger`` seconds more. A
    request that arrives, and one whose response has not begun, is answered with ``Connection:
    close``, after which the client sends no other. Connections that were accepted before and are
    made during the shutdown are treated alike.
    """

    head_seconds = 10.0
    linger = 1.0
    shutting_down = False  # an attribute of the class, which belongs to one server

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._lingering = LingeringTransport(transport, self.linger)
        super().connection_made(cast("asyncio.Transport", self._lingering))
        self._watch()
        if self.shutting_down:
            self.shutdown()

    def data_received(self, data: bytes) -> None:
        if self._lingering.ending:
            return
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()
        if self._end is not None:
            self._end.cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.shutting_down:  # this response had begun before
            self.shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Called when a connection has been idle: not if a request waits to be read."""
        if not self.transport.is_closing() and _is_readable(self.transport):
            self.timeout_keep_alive_task = self.loop.call_later(
                MOMENT, self.timeout_keep_alive_handler
            )
            return
        super().timeout_keep_alive_handler()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: browsers ask for HTTP/2, and what uvicorn would have one install is no use."""

    def shutdown(self) -> None:
        """Called by the server when it shuts down."""
        if self._is_idle():
            self._unset_keepalive_if_required()
            if self._end is None:
                self._end = self.loop.call_later(self.linger, self._close)
        elif not self.cycle.response_started:
            self.cycle.default_headers = [*self.cycle.default_headers, CLOSE_HEADER]

    def _close(self) -> None:
        self._end = None
        if self.transport.is_closing() or not self._is_idle():
            return
        if self.conn.trailing_data[0] or _is_readable(self.transport):
            # A request has begun to come; if the rest does not, the other timer closes.
            self._end = self.loop.call_later(MOMENT, self._close)
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_readable(transport: asyncio.Transport) -> bool:
    """Whether something has arrived that the event loop has not passed on yet."""
    with selectors.DefaultSelector() as selector:
        selector.register(transport.get_extra_info("socket").fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))


def patient_protocol(head_seconds: float, linger: float) -> type[PatientProtocol]:
    """The protocol class with these times; uvicorn makes the instances."""
    times = {"head_seconds": head_seconds, "linger": linger}
    return type("PatientProtocol", (PatientProtocol,), times)
