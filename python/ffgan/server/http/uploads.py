# SPDX-License-Identifier: GPL-3.0-or-later
"""Request bodies, with limits on their type, size, number and duration."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Any

from starlette.requests import ClientDisconnect, Request

from ffgan.server.http.errors import Disconnected, RequestError, error_response
from ffgan.server.http.shares import Holding, Shares, client_of
from ffgan.server.settings import Settings

UPLOAD_ERRORS: dict[int | str, dict[str, Any]] = {
    408: error_response("The upload took too long"),
    413: error_response("The upload has too many bytes or pixels"),
    415: error_response("The upload has an unsupported type"),
}


UNKNOWN = ("", "application/octet-stream", "binary/octet-stream")
"""Media types that say nothing, so that the bytes must."""

SHARES = 4
"""Clients that fill the memory for uploads together, none of them alone."""

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


def media_type(request: Request, expected: Collection[str]) -> str:
    """The media type of a request's body, "" where it says nothing; ``image/*`` may be expected.

    Raises RequestError for one that is not expected, and for a form.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in UNKNOWN:
        return ""
    if kind in expected or f"{kind.partition('/')[0]}/*" in expected:
        return kind
    example = min(expected).replace("*", "jpeg")
    command = f"curl --data-binary @FILE -H 'Content-Type: {example}'"
    if kind in FORMS:
        message = f"this is a form: send the file itself as the body, as in {command}"
    else:
        message = f"the Content-Type {kind[:80]} is none of {', '.join(sorted(expected))}"
    raise RequestError(415, "unsupported_media_type", message)


class Uploads:
    """The uploads of an application: in memory, at most ``max_uploads`` of ``max_upload`` bytes.

    What counts are the bytes that have arrived, and one client may hold a quarter of them: uploads
    that come slowly take nothing from others.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        total = settings.max_uploads * settings.max_upload
        self._shares = Shares(total, max(total // SHARES, settings.max_upload))

    @contextlib.asynccontextmanager
    async def body(
        self, request: Request, media_types: Collection[str]
    ) -> AsyncIterator[tuple[str, bytes]]:
        """A request's media type, one of those given or "" where it says nothing, and its body.

        Raises RequestError for another type, too many bytes or too long a duration, Unavailable
        where the uploads of all clients, or of this one, hold too much.
        """
        kind = media_type(request, media_types)
        coding = request.headers.get("Content-Encoding", "").strip().lower()
        if coding not in ("", "identity"):
            raise RequestError(
                415,
                "unsupported_media_type",
                f"the Content-Encoding {coding[:40]} is not taken: send the file as it is",
                headers={"Accept-Encoding": "identity"},
            )
        # Before anything is read: with ``Expect: 100-continue`` a client need not send the body.
        length = request.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length[:20]) > self._settings.max_upload:
            raise self._too_large()
        with self._shares.hold(client_of(request)) as holding:
            yield kind, await self._read(request, holding)

    async def _read(self, request: Request, holding: Holding) -> bytes:
        async def read() -> bytes:
            parts, size = [], 0
            async for part in request.stream():
                size += len(part)
                if size > self._settings.max_upload:
                    raise self._too_large()
                holding.grow(len(part))
                parts.append(part)
            return b"".join(parts)

        try:
            return await asyncio.wait_for(read(), self._settings.upload_seconds)
        except asyncio.TimeoutError:
            seconds = f"{self._settings.upload_seconds:g}"
            raise RequestError(
                408, "too_slow", f"the upload took longer than {seconds} seconds"
            ) from None
        except ClientDisconnect as error:
            raise Disconnected from error

    def _too_large(self) -> RequestError:
        most = self._settings.max_upload
        return RequestError(413, "too_large", f"the upload exceeds the limit of {most} bytes")
