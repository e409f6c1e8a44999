# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets of pictures in other colour spaces: converted or not, and never both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import profiles
from support.pictures import file_of

from ffgan import dataset
from ffgan.dataset import Dataset
from ffgan.errors import DatasetError

P3 = profiles.rgb_profile(profiles.P3, profiles.srgb_light)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures in Display P3, one in sRGB, one with a profile of nothing."""
    folder = tmp_path / "faces"
    folder.mkdir()
    plain = Image.new("RGB", (162, 162), (200, 120, 90))
    for name, profile in (("a", P3), ("b", P3), ("c", None), ("d", b"nothing" * 30)):
        (folder / f"{name}.png").write_bytes(file_of(plain, "PNG", icc_profile=profile))
    return folder


def colours(data: Dataset) -> list[list[int]]:
    return [data.image(index)[80, 80].tolist() for index in range(len(data))]


STORED = [200, 120, 90]
CONVERTED = (
    profiles.in_srgb(np.array([[STORED]]) / 255, profiles.P3, profiles.srgb_light)[0, 0]
    .round()
    .astype(int)
    .tolist()
)


def test_pictures_become_srgb_and_are_counted(folder: Path) -> None:
    with Dataset(folder) as data:
        assert colours(data) == [CONVERTED, CONVERTED, STORED, STORED]
        assert CONVERTED != STORED
        assert "2 images in another colour space, converted to sRGB" in data.summary
        assert "1 image with a colour profile that cannot be used" in data.summary


def test_ignored_colours_are_counted_too(folder: Path) -> None:
    with Dataset(folder, colour="ignore") as data:
        assert colours(data) == [STORED] * 4
        assert "in another colour space, which is ignored" in data.summary


@pytest.mark.parametrize("colour", ["convert", "ignore"])
def test_a_packed_file_knows_what_was_done(folder: Path, tmp_path: Path, colour: str) -> None:
    file = tmp_path / "faces.pack"
    dataset.pack(folder, file, colour=colour).close()
    expected = CONVERTED if colour == "convert" else STORED
    for asked in (None, colour):
        with Dataset(file, colour=asked) as data:
            assert data.colour == colour
            assert colours(data)[0] == expected
    other = "ignore" if colour == "convert" else "convert"
    with pytest.raises(DatasetError, match=f"packed with --colour {colour}, not {other}"):
        Dataset(file, colour=other)


def test_a_packed_file_of_an_earlier_version_has_ignored_colours(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "faces.pack"
    dataset.pack(folder, file, colour="ignore").close()
    assert file.read_bytes()[112:4096] == bytes(4096 - 112)
    with Dataset(file) as data:
        assert data.colour == "ignore"


def test_a_cache_is_not_used_for_the_other_colours(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with Dataset(folder, colour="ignore", cache=cache) as data:
        data.build_cache()
    with pytest.raises(DatasetError, match="another size, fit or colour"):
        Dataset(folder, cache=cache)
