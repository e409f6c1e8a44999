# SPDX-License-Identifier: GPL-3.0-or-later
"""A text of paths as a data set."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.training_images import jpeg, numbers

from ffgan.dataset import Dataset, ImageFiles
from ffgan.errors import DatasetError


def test_a_list_of_all_files_is_their_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "all.txt").write_text("".join(f"{number:02}.jpg\r\n" for number in range(12)))
    assert Dataset(folder / "all.txt").hash == Dataset(folder).hash
    assert numbers(folder / "all.txt", 5, 6) == numbers(folder, 5, 6)


def test_lines_may_lead_anywhere_and_some_of_them_nowhere(folder: Path, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    lines = [
        "../faces/01.jpg",
        f"{folder}/02.jpg",
        "",
        "../faces/gone.jpg",
        "../faces/../faces/01.jpg",
    ]
    (lists / "train.txt").write_text("\n".join(lines))
    files = ImageFiles(lists / "train.txt")
    assert list(files.names) == [b"01.jpg", b"02.jpg"]
    assert files.read(1) == jpeg(2)
    assert files.root == folder
    assert "1 file left out whose name comes again" in files.left_out
    assert "(gone.jpg: there is no such file)" in files.left_out


def test_a_text_that_lists_nothing_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image_id smiling\n000001.jpg 1\n")
    with pytest.raises(
        DatasetError, match=r"no line is the path of a file. The first is .*image_id"
    ):
        Dataset(tmp_path / "labels.csv")
