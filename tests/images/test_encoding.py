# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.disk import largest_file
from support.pictures import (
    picture,
    pillow,
)

from ffgan import images
from ffgan.errors import Error, UsageError

PNG, JPEG, WEBP = "png", "jpg", "webp"


def test_jpeg_and_webp_are_close_to_the_image() -> None:
    image = np.asarray(picture(162, 162))
    for format in (JPEG, WEBP):
        assert np.abs(pillow(images.encode(image, format, 95)).astype(int) - image).mean() < 3
        low, high = (len(images.encode(image, format, quality)) for quality in (10, 95))
        assert low < high


@pytest.mark.parametrize(
    ("image", "format", "quality", "reason"),
    [
        (np.zeros((4, 4), np.uint8), PNG, 95, "uint8"),
        (np.zeros((4, 4, 3), np.float32), PNG, 95, "uint8"),
        (np.zeros((0, 4, 3), np.uint8), PNG, 95, "uint8"),
        (np.zeros((4, 4, 3), np.uint8), JPEG, 0, "quality 0"),
        (np.zeros((4, 4, 3), np.uint8), JPEG, 101, "quality 101"),
        (np.zeros((4, 4, 3), np.uint8), "gif", 95, "png, jpg or webp"),
        (np.zeros((1, 16384, 3), np.uint8), WEBP, 95, "16383"),
    ],
)
def test_what_cannot_be_encoded_is_refused(
    image: Any, format: Any, quality: int, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        images.encode(image, format, quality)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.webp", "A.PNG", "b.JPG"])
def test_save_writes_the_format_of_the_suffix(name: str, tmp_path: Path) -> None:
    images.save(tmp_path / name, np.asarray(picture()), {"seed": "7"}, 90)
    with Image.open(tmp_path / name) as opened:
        expected = {"p": "PNG", "j": "JPEG", "w": "WEBP"}[name.lower()[2]]
        assert opened.format == expected
    assert images.read_metadata(tmp_path / name) == {"seed": "7"}
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_saved_files_are_readable_as_the_umask_says(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    images.save(tmp_path / "a.png", np.asarray(picture()))
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_save_names_another_suffix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"face\.gif.*\.png, \.jpg or \.webp"):
        images.save(tmp_path / "face.gif", np.asarray(picture()))


def test_save_names_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"cannot write .*a\.png: No such file"):
        images.save(tmp_path / "none" / "a.png", np.asarray(picture()))


def test_a_full_disk_leaves_the_old_file_and_one_line(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    with largest_file(1000), pytest.raises(Error) as error:
        images.save(target, noise)
    assert str(error.value) == f"cannot write {target}: File too large"
    assert target.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
