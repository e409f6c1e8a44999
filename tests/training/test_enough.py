# SPDX-License-Identifier: GPL-3.0-or-later
"""Too few images for what a run is to do are named before any of it is done, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.training import SHORT, WARM, make_images

from ffgan.errors import DatasetError
from ffgan.training import dry_run, train
from ffgan.training.enough import FEW, warning


@pytest.mark.parametrize(
    ("count", "settings", "message", "way_out"),
    [
        (50, WARM, "50 images are too few for --warm-start, which needs 51: ", "warm_start"),
        (100, {**WARM, "flip": False}, "100 images are too few for --warm-start", "warm_start"),
        (90, {**WARM, "identity_codes": 4}, "for --identity-codes, which needs 102", None),
    ],
)
def test_the_way_out_is_named_before_the_work_and_works(
    small, tmp_path, monkeypatch, count, settings, message, way_out
) -> None:
    folder = make_images(tmp_path / "few", count)
    from ffgan.dataset import Dataset

    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "image", None)  # no image is looked at
        for function in (train, dry_run):
            with pytest.raises(DatasetError, match=message) as error:
                function(folder, **settings, init="scratch")
    assert not Path("runs").exists()
    option = str(error.value).partition("or use ")[2]
    name, _, value = option.removeprefix("--").replace("-", "_").rpartition(" ")
    assert way_out in (name, None)
    changed = {**settings, name: int(value)}
    if name == "warm_start":
        changed["anchor_weight"] = 0.0
    train(folder, **changed, init="scratch")


def test_flipped_images_are_enough_for_components(small, tmp_path) -> None:
    train(make_images(tmp_path / "few", 51), **WARM, init="scratch")


def test_an_anchor_without_components_names_the_anchor(small, tmp_path) -> None:
    folder = make_images(tmp_path / "few", 20)
    train(folder, **{**SHORT, "steps": 1})
    with pytest.raises(DatasetError, match=r"for --anchor-weight, .* use --anchor-weight 0$"):
        train(folder, steps=2, anchor_weight=1.0)
    train(folder, steps=2, anchor_weight=0.0)


def test_a_model_of_few_faces_is_told_to_give_back_those(small, faces, caplog) -> None:
    train(faces, **{**SHORT, "steps": 1})
    assert "130 images are few: below some 500 a model gives back little but" in caplog.text
    assert "130 images are few" in dry_run(faces, **SHORT, name="other")
    assert warning(FEW) == ""
