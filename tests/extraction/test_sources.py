# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces from photographs in archives: as from their folder, wherever names would lead."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.archives import files_below, zipped
from support.photographs import chips, jpeg, photograph

from ffgan.extraction import extract
from ffgan.typing import RGB


@pytest.mark.slow
def test_an_archive_gives_the_faces_of_its_folder(photos: Path, tmp_path: Path) -> None:
    extract(photos, tmp_path / "out")
    archive = zipped(tmp_path / "photos.zip", files_below(photos))
    assert extract(archive, tmp_path / "zipped").looked_at == 5
    assert extract(archive, tmp_path / "zipped").looked_at == 0
    for name in ("manifest.csv", *chips(tmp_path / "out")):
        assert (tmp_path / "zipped" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    # An archive without one of them, and with another.
    (photos / "0.jpg").unlink()
    (photos / "1.jpg").write_bytes((photos / "2.jpg").read_bytes())
    zipped(archive, files_below(photos))
    extract(archive, tmp_path / "zipped")
    extract(photos, tmp_path / "out")
    assert chips(tmp_path / "zipped") == chips(tmp_path / "out")


@pytest.mark.slow
def test_nothing_is_written_outside_the_output_folder(people: RGB, tmp_path: Path) -> None:
    names = ["../../away.jpg", "/tmp/ffgan-absolute.jpg", "a/../../b.jpg", "x" * 300 + ".jpg"]
    pictures = [jpeg(photograph(people[i])) for i in range(4)]
    archive = zipped(tmp_path / "photos.zip", zip(names, pictures, strict=True))
    out = tmp_path / "deep" / "below" / "out"
    assert extract(archive, out).kept == 4
    assert len(chips(out)) == 4
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - {archive}
    assert all(path.is_relative_to(out) for path in written)
    assert not Path("/tmp/ffgan-absolute.jpg-0.jpg").exists()
