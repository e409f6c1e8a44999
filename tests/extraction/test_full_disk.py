# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fills up while `extract` writes what it found."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.disk import largest_file

import ffgan
from ffgan import faces, images
from ffgan.errors import Error, ExtraError
from ffgan.extraction import extract


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    try:
        faces.model_file(faces.LANDMARKS_FILE)
    except ExtraError as error:
        pytest.skip(str(error))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A photograph of two faces; its long name makes the manifest larger than the journal."""
    picture = np.full((400, 700, 3), 110, np.uint8)
    for place, face in enumerate(ffgan.generate(2, seed=3)):
        picture[80:320, 80 + 300 * place :][:, :240] = cv2.resize(face, (240, 240))
    folder = tmp_path / "photos"
    below = folder.joinpath(*["x" * 200] * 12)
    below.mkdir(parents=True)
    (below / "a.png").write_bytes(images.encode(picture, "png"))
    return folder


@pytest.mark.parametrize(
    ("room", "file"),
    [(1_000, "extract.jsonl"), (9_000, "manifest.csv"), (18_000, "contact-sheet.html")],
)
def test_the_line_names_the_file_and_an_option_of_extract(
    photos: Path, tmp_path: Path, room: int, file: str
) -> None:
    out = tmp_path / "out"
    whole = extract(photos, out)
    assert whole.kept == 2
    before = (out / file).read_bytes()
    with largest_file(room), pytest.raises(Error) as error:
        extract(photos, out, sheet=47)
    line = str(error.value)
    assert f"cannot write {out / file}: File too large" in line
    assert "give another output folder" in line
    assert "--runs" not in line
    assert (out / file).read_bytes() == before
    assert not list(out.glob(".*"))
    assert extract(photos, out, sheet=47).kept == 2
