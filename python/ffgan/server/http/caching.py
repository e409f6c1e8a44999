# SPDX-License-Identifier: GPL-3.0-or-later
"""What browsers and proxies may keep, and how they ask whether it is still right."""

from __future__ import annotations

import functools
import hashlib
import json
import re

from fastapi import Request, Response

from ffgan import __version__, _core, images
from ffgan.model import Model

SEEDED = {"Cache-Control": "public, max-age=31536000, immutable"}
RANDOM = {"Cache-Control": "no-store"}
REVALIDATED = {"Cache-Control": "no-cache"}


@functools.cache
def program() -> list[str]:
    """What decides an answer's bytes beside the model and the request.

    Engines of another kind may round the last bit of a pixel otherwise; the number of threads
    changes nothing.
    """
    engine = {name: value for name, value in _core.engine().items() if name != "threads"}
    return [__version__, images.encoder(), json.dumps(engine, sort_keys=True)]


def entity_tag(model: Model, *decides: object) -> str:
    """A strong ETag, known before anything is drawn; `decides` say all by their repr."""
    text = json.dumps([*program(), model.hash, *map(repr, decides)])
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def not_modified(request: Request, entity_tag: str, headers: dict[str, str]) -> Response | None:
    """304 where `If-None-Match` names the ETag.

    RFC 9110, section 13.1.2: weak comparison with each tag, or `*`.
    """
    known = ",".join(request.headers.getlist("If-None-Match"))
    if known.strip() == "*" or entity_tag in re.findall(r'"[^"]*"', known):
        return Response(status_code=304, headers=headers)
    return None
