# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan attributes` on the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.commands import only_error
from support.faces import need_dlib_files

import ffgan
from ffgan.cli import program as cli


def run(*arguments: object) -> int:
    return cli.main(["attributes", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two faces and a picture without one."""
    need_dlib_files()
    folder = tmp_path_factory.mktemp("faces")
    for number, image in enumerate(ffgan.generate(2, seed=3, tries=1)):
        cv2.imwrite(str(folder / f"{number}.png"), image[:, :, ::-1])
    cv2.imwrite(str(folder / "nobody.png"), np.full((100, 100, 3), 90, np.uint8))
    return folder


def test_a_folder_is_summed_up_and_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "faces.csv"
    assert run(folder, "--names", "yaw, hair", "--out", out, "--fast") == 0
    printed, told = capsys.readouterr()
    assert "2 faces" in printed and "Turned (degrees)" in printed and "Smile" not in printed
    assert f"{folder}/nobody.png: no face was found" in told
    assert "2 faces in 3 pictures: 1 without a face, 0 broken" in told
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["image"] for row in rows] == [f"{folder}/0.png", f"{folder}/1.png"]
    assert all(abs(float(row["yaw"])) < 60 and row["hair"] for row in rows)


def test_a_model_stands_beside_pictures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--names", "brightness", "--model", "--samples", 3, "--json")
    assert run(folder, *options) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [one["faces"] for one in figures.values()] == [2, 3]
    assert list(figures) == [str(folder), "packaged model"]


def test_nothing_measured_is_an_exit_status(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder / "nobody.png", "--names", "yaw") == 2
    assert "0 faces in 1 picture: 1 without a face" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give pictures or folders, or --model"),
        (("x", "--names", "smlie"), "unknown attribute 'smlie'; did you mean 'smile'?"),
        (("x", "--names", ","), "give attributes, such as --names age,smile"),
        (("x", "--out", "t.xlsx"), "give a file that ends in .csv"),
        (("--beside", "x", "--model"), "give the first set too"),
    ],
)
def test_bad_input_is_one_line_with_the_way_out(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert told in only_error(capsys)


def test_a_place_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("no such picture", "--out", tmp_path / "nowhere" / "t.csv") == 1
    told = only_error(capsys)
    assert "cannot write" in told and "No such file" in told


def test_sets_of_one_name_are_both_there(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("packaged model").symlink_to(folder)
    options = ("--names", "brightness", "--beside", "packaged model", "--model", "--samples", 1)
    assert run("packaged model", *options, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    titles = ["packaged model", "packaged model again", "packaged model again again"]
    assert list(figures) == titles
    assert [one["faces"] for one in figures.values()] == [2, 2, 1]
