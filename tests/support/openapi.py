# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemathesis with the server's own description of itself, and what it may ask and expect."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, Phase, settings

from ffgan.server import Settings, create_app
from ffgan.server.http.image_uploads import MEDIA_TYPES
from support.server import FakeModel, ready

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that it is made of
    schemathesis = pytest.importorskip(
        "schemathesis", reason="schemathesis is not installed (pip install '.[test]')"
    )
    from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance


@schemathesis.serializer("application/x-npy", *MEDIA_TYPES)
def as_it_is(_: object, value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes) else str(value).encode()


def described() -> Any:
    """The description of a server of small faces, so that thousands of requests take seconds."""
    small = Settings(tries=1, max_tries=3, max_size=64, max_faces=8, max_grid=8, max_frames=6)
    app = create_app(FakeModel(), small)
    ready(app)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def examples(number: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def check(case: schemathesis.Case) -> None:
    """Send the request; raises unless the answer is one that the description allows."""
    response = case.call()
    # Right by itself, a parameter may still exclude another one, which OpenAPI cannot say.
    excluded = [positive_data_acceptance]
    with_value = dict(parse_qsl(urlsplit(response.request.url).query))
    if not with_value.keys() >= (case.query or {}).keys():
        excluded.append(negative_data_rejection)  # without a value it counts as not given
    case.validate_response(response, excluded_checks=excluded)
