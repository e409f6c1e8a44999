# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every answer, whichever endpoint makes it."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ffgan.server.http.errors import Refusal

# Nothing inline and no other host; `data:` is the face within /get_image, `blob:` a face that the
# page has fetched.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

HEADERS_ONLY = "ffgan.headers_only"
"""Set in the scope of a HEAD request: the body of a stream is not even made."""

OPEN_TO_ALL = ("/health/live", "/health/ready")


class SecurityHeaders:
    """Adds `SECURITY_HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class HeadAsGet:
    """Answers HEAD as GET without the body: FastAPI's routes know only the methods they name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # The same scope, so that what is noted in it is seen outside.
        scope["method"] = "GET"
        scope[HEADERS_ONLY] = True
        try:
            await self.app(scope, receive, send_without_body)
        finally:
            scope["method"] = "HEAD"


class Failures:
    """Answers 500 to what nobody expected, and lets the server log it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            if not begun:
                failed = Refusal(500, "failed", "this could not be done; see the server's log")
                await failed.answer()(scope, receive, send)
            raise


class RootPath:
    """Serves below a prefix, whether or not the proxy in front of it takes it off."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self.app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if not path.startswith(f"{self._prefix}/"):
                path = self._prefix + path
            # The same scope, so that what is noted in it is seen outside.
            scope.update({"root_path": self._prefix, "path": path})
        await self.app(scope, receive, send)


class Bearer:
    """Refuses requests that do not carry one of the tokens; health is anyone's to ask."""

    def __init__(self, app: ASGIApp, *, tokens: Sequence[str]) -> None:
        self.app = app
        self._tokens = [token.encode() for token in tokens]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path in OPEN_TO_ALL:
            await self.app(scope, receive, send)
            return
        if self._knows(Headers(scope=scope)):
            await self.app(scope, receive, functools.partial(_send_privately, send))
            return
        refusal = Refusal(
            401,
            "unauthorized",
            "this server needs a token: send it as `Authorization: Bearer ...`",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await refusal.answer()(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        # Every token is compared, each in a time that does not tell how much of it was right.
        right = [hmac.compare_digest(given.strip().encode(), token) for token in self._tokens]
        return scheme.lower() == "bearer" and any(right)


async def _send_privately(send: Send, message: Message) -> None:
    """A cache that is shared must not hand on what the next one may have no token for."""
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        headers["Cache-Control"] = headers.get("Cache-Control", "private").replace(
            "public", "private"
        )
    await send(message)
