# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fills up while `extract` writes what it found."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.disk import largest_file, small_disk

import ffgan
from ffgan import images
from ffgan.errors import Error
from ffgan.extraction import extract

pytestmark = pytest.mark.usefixtures("dlib_files")


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


def test_a_chip_that_does_not_fit_is_named_in_the_same_way(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with largest_file(30_000), pytest.raises(Error) as error:
        extract(photos, out, format="png", size=400)
    line = str(error.value)
    assert re.match(rf"cannot write {out}/x.*/a-png-0\.png: File too large; raise the limit", line)
    assert line.endswith("or give another output folder")
    assert not list(out.rglob(".*"))
    assert extract(photos, out, format="png", size=400).kept == 2


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_moment_loses_nothing(photos: Path, tmp_path: Path) -> None:
    """With ever more pages, each file in turn is the one that does not fit."""
    options = {"embeddings": True, "sheet": 4, "threads": 1}
    whole = tmp_path / "whole"
    extract(photos, whole, **options)
    files = {path.relative_to(whole): path.read_bytes() for path in whole.rglob("*.*")}
    named = set()
    for pages in range(1, 60):
        with small_disk(tmp_path / f"{pages}", f"size={4 * pages}k") as disk:
            out = disk / "out"
            try:
                extract(photos, out, **options)
                break
            except Error as error:
                found = re.match(
                    rf"cannot write {out}(/\S+)?: No space left on device; make room and run the "
                    "same command again, or give another output folder$",
                    str(error),
                )
                assert found is not None, error
                named.add((found[1] or "").rpartition("/")[2])
            subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
            extract(photos, out, **options)
            again = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")}
            assert again.keys() == files.keys()
            journal = Path("extract.jsonl")
            assert all(again[name] == files[name] for name in files if name != journal)
    else:
        pytest.fail("the largest disk is too small")
    assert named >= {"extract.jsonl", "manifest.csv", "contact-sheet.html", "embeddings.npy"}
    assert any(name.endswith(".jpg") for name in named)
