# SPDX-License-Identifier: GPL-3.0-or-later
"""/directions: the strongest directions of the latent space."""

from __future__ import annotations

import pytest
from support.server import (
    Client,
    FakeModel,
)


def test_directions_are_listed_with_their_names(client: Client, served: FakeModel) -> None:
    answer = client.get("/directions?count=3")
    assert [direction["index"] for direction in answer.json()] == [0, 1, 2]
    assert answer.json()[1]["low"] == "dark"
    assert answer.json()[1]["high"] == "light"
    assert answer.json()[0]["low"] is None
    assert answer.json()[0]["strength"] == pytest.approx(served.directions()[0].strength, abs=1e-6)
    assert len(client.get("/directions").json()) == 12
    again = client.get("/directions?count=3", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
