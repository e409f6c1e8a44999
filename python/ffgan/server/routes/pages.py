# SPDX-License-Identifier: GPL-3.0-or-later
"""The page and its static files, served from memory; and the reference at /docs."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from pathlib import PurePath

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from ffgan.server.http.caching import NO_CACHE, check_modified
from ffgan.server.routes.reference import reference_page

STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def static_text(name: str) -> str:
    return (resources.files("ffgan.server") / "static" / name).read_text("utf-8")


def add_pages(app: FastAPI) -> None:
    """Adds the page, its files and the reference."""

    def add(path: str, name: str, media_type: str) -> None:
        body = static_text(name).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {**NO_CACHE, "ETag": tag}

        async def static(request: Request) -> Response:
            check_modified(request, headers)
            return Response(body, media_type=media_type, headers=headers)

        app.add_api_route(path, static, methods=["GET"], include_in_schema=False)

    add("/", "index.html", "text/html")
    # Browsers request it by themselves when an image is opened alone.
    add("/favicon.ico", "favicon.svg", STATIC_TYPES[".svg"])
    for file in (resources.files("ffgan.server") / "static").iterdir():
        media_type = STATIC_TYPES.get(PurePath(file.name).suffix)
        if media_type is not None:
            add(f"/static/{file.name}", file.name, media_type)

    @functools.cache
    def reference() -> str:
        return reference_page(app.openapi(), static_text("docs.html"))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(reference(), headers=NO_CACHE)
