# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan evaluate` on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.evaluation import patches, remembered, without

from ffgan.cli import program as cli
from ffgan.features.efficientnet import LITE0

COUNT = 48


@pytest.fixture(autouse=True)
def fewer_patches(networks: None) -> Iterator[None]:
    with patches(), remembered():
        yield


def run(*arguments: object) -> int:
    return cli.main(["evaluate", *map(str, arguments)])


def test_the_command_prints_a_table_and_json(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--real", folder, "--samples", 20, "--features", "faces")
    assert run(*options) == 0
    table = capsys.readouterr().out
    assert run(*options, "--json") == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert err == ""
    assert f"{result['frechet_distance']:.2f}" in table
    assert "20 first draws of seeds 0 to 19" in table
    assert f"20 of {COUNT} images in {folder} (crop, 0 broken)" in table
    assert "dlib's face recognition network" in table
    (caution,) = result["cautions"]
    assert caution.startswith("20 images are few: the Frechet and the sliced Wasserstein distance")
    assert table.splitlines()[-1] == f"caution: {caution}"


def test_bad_input_is_one_line_with_the_way_out(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "face.png").write_bytes(next(folder.glob("*.png")).read_bytes())
    cases = [
        ((), "required: --real"),
        (("--real", tmp_path / "nowhere"), "no such folder"),
        (("--real", tmp_path / "empty"), "no image in"),
        (("--real", tmp_path / "one"), "has 1 images that can be read, too few"),
        (("--real", folder, "--model", tmp_path / "m.safetensors"), "does not exist"),
        (("--real", folder, "--samples", 3), "must be from 16"),
        (("--real", folder, "--recognition", tmp_path / "r.dat"), "no such file"),
    ]
    for options, message in cases:
        assert run(*options) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("ffgan: error: ")
        assert err.count("\n") == 1
        assert message in err
    for package in (LITE0.package, "face_recognition_models"):
        with without(package):
            assert run("--real", folder) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "pip install 'ffgan[" in err
