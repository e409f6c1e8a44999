# SPDX-License-Identifier: GPL-3.0-or-later
"""ASGI middleware for every endpoint: headers, HEAD, errors, tokens, the proxy's prefix."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ffgan.server.http.errors import RequestError

# Nothing inline and no other host; ``data:`` is for the face in /get_image, ``blob:`` for faces
# that the page has fetched, media for a film that is opened by itself.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

HEADERS_ONLY = "ffgan.headers_only"
"""Set in the scope of a HEAD request, so that a streamed body is not produced at all."""

PUBLIC_PATHS = ("/health/live", "/health/ready")


class SecurityHeadersMiddleware:
    """Adds ``SECURITY_HEADERS`` to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class HeadMiddleware:
    """Answers HEAD like GET without the body: FastAPI routes accept only the methods they name."""

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

        # The same scope object, so that outer middleware sees what is set in it.
        scope["method"] = "GET"
        scope[HEADERS_ONLY] = True
        try:
            await self.app(scope, receive, send_without_body)
        finally:
            scope["method"] = "HEAD"


class InternalErrorMiddleware:
    """Answers unexpected exceptions with 500, and lets the server log them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception:
            if not started:
                error = RequestError(500, "failed", "internal error; see the server's log")
                await error.response()(scope, receive, send)
            raise


class RootPathMiddleware:
    """Serves below a prefix, whether or not the proxy in front strips it."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self.app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if not path.startswith(f"{self._prefix}/"):
                path = self._prefix + path
            # The same scope object, so that outer middleware sees what is set in it.
            scope.update({"root_path": self._prefix, "path": path})
        await self.app(scope, receive, send)


class AbsoluteTargetMiddleware:
    """Takes ``GET http://host/face.png`` for ``GET /face.png`` (RFC 9112, section 3.2.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/"):
            scheme, separator, rest = scope["path"].partition("://")
            if separator and scheme.lower() in ("http", "https"):
                # The same scope object, so that outer middleware sees what is set in it.
                scope["path"] = "/" + rest.partition("/")[2]
        await self.app(scope, receive, send)


class BearerTokenMiddleware:
    """Refuses requests without one of the tokens, except to ``PUBLIC_PATHS``."""

    def __init__(self, app: ASGIApp, *, tokens: Sequence[str]) -> None:
        self.app = app
        self._tokens = [token.encode() for token in tokens]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path in PUBLIC_PATHS:
            await self.app(scope, receive, send)
            return
        if self._is_authorised(Headers(scope=scope)):
            await self.app(scope, receive, functools.partial(_send_private, send))
            return
        error = RequestError(
            401,
            "unauthorized",
            "this server needs a token: send it as `Authorization: Bearer TOKEN`",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await error.response()(scope, receive, send)

    def _is_authorised(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        # Every token is compared, each in constant time: the duration reveals nothing about them.
        equal = [hmac.compare_digest(given.strip().encode(), token) for token in self._tokens]
        return scheme.lower() == "bearer" and any(equal)


async def _send_private(send: Send, message: Message) -> None:
    """A shared cache must not serve the response to clients without a token."""
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        headers["Cache-Control"] = headers.get("Cache-Control", "private").replace(
            "public", "private"
        )
    await send(message)
