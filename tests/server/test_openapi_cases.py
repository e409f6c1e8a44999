# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemathesis: every endpoint, with each value that is on the edge of what its description allows.

Nothing of them may end in a 5xx, and each answer must be one that the description allows.
"""

from __future__ import annotations

import pytest
from support.openapi import check, described, examples, schemathesis

# Thousands of requests, which are made up as pytest collects the tests.
pytestmark = pytest.mark.slow
schema = described()


@schema.parametrize()
@examples(20)
def test_every_endpoint_responds_as_the_description_allows(case: schemathesis.Case) -> None:
    check(case)
