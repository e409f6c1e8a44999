# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command once, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.commands import ffgan_command
from support.server import ready
from support.training import make_images

import ffgan
from ffgan import attributes, images
from ffgan.errors import ExtraError
from ffgan.model import Model
from ffgan.server import Settings, create_app
from ffgan.training.run_folder import RunFolder

pytestmark = pytest.mark.slow


def succeeded(*arguments: str, cwd: Path) -> str:
    result = ffgan_command(*arguments, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_faces_are_generated_also_with_attributes_asked_for() -> None:
    faces = ffgan.generate(3, seed=1)
    assert faces.shape == (3, 162, 162, 3)
    assert len({face.tobytes() for face in faces}) == 3 and faces.std() > 20
    smiling = ffgan.generate(1, seed=1, smile=0.9)
    assert smiling.shape == (1, 162, 162, 3)
    assert not np.array_equal(smiling[0], faces[0])


def test_gen_writes_files(tmp_path: Path) -> None:
    succeeded("gen", "3", "--seed", "7", "--out", "out", cwd=tmp_path)
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == 3
    assert all(images.decode(file.read_bytes()).shape == (162, 162, 3) for file in files)


def test_info_names_the_engine(tmp_path: Path) -> None:
    facts = json.loads(succeeded("info", "--json", cwd=tmp_path))
    assert facts["engine"]["cuda"] == ffgan._core.engine()["cuda"]


def test_attributes_of_faces_are_measured() -> None:
    faces = ffgan.generate(4, seed=3)
    try:
        table = attributes.measure(faces, ["age", "gender", "brightness"])
    except ExtraError as error:
        pytest.skip(str(error))
    assert np.all((table["age"] > 1) & (table["age"] < 80))
    assert set(table["gender"]) <= {"female", "male"}


def test_the_server_serves_a_face() -> None:
    client = ready(create_app(Model.load(), Settings(tries=2)))
    first = client.get("/face.png?seed=5")
    assert first.status_code == 200
    assert images.decode(first.content).shape == (162, 162, 3)
    assert client.get("/face.png?seed=6").content != first.content


@pytest.mark.parametrize("settings", [(), ("--discriminator", "table")], ids=["program", "table"])
def test_training_is_checkpointed_and_resumed(tmp_path: Path, settings: tuple[str, ...]) -> None:
    make_images(tmp_path / "faces", 24)
    first = ("--name", "run", "--batch", "2", "--steps", "2", "--checkpoint-every", "1")
    fresh = ("--recipe", "original", "--init", "scratch", "--log-every", "1", *settings)
    succeeded("train", "faces", *first, *fresh, cwd=tmp_path)
    succeeded("train", "faces", "--name", "run", "--steps", "3", cwd=tmp_path)
    run = RunFolder(tmp_path / "runs" / "run")
    steps = [json.loads(line)["step"] for line in run.log.read_text().splitlines()]
    assert steps == [1, 2, 3]
    model = Model.load(tmp_path / "runs" / "run" / "model.safetensors")
    assert model.render(model.latents(2, 0)).shape == (2, 162, 162, 3)
