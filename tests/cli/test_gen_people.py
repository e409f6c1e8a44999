# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan gen --identities`: the files of people, their manifest, and a second run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import only_error

from ffgan import cli, images
from ffgan.attributes.recognition import embeddings
from ffgan.model import Model

GEN = ["gen", "--identities", "2", "--images", "3", "--seed", "11"]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("set") / "people"
    assert cli.main([*GEN, "--out", str(out)]) == 0
    return out


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_manifest_tells_what_the_pictures_are(people: Path) -> None:
    rows = manifest(people)
    assert [(row["identity"], row["image"]) for row in rows] == [
        (person, image) for person in (1, 2) for image in (1, 2, 3)
    ]
    assert sorted(row["file"] for row in rows) == sorted(
        str(path.relative_to(people)) for path in people.glob("person-*/*")
    )
    model = Model.load()
    codes = []
    for row in rows:
        image = images.decode((people / row["file"]).read_bytes())
        np.testing.assert_array_equal(model.render(np.array([row["latent"]], np.float32))[0], image)
        said = images.read_metadata(people / row["file"])
        assert (said["software"], said["model"]) == ("ffgan", model.hash)
        assert said["identity"] == str(row["identity"])
        codes.append(embeddings(image[None])[0])
        assert {"age", "male", "yaw", "smile"} <= set(row["attributes"])
    apart = np.linalg.norm(np.stack(codes)[:, None] - np.stack(codes), axis=-1)
    for begin in (0, 3):
        own = apart[begin : begin + 3, begin : begin + 3]
        assert own.max() < 0.6
        assert own[np.triu_indices(3, 1)].min() > 0.1  # other pictures, not the same again
        measured = [row["distance"] for row in rows[begin : begin + 3]]
        assert measured == pytest.approx(own[0].tolist(), abs=1e-3)
    assert apart[0, 3] > 0.6
    own_face = np.array(rows[3]["latent"], np.float32)
    np.testing.assert_array_equal(model.face(rows[3]["seed"]).latent, own_face)


def test_a_second_run_makes_what_is_missing(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = content(people)
    copy = tmp_path / "copy"
    shutil.copytree(people, copy)
    # As after a power cut, and after somebody tidied up.
    (copy / "person-0001" / "0002.png").unlink()
    (copy / "person-0002" / "0003.png").unlink()
    with (copy / "manifest.jsonl").open("rb+") as file:
        file.truncate(len(whole["manifest.jsonl"]) - 700)
    without_seed = ["gen", "--identities", "2", "--images", "3", "--out", str(copy)]
    assert cli.main(without_seed) == 0
    assert content(copy) == whole
    assert capsys.readouterr().out.startswith("2 people, 4 pictures made, ")
    assert cli.main(without_seed) == 0
    assert capsys.readouterr().out.startswith("2 people, 0 pictures made, ")
    assert content(copy) == whole


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--seed", "12"], "(seed 11, not 12)"),
        (["--images", "4"], "(images 3, not 4)"),
        (["--min-distance", "0.7"], "(min_distance 0.6, not 0.7)"),
        (["--set", "age=30"], "(set [], not ['age=30'])"),
        (["--format", "jpg"], "(format png, not jpg)"),
        (["--truncation", "0.5"], "(truncation 1, not 0.5)"),
    ],
)
def test_a_folder_with_other_people_stays_as_it_is(
    options: list[str], named: str, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(people)
    assert cli.main([*GEN, "--out", str(people), *options]) == 2
    assert named in only_error(capsys)
    assert content(people) == before


def test_a_damaged_settings_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("{", "[]", "[" * 100_000):
        (tmp_path / "settings.json").write_text(text)
        assert cli.main([*GEN, "--out", str(tmp_path)]) == 2
        assert "settings.json is damaged: give another --out" in only_error(capsys)


def test_what_cannot_be_measured_is_null_in_the_manifest(tmp_path: Path) -> None:
    command = ["gen", "--identities", "1", "--images", "1", "--seed", "129"]
    assert cli.main([*command, "--out", str(tmp_path)]) == 0
    text = (tmp_path / "manifest.jsonl").read_text()
    row = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert row["attributes"]["hair_lightness"] is None  # its hair is not found


@pytest.mark.parametrize("damage", ["[" * 100_000, '{"latent": [1' + "0" * 400 + "]}"])
def test_a_damaged_manifest_is_made_again(people: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(people, copy)
    first, *_ = (people / "manifest.jsonl").read_text().splitlines()
    (copy / "manifest.jsonl").write_text(f"{first}\n{damage}\n")
    assert cli.main([*GEN, "--out", str(copy)]) == 0
    assert content(copy) == content(people)


@pytest.mark.slow
def test_ctrl_c_leaves_a_true_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save = images.save

    def interrupted(path: Path, *rest: Any) -> None:
        if path.name == "0002.png":
            raise KeyboardInterrupt
        save(path, *rest)

    monkeypatch.setattr(images, "save", interrupted)
    assert cli.main([*GEN, "--out", str(tmp_path)]) == 130
    (row,) = manifest(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*.png")] == [row["file"]]
    assert "1 picture written; the same command goes on" in capsys.readouterr().err
