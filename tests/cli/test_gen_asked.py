# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan gen` with what is asked of the faces: --set, --change, --hold, --vary, --latent."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.commands import only_error

from ffgan import attributes, cli, images
from ffgan.model import Model


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two faces that something was asked of."""
    out = tmp_path_factory.mktemp("asked")
    options = ["--set", "yaw=10", "--set", "smile=0.3..0.7", "--change", "brightness=+6"]
    assert cli.main(["gen", "2", "--seed", "7", "--no-window", "--out", str(out), *options]) == 0
    return out


def test_faces_have_what_is_asked_and_their_files_say_so(asked: Path) -> None:
    for seed in (7, 8):
        path = asked / f"face-{seed}.png"
        said = images.read_metadata(path)
        image = images.decode(path.read_bytes())
        table = attributes.measure(image[None], ["yaw", "brightness"])
        free = attributes.measure(Model.load().face(seed).image[None], ["brightness"])
        assert said["reached"] == "yes"
        assert table["yaw"][0] == pytest.approx(10, abs=3)
        assert table["brightness"][0] - free["brightness"][0] == pytest.approx(6, abs=4)
        assert said["set"] == "yaw=10; smile=0.3..0.7"
        assert said["change"] == "brightness=+6"
        measured = dict(part.split("=") for part in said["measured"].split("; "))
        assert float(measured["yaw"]) == pytest.approx(float(table["yaw"][0]), abs=0.01)
        assert "yaw=10" in said["asked"].split("; ")


def test_a_face_is_made_again_from_the_latent_in_its_file(asked: Path, tmp_path: Path) -> None:
    picture, again = asked / "face-7.png", tmp_path / "again.png"
    assert cli.main(["gen", "--latent", str(picture), "--no-window", "--out", str(again)]) == 0
    image = images.decode(picture.read_bytes())
    np.testing.assert_array_equal(images.decode(again.read_bytes()), image)
    out = ["--no-window", "--out", str(tmp_path)]
    assert cli.main(["gen", "--latent", str(picture), "--change", "yaw=-15", *out]) == 0
    changed = images.decode((tmp_path / "face-face-7.png").read_bytes())
    yaw = attributes.measure(np.stack([image, changed]), ["yaw"])["yaw"]
    assert yaw[1] - yaw[0] == pytest.approx(-15, abs=3)


def test_what_was_reached_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--set", "smile=0.8", "--hold", "yaw", "--out", str(tmp_path)]
    assert cli.main(["gen", "1", "--seed", "3", "--no-window", *options]) == 0
    face, both, summary = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"face-3.png: smile 0\.\d\d, yaw -?\d+, distance 0\.\d\d", face)
    assert both.startswith("all of 1 face reached what was asked; mean error: smile 0.0")
    assert "yaw" in both and "degrees" in both
    assert summary.startswith("1 face, ")


def test_what_cannot_be_measured_is_told_to_be_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bald.png"  # the hair of this face is not found
    command = ["gen", "1", "--seed", "129", "--change", "hair_lightness=5", "--out", str(file)]
    assert cli.main([*command, "--no-window"]) == 0
    face, summary, made = capsys.readouterr().out.splitlines()
    assert face == "bald.png: hair_lightness unknown, distance 0.00"
    assert summary == "0 of 1 face reached what was asked"
    assert made.startswith("1 face, 1 try, ")


def test_one_attribute_from_end_to_end_is_one_picture(tmp_path: Path) -> None:
    options = ["--vary", "yaw=-12..12", "--steps", "3", "--size", "80", "--out", str(tmp_path)]
    assert cli.main(["gen", "2", "--seed", "5", "--no-window", *options]) == 0
    (path,) = tmp_path.iterdir()
    assert path.name == "faces-5-2-yaw.png"
    said = images.read_metadata(path)
    assert said["vary"] == "yaw=-12,0,12"
    assert (said["seed"], said["count"]) == ("5", "2")
    height, width, _ = images.decode(path.read_bytes()).shape
    assert 3 * 80 < width < 3 * 80 + 40
    assert 2 * 80 < height < 2 * 80 + 3 * 30


@pytest.mark.slow
def test_two_attributes_are_a_picture_for_each_seed(tmp_path: Path) -> None:
    options = ["--vary", "smile=0.2,0.8", "--vary", "brightness=45..60", "--steps", "2"]
    assert cli.main(["gen", "2", "--seed", "5", *options, "--out", str(tmp_path)]) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["face-5-smile-brightness.png", "face-6-smile-brightness.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["1", "--set", "agee=60"], "unknown attribute 'agee'; did you mean 'age'?"),
        (["1", "--set", "age=600"], "age 600 is beyond what this model can do: give "),
        (["1", "--set", "age=60..40"], "the range ends below its start: give 40..60"),
        (["1", "--set", "age"], "'age': give NAME=VALUE"),
        (["1", "--set", "age=30", "--set", "age=40"], "age is given twice"),
        (["1", "--set", "age=30", "--change", "age=4"], "age: give a value or a change, not both"),
        (["1", "--set", "tone=dark", "--set", "skin_tone=3"], "are one measurement"),
        (["1", "--set", "yaw=3", "--hold", "yaw"], "yaw is asked for and to be held"),
        (["1", "--hold", "yaw"], "--hold needs --set, --change or --vary"),
        (["1", "--vary", "agee"], "unknown attribute 'agee'; did you mean 'age'?"),
        (["1", "--vary", "age=40"], "age 40: give a range to vary it in, such as "),
        (["1", "--vary", "age="], "--vary 'age=': give NAME or NAME=LOW..HIGH"),
        (["1", "--vary", "age", "--vary", "age"], "--vary age is given twice"),
        (["1", "--vary", "age", "--set", "age=40"], "age is varied and asked for"),
        (["1", "--vary", "age", "--vary", "yaw", "--vary", "smile"], "one or two attributes"),
        (["900", "--vary", "age", "--steps", "50"], "do not fit into one picture"),
        (["1", "--steps", "3"], "--steps is for --vary"),
        (["1", "--vary", "age", "--grid"], "--grid does not go with --vary"),
        (["--identities", "2", "--out", "me.png"], "me.png: people are written to a folder"),
        (["1", "--images", "3"], "--images is for --identities"),
        (["1", "--identities", "3"], "N does not go with --identities"),
        (["--identities", "3", "--vary", "age"], "--vary does not go with --identities"),
        (["2", "--latent", "me.json"], "--latent is one face, but 2 are asked for"),
        (["--latent", "me.json", "--seed", "3"], "--seed does not go with --latent"),
        (["--latent", "me.json"], "cannot read me.json"),
        ([], "required: N, how many faces"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gen", *options, "--no-window"]) in (1, 2)
    assert message in only_error(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options", [["1", "--set", "age=30"], ["1", "--vary", "age"], ["--identities", "2"]]
)
def test_a_model_without_fitted_attributes_says_how_to_fit(
    options: list[str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--no-window", "--model", model, "--out", str(tmp_path / "out")]
    assert cli.main(["gen", *options, *out]) == 2
    line = only_error(capsys)
    assert "has no fitted attributes" in line
    assert "ffgan fit-attributes" in line
    assert not list(tmp_path.rglob("*.png"))


def test_help_names_all_attributes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["gen", "--help"]) == 0
    _, _, text = capsys.readouterr().out.partition("Attributes: ")
    listed = text.split(".")[0].replace("\n", " ").split(", ")
    assert listed == list(attributes.ATTRIBUTES)
