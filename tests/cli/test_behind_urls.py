# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that read pictures, on a real S3 server: what they write is as from a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.archives import files_below, tarred
from support.commands import ffgan_command
from support.object_storage import upload
from support.photographs import jpeg, photograph
from support.s3 import BUCKET, Server, serving
from support.training import checkpoints

import ffgan
from ffgan import cli

URL = f"s3://{BUCKET}"

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``photos``, sixteen photographs with a face each, ``others`` and an archive of the first."""
    folder = tmp_path_factory.mktemp("folder")
    for number, face in enumerate(ffgan.generate(32, seed=500)):
        path = folder / ("photos", "others")[number % 2] / str(number % 3) / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(photograph(face)))
    tarred(folder / "photos.tar", files_below(folder / "photos"))
    return folder


@pytest.fixture(scope="module")
def s3(folder: Path) -> Iterator[Server]:
    """The same below `URL`."""
    for server in serving():
        for name in ("photos", "others"):
            upload(server.client, folder / name, name)
        archive = (folder / "photos.tar").read_bytes()
        server.client.put_object(Bucket=BUCKET, Key="photos.tar", Body=archive)
        yield server


def told(cwd: Path, *arguments: str) -> str:
    """What a command prints."""
    done = ffgan_command(*arguments, cwd=cwd)
    assert done.returncode in (0, 3), done.stderr  # 3: an audit that finds copies
    return done.stdout


def each(folder: Path, cwd: Path, *arguments: str) -> list[str]:
    """What a command prints about PHOTOS in the folder, behind the URL, and in the archive there.

    OTHERS are the other ones; OUT becomes ``here``, ``there`` and ``archive``.
    """
    said = []
    for out, place, others in (
        ("here", f"{folder}/photos", f"{folder}/others"),
        ("there", f"{URL}/photos", f"{URL}/others"),
        ("archive", f"{URL}/photos.tar", f"{URL}/others"),
    ):
        words = {"PHOTOS": place, "OTHERS": others, "OUT": out}
        text = told(cwd, *(_replaced(word, words) for word in arguments))
        said.append(_replaced(text, {place: "PHOTOS", others: "OTHERS"}))
    return said


def _replaced(text: str, words: dict[str, str]) -> str:
    for word, by in words.items():
        text = text.replace(word, by)
    return text


@slow
def test_faces_are_extracted(folder: Path, s3: Server, tmp_path: Path) -> None:
    each(folder, tmp_path, "extract", "PHOTOS", "OUT")
    here, there, archive = (dict(faces(tmp_path / out)) for out in ("here", "there", "archive"))
    assert len(here) == 16 + 1  # the manifest
    assert there == archive == here
    again = told(tmp_path, "extract", f"{URL}/photos", "there")
    assert "16 were processed by an earlier run" in again


def faces(out: Path) -> Iterator[tuple[str, bytes]]:
    for name, content in files_below(out):
        if name.endswith((".jpg", ".csv")):
            yield name, content


@slow
def test_attributes_are_measured(folder: Path, s3: Server, tmp_path: Path) -> None:
    names = ("--names", "age,gender,yaw,brightness")
    arguments = ("PHOTOS", "--beside", "OTHERS", *names, "--out", "OUT.csv", "--json")
    assert len(set(each(folder, tmp_path, "attributes", *arguments))) == 1
    here = (tmp_path / "here.csv").read_text().replace(f"{folder}/photos", "PHOTOS")
    assert len(here.splitlines()) == 16 + 1
    assert (tmp_path / "there.csv").read_text().replace(f"{URL}/photos", "PHOTOS") == here
    assert (tmp_path / "archive.csv").read_text().replace(f"{URL}/photos.tar", "PHOTOS") == here


@slow
def test_a_single_picture_is_measured(folder: Path, s3: Server, tmp_path: Path) -> None:
    picture, names = "photos/0/00.jpg", ("--names", "brightness,glasses", "--json")
    here = told(tmp_path, "attributes", f"{folder}/{picture}", *names)
    there = told(tmp_path, "attributes", f"{URL}/{picture}", *names)
    assert there.replace(URL, str(folder)) == here


@slow
def test_pictures_are_packed(folder: Path, s3: Server, tmp_path: Path) -> None:
    each(folder, tmp_path, "pack", "PHOTOS", "OUT.pack")
    here = (tmp_path / "here.pack").read_bytes()
    assert (tmp_path / "there.pack").read_bytes() == here
    assert (tmp_path / "archive.pack").read_bytes() == here


@slow
def test_a_model_is_evaluated_beside_them(folder: Path, s3: Server, tmp_path: Path) -> None:
    options = ("--samples", "16", "--features", "faces", "--json", "--cache", "real.cache")
    here, there, archive = map(
        figures, each(folder, tmp_path, "evaluate", "--real", "PHOTOS", *options)
    )
    assert there == archive == here


@slow
def test_a_model_is_audited_beside_them(folder: Path, s3: Server, tmp_path: Path) -> None:
    options = ("--heldout", "OTHERS", "--samples", "16", "--json")
    here, there, archive = map(
        figures, each(folder, tmp_path, "audit", "--train", "PHOTOS", *options)
    )
    assert there == archive == here


def figures(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


@slow
def test_a_model_is_trained_on_them(
    folder: Path, s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = ("--recipe", "original", "--batch", "4", "--no-window", "--threads", "1")
    each(folder, tmp_path, "train", "PHOTOS", "--name", "OUT", *how, "--steps", "2")
    monkeypatch.chdir(tmp_path)
    here = checkpoints("here")
    assert here
    assert checkpoints("there") == checkpoints("archive") == here
    # A run that was begun with the folder goes on behind the URL.
    told(tmp_path, "train", f"{URL}/photos", "--name", "here", *how, "--steps", "3")
    assert checkpoints("here") != here


@pytest.mark.parametrize(
    "arguments",
    [
        ("extract", "photos", f"{URL}/out"),
        ("gen", "1", "--out", f"{URL}/out"),
        ("pack", "photos", f"{URL}/photos.pack"),
        ("evaluate", "--real", "photos", "--cache", f"{URL}/cache"),
        ("train", "photos", "--runs", f"{URL}/runs"),
    ],
)
def test_what_writes_here_makes_no_folder_of_a_url(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main([*arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "on this machine" in line
    assert URL in line
    assert not list(tmp_path.iterdir())
