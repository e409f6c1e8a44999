# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run goes on after it was stopped, and what its model says; with a small trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.training import (
    IMAGES,
    MEASURED,
    SHORT,
    WARM,
    SmallModel,
    checkpoints,
    log,
    make_images,
    stop_at,
)

from ffgan import images
from ffgan.errors import (
    ModelError,
    UsageError,
)
from ffgan.training import Interrupted, Settings, train


def test_the_model_says_what_made_it(small, faces) -> None:
    train(faces, **SHORT, augment="colour,cutout")
    _, metadata = json.loads(Path("runs/faces/model.safetensors").read_text())
    assert metadata["steps"] == "8"
    assert metadata["images_seen"] == "32"
    assert metadata["discriminator"] == "program"
    assert metadata["data"].startswith(f"{IMAGES} images")
    assert json.loads(metadata["settings"])["augment"] == "colour,cutout"
    assert str(faces) not in json.dumps(metadata)


def test_no_path_stands_in_a_published_model(small, off, faces, tmp_path, monkeypatch) -> None:
    """Nor any part of one, whichever setting it is of; see `Settings.published`."""
    private = tmp_path / "private-folder"
    images_of_it = make_images(private / "private-images", 101)
    held_out = make_images(private / "private-heldout", 20)
    for name in ("private.dat", "private.safetensors"):
        (private / name).write_bytes(b"")
    recipe = private / "private-recipe.toml"
    recipe.write_text("dropout = 0.25")
    codes = private / "private-codes.npz"
    names = [path.name for path in images_of_it.iterdir()]
    np.savez(codes, names=names, codes=np.ones((101, 100), np.float32))
    weights = private / "private-weights.csv"
    weights.write_text("\n".join(["image,weight", *(f"{name},1" for name in names)]))

    monkeypatch.setattr("ffgan.model.Model.load", lambda path: SmallModel)
    settings: dict[str, Any] = {
        "runs": private / "private-runs",
        "name": "private-name",
        "init": f"model:{private / 'private.safetensors'}",
        "recipe": recipe,
        "recognition": private / "private.dat",
        "heldout": held_out,
        "cache": private / "private-cache",
        "codes": codes,
        "image_weights": weights,
    }
    paths = {name for name, about in Settings.about().items() if about.path}
    assert paths | {"name", "init", "recipe"} == settings.keys(), "a new path: give it here, too"
    model = train(images_of_it, **{**SHORT, **MEASURED, **settings}, anchor_weight=1.0)
    for path in (model, model.parent / "best.safetensors"):
        published = path.read_text()
        assert '\\"dropout\\": 0.25' in published
        assert "private" not in published
        assert str(tmp_path) not in published


def test_a_model_is_not_published_with_settings_that_are_not_marked(small, faces) -> None:
    train(faces, **SHORT)
    _, metadata = json.loads(Path("runs/faces/model.safetensors").read_text())
    assert json.loads(metadata["settings"]).keys() == set(Settings.names(publish=True))


@pytest.mark.parametrize("settings", [SHORT, WARM], ids=["plain", "warm start and anchor"])
@pytest.mark.parametrize(
    "stop", [1, 4, pytest.param(5, marks=pytest.mark.slow), pytest.param(7, marks=pytest.mark.slow)]
)
def test_a_run_that_was_interrupted_leaves_the_same_bytes(small, faces, settings, stop) -> None:
    train(faces, **settings, name="whole")
    small.during_step = stop_at(stop)
    with pytest.raises(Interrupted):
        train(faces, **settings, name="parts")
    small.during_step = None
    train(faces, name="parts")
    last = f"step-{settings['steps'] + settings.get('warm_start', 0):08d}.safetensors"
    assert checkpoints("parts")[last] == checkpoints("whole")[last]
    whole, parts = (Path("runs", run) for run in ("whole", "parts"))
    assert (whole / "model.safetensors").read_text() == (parts / "model.safetensors").read_text()
    grid = f"samples/{last.replace('safetensors', 'png')}"
    ours, theirs = (images.decode((run / grid).read_bytes()) for run in (whole, parts))
    np.testing.assert_array_equal(ours, theirs)
    steps = [line["step"] for line in log("parts")]
    assert steps == sorted(set(steps))


def test_the_settings_of_the_run_are_kept(small, faces) -> None:
    train(faces, **{**SHORT, "steps": 4}, learning_rate_d=1e-3, augment="colour", seed=5)
    train(faces, steps=8)
    assert len(small.calls) == 8
    config = json.loads(Path("runs/faces/config.json").read_text())["settings"]
    assert (config["batch"], config["augment"], config["seed"]) == (4, "colour", 5)
    assert [line["step"] for line in log("faces")] == [2, 4, 6, 8]


def test_a_learning_rate_may_change_and_the_change_is_recorded(small, faces) -> None:
    train(faces, **{**SHORT, "steps": 4})
    train(faces, steps=8, learning_rate_d=1e-5)
    config = json.loads(Path("runs/faces/config.json").read_text())
    assert config["changes"] == [
        {"step": 4, "settings": {"steps": [4, 8], "learning_rate_d": [2e-4, 1e-5]}}
    ]
    assert "learning_rate_d: 0.0002 to 1e-05" in Path("runs/faces/report.html").read_text()


def test_other_images_are_refused(small, faces, tmp_path) -> None:
    train(faces, **SHORT)
    other = make_images(tmp_path / "other", 20)
    with pytest.raises(UsageError, match=r"does not hold the images .*130 then, 20 now.*--name$"):
        train(other, name="faces")


def test_a_finished_run_is_left_alone(small, faces, caplog) -> None:
    train(faces, **SHORT)
    before = checkpoints("faces")
    train(faces)
    assert len(small.calls) == 8
    assert checkpoints("faces") == before
    assert "8 steps done" in caplog.text


def test_a_damaged_newest_checkpoint_costs_a_line_and_a_few_steps(small, faces, caplog) -> None:
    train(faces, **SHORT)
    whole = checkpoints("faces")
    newest = Path("runs/faces/checkpoints/step-00000008.safetensors")
    newest.write_bytes(newest.read_bytes()[:-10])
    train(faces)
    assert f"{newest} is damaged" in caplog.text
    assert checkpoints("faces") == whole
    assert [line["step"] for line in log("faces")] == [2, 4, 6, 8]


def test_without_a_run_the_packaged_model_is_fine_tuned(small, faces, tmp_path, caplog) -> None:
    (tmp_path / "packaged.safetensors").write_bytes(b"not a model")
    with pytest.raises(ModelError):
        train(faces, **SHORT)
    assert not Path("runs").exists()
    train(faces, **SHORT, init="scratch")
    assert "starting from scratch" in caplog.text


def test_a_named_model_that_is_not_there_is_an_error(small, faces) -> None:
    with pytest.raises(ModelError, match=r"gone\.safetensors does not exist"):
        train(faces, **SHORT, init="model:gone.safetensors")
    assert not Path("runs").exists()
