# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries as they come: what others add to links is left out, what nobody knows is refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.responses import Response
from fastapi.routing import APIRoute

from ffgan.attributes.definitions import nearest_name
from ffgan.server.http.errors import RequestError

# fmt: off
TRACKING = frozenset((
    "_", "_ga", "_gl", "_hsenc", "_hsmi", "_openstat", "dclid", "epik", "fbclid", "gad_campaignid",
    "gad_source", "gbraid", "gclid", "gclsrc", "igsh", "igshid", "li_fat_id", "mc_cid", "mc_eid",
    "mkt_tok", "msclkid", "oly_anon_id", "oly_enc_id", "rdt_cid", "ref", "ref_src", "ref_url",
    "sccid", "srsltid", "ttclid", "twclid", "vero_id", "wbraid", "wickedid", "yclid", "ysclid",
))
# fmt: on
"""Parameters that social networks, search engines and mail programs add to the links in them, and
`_`, which jQuery adds against caches. They say nothing about a face."""

TRACKING_PREFIXES = ("utm_", "hsa_", "pk_", "mtm_")


class QueryRoute(APIRoute):
    """A route that takes a query as it comes, unless the endpoint has no parameters and no body.

    `TRACKING` parameters and those without a value (a form's empty field) count as not given, so
    they are in no ETag either. A name that the endpoint does not know, or one that is given twice,
    is refused: whoever sent it meant something, and would not get it. Pages ignore their queries.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        self.described = descriptions(self.dependant)
        if not self.described and "GET" in (self.methods or ()):
            return handle

        async def handle_tidied(request: Request) -> Response:
            query = tidied(request.scope["query_string"], self.described)
            # Not the same scope object: the access log shows what came.
            scope = {**request.scope, "query_string": query}
            return await handle(Request(scope, request.receive))

        return handle_tidied


def descriptions(dependant: Dependant) -> dict[str, str]:
    """What each query parameter of an endpoint is, by name; all our endpoints declare models."""
    found: dict[str, str] = {}
    for field in dependant.query_params:
        model: Any = field.field_info.annotation
        for name, about in model.model_fields.items():
            found[name] = about.description or ""
    for each in dependant.dependencies:
        found.update(descriptions(each))
    return found


def tidied(query: bytes, known: Mapping[str, str]) -> bytes:
    """The query without what counts as not given; raises RequestError for what is refused."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1")):  # without those that have no value
        if is_tracking(name):
            continue
        if name not in known:
            raise _refused(name, f"no such parameter here; {_alternative(name, known)}")
        if name in given:
            raise _refused(name, "given more than once; give it once")
        given[name] = value
    return urlencode(given).encode()


def is_tracking(name: str) -> bool:
    name = name.lower()
    return name in TRACKING or name.startswith(TRACKING_PREFIXES)


def _alternative(name: str, known: Mapping[str, str]) -> str:
    if near := nearest_name(name, known):
        return f"did you mean {near}?"
    return f"there are {', '.join(known)}" if known else "this URL takes none"


def _refused(name: str, message: str) -> RequestError:
    name = name[:40]
    text = f"{name}: {message}" if name else f"a value without a name: {message}"
    return RequestError(422, "invalid_parameter", text, parameter=name)
