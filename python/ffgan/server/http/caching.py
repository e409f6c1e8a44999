# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP caching: Cache-Control, ETag and If-None-Match."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from typing import Final

from fastapi import Request

from ffgan import __version__, _core, images
from ffgan.model import Model

IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
NO_STORE = {"Cache-Control": "no-store"}
NO_CACHE = {"Cache-Control": "no-cache"}


class NotModified(Exception):
    """The client's copy is current: the answer is 304 with these ``headers``."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__()
        self.headers = headers


class OtherBody(Exception):
    """The client wants a body that this URL has no more: the answer is 412."""


_OF_THE_MACHINE: Final = (
    "threads",
    "threads_from",
    "instructions",
    "compiled_instructions",
    "bf16",
)


@functools.cache
def software() -> list[str]:
    """The versions that an answer's bytes depend on, besides the model and the request.

    Engines of another kind may round the last bit of a pixel differently; the number of threads
    and the instruction set change nothing.
    """
    engine = {name: value for name, value in _core.engine().items() if name not in _OF_THE_MACHINE}
    made_by = [__version__, images.encoder(), str(images.RESIZING)]
    return [*made_by, json.dumps(engine, sort_keys=True)]


def entity_tag(model: Model, *inputs: object) -> str:
    """A strong ETag, known before anything is drawn: a digest of the ``repr`` of all inputs."""
    text = json.dumps([*software(), model.faces_id, *map(repr, inputs)])
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def of_model(model: Model) -> dict[str, str]:
    """The headers of all that a model computes: its precision, unless it is float32."""
    precision = model.origin.get("precision")
    return {} if precision is None else {"X-FFGAN-Precision": precision}


def not_stored(model: Model) -> dict[str, str]:
    """The headers of an answer that ``model`` computes once, as for a random seed."""
    return {**NO_STORE, **of_model(model)}


def immutable(request: Request, model: Model, *inputs: object) -> dict[str, str]:
    """The caching headers of an answer that ``model`` and ``inputs`` determine.

    Raises NotModified where the client has it already, OtherBody where it wants another one.
    """
    headers = {**IMMUTABLE, "ETag": entity_tag(model, *inputs), **of_model(model)}
    check_modified(request, headers)
    return headers


def check_modified(request: Request, headers: dict[str, str]) -> None:
    """Raises NotModified where ``If-None-Match`` names the ETag in ``headers``, OtherBody where
    ``If-Match`` does not.

    RFC 9110, section 13.1: weak comparison with each tag of the former, strong with each of the
    latter, or ``*``.
    """
    wanted = ",".join(request.headers.getlist("If-Match"))
    tags = re.findall(r'(?:W/)?"[^"]*"', wanted)
    if wanted and wanted.strip() != "*" and headers["ETag"] not in tags:
        raise OtherBody
    known = ",".join(request.headers.getlist("If-None-Match"))
    if known.strip() == "*" or headers["ETag"] in re.findall(r'"[^"]*"', known):
        raise NotModified(headers)
