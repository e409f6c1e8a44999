# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a response: Range, If-Range, 206 and 416 (RFC 9110, section 14).

Safari plays a film only from a server that has them, and no browser seeks in one otherwise.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ffgan.server.http.errors import RequestError
from ffgan.server.http.middleware import HEADERS_ONLY

RANGE = re.compile(r"bytes\s*=\s*(?:([0-9]{1,99})\s*-\s*([0-9]{1,99})?|-\s*([0-9]{1,99}))\s*", re.I)


class RangeMiddleware:
    """Answers a request for one range of a finished body that has a strong ETag.

    What is streamed has no length beforehand, and what has no ETag is another body each time: these
    come whole, as does a request for several ranges, which a server may answer so.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        await self.app(scope, receive, _Part(scope, receive, send).send)


class _Part:
    """Cuts one response, as it is sent, to the range that its request asks for."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._part = slice(None)
        self._position = 0
        self._refused = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if (refusal := self._begin(MutableHeaders(scope=message), message)) is not None:
                self._refused = True
                await refusal.response()(self._scope, self._receive, self._send)
        elif message["type"] == "http.response.body" and self._part != slice(None):
            body = message.get("body", b"")
            start, stop = self._part.start - self._position, self._part.stop - self._position
            self._position += len(body)
            message = {**message, "body": body[max(start, 0) : max(stop, 0)]}
        if not self._refused:
            await self._send(message)

    def _begin(self, headers: MutableHeaders, start: Message) -> RequestError | None:
        """Makes a 206 of what becomes one; the refusal where the range lies behind the end."""
        tag, length = headers.get("ETag", ""), headers.get("Content-Length", "")
        if start["status"] != 200 or not tag.startswith('"') or not length.isdecimal():
            return None
        headers["Accept-Ranges"] = "bytes"
        wanted = _wanted(Headers(scope=self._scope), tag, int(length))
        if wanted is None or self._scope.get(HEADERS_ONLY, False):  # HEAD has no ranges
            return None
        if not wanted:
            return RequestError(
                416,
                "range_not_satisfiable",
                f"the range lies behind the end: there are {length} bytes",
                headers={"Content-Range": f"bytes */{length}"},
            )
        self._part = slice(wanted.start, wanted.stop)
        start["status"] = 206
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{length}"
        headers["Content-Length"] = str(len(wanted))
        return None


def _wanted(headers: Headers, tag: str, length: int) -> range | None:
    """The bytes that a request asks for; None: all of them, empty: some that do not exist."""
    if headers.get("If-Range", tag).strip() != tag:
        return None  # the client has a part of another body
    found = RANGE.fullmatch(headers.get("Range", "").strip())
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return range(max(length - int(suffix), 0), length)
    if last is not None and int(last) < int(first):
        return None  # no range at all: to be ignored
    end = length if last is None else min(int(last) + 1, length)
    return range(min(int(first), length), end)
