# SPDX-License-Identifier: GPL-3.0-or-later
"""Several faces in one image."""

from __future__ import annotations

import numpy as np
import pytest
from support.server import (
    FORMATS,
    Client,
    FakeModel,
    rendered,
)

from ffgan import images
from ffgan.latent import noise
from ffgan.server import Settings

SETTINGS = Settings(tries=1)


@pytest.mark.parametrize("format", FORMATS)
def test_grid_has_the_faces_row_by_row(client: Client, served: FakeModel, format: str) -> None:
    answer = client.get(f"/faces.{format}?seed=5&count=5&columns=3&size=54")
    assert answer.headers["content-type"] == FORMATS[format]
    sheet = images.decode(answer.content).astype(int)
    assert sheet.shape == (108, 162, 3)
    for i in range(5):
        row, column = divmod(i, 3)
        place = sheet[54 * row : 54 * row + 54, 54 * column : 54 * column + 54]
        face = images.resize(rendered(served, noise(5 + i)), 54)
        assert np.abs(place - face).mean() <= (0 if format == "png" else 20)
    assert images.read_metadata(answer.content)["count"] == "5"
    assert (
        client.get(
            f"/faces.{format}?seed=5&count=5&columns=3&size=54",
            headers={"If-None-Match": answer.headers["etag"]},
        ).status_code
        == 304
    )
