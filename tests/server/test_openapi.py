# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemathesis: requests made from the server's own description of itself, right and wrong ones.

Nothing of them may end in a 5xx, and each answer must be one that the description allows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from support.server import FakeModel, ready

from ffgan.server import Settings, create_app
from ffgan.server.http.image_uploads import MEDIA_TYPES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that it is made of
    schemathesis = pytest.importorskip(
        "schemathesis", reason="schemathesis is not installed (pip install '.[test]')"
    )
    from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance


@schemathesis.serializer("application/x-npy", *MEDIA_TYPES)
def as_it_is(_: object, value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes) else str(value).encode()


# Small faces, so that thousands of requests take seconds.
app = create_app(
    FakeModel(),
    Settings(tries=1, max_tries=3, max_size=64, max_faces=8, max_grid=8, max_frames=6),
)
ready(app)
schema = schemathesis.openapi.from_asgi("/openapi.json", app)


# One endpoint of each kind, and a few requests each; the slow test has them all.
QUICK = r"^/(face\.jpg|faces\.(png|tar)|interpolation\.zip|latents|score|directions)$"


def examples(number: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def check(case: schemathesis.Case) -> None:
    # Right by itself, a parameter may still exclude another one, which OpenAPI cannot say.
    excluded = [positive_data_acceptance]
    if any(value in ("", None, [], [""]) for value in (case.query or {}).values()):
        excluded.append(negative_data_rejection)  # without a value it counts as not given
    case.call_and_validate(excluded_checks=excluded)


@schema.include(path_regex=QUICK).parametrize()
@examples(4)
def test_every_response_is_one_that_the_description_allows(case: schemathesis.Case) -> None:
    check(case)


@pytest.mark.slow
@schema.parametrize()
@examples(20)
def test_every_endpoint_responds_as_the_description_allows(case: schemathesis.Case) -> None:
    check(case)
