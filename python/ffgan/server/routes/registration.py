# SPDX-License-Identifier: GPL-3.0-or-later
"""How the endpoints that answer with files are added to the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response

from ffgan.server.http.errors import BUSY, INVALID, error_response

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The client's copy, named by If-None-Match, is current"}
}


PARTS: dict[int | str, dict[str, Any]] = {
    206: {"description": "The part that Range asks for, of a response with an ETag and a length"},
    412: error_response("The body is not the one that If-Match names"),
    416: error_response("The range lies behind the end"),
}


UNSUPPORTED: dict[int | str, dict[str, Any]] = {
    501: error_response("This server lacks what measures attributes, or an encoder")
}


def add_file_route(
    app: FastAPI,
    path: str,
    endpoint: Callable[..., Any],
    *,
    summary: str,
    media_types: Sequence[str],
    description: str,
    method: str = "GET",
    errors: dict[int | str, dict[str, Any]] | None = None,
    **options: Any,
) -> None:
    """Adds ``endpoint``, whose docstring is its text in /docs and /openapi.json.

    ``description`` is that of the file, ``errors`` are responses besides those of all such
    endpoints, ``options`` are FastAPI's.
    """
    options.setdefault("name", path.lstrip("/").replace(".", "_"))
    options.setdefault("response_class", Response)
    app.add_api_route(
        path,
        endpoint,
        methods=[method],
        summary=summary,
        responses={
            200: {"content": {kind: {} for kind in media_types}, "description": description},
            **({**PARTS, **NOT_MODIFIED, **UNSUPPORTED} if method == "GET" else {}),
            **INVALID,
            **(errors or {}),
            **BUSY,
        },
        **options,
    )
