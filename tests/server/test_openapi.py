# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemathesis: a few requests made from the server's own description of itself, right and wrong.

Nothing of them may end in a 5xx, and each answer must be one that the description allows.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from support.openapi import check, described, examples, schemathesis


@pytest.fixture(scope="module")
def schema() -> Any:
    return described()


# One endpoint of each kind; all of them: test_openapi_cases.py.
WITH_PARAMETERS = [
    ("GET", "/face.jpg"),
    ("GET", "/faces.png"),
    ("GET", "/faces.tar"),
    ("GET", "/interpolation.zip"),
    ("GET", "/latents"),
    ("POST", "/latents"),
    ("GET", "/directions"),
]
RIGHT = [(*each, "POSITIVE") for each in [*WITH_PARAMETERS, ("POST", "/score")]]
WRONG = [(*each, "NEGATIVE") for each in WITH_PARAMETERS]


@pytest.mark.parametrize(("method", "path", "kind"), RIGHT + WRONG)
def test_every_response_is_one_that_the_description_allows(
    schema: Any, method: str, path: str, kind: str
) -> None:
    operation = schema[path][method]
    asked = []

    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode[kind]))
    @examples(4)
    def every_answer_is_allowed(case: schemathesis.Case) -> None:
        asked.append(case)
        check(case)

    every_answer_is_allowed()
    assert len(asked) >= 2
