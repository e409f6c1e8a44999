# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of training images that come from a file: read, and used in a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.training import IMAGES, SHORT, SmallTrainer, checkpoints

from ffgan.dataset import Dataset
from ffgan.errors import DatasetError, UsageError
from ffgan.training import dry_run, image_weights, train


def saved(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


# --- The file ---


@pytest.mark.parametrize("first", ["", "\ufeff"])
def test_weights_come_in_the_order_of_the_images(tmp_path: Path, first: str) -> None:
    text = f'{first}image,age,weight\na.jpg,3,0.5\n"b, c.jpg",4,2e1\nd.jpg,,0\n'
    found = image_weights.read(saved(tmp_path / "w.csv", text), [b"d.jpg", b"b, c.jpg"])
    assert found.dtype == np.float64 and found.tolist() == [0, 20]


def test_names_that_are_no_utf8_are_found(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_bytes(b"image,weight\n\xff.jpg,3\n")
    assert image_weights.read(str(tmp_path / "w.csv"), [b"\xff.jpg"]).tolist() == [3]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", r"w.csv is not a table \(CSV\) with the columns image and weight"),
        ("name,weight\na.jpg,1\n", r"w.csv is not a table \(CSV\) with the columns image and we"),
        ("image,weight\na.jpg,-1\n", r"w.csv has the weight '-1' of a.jpg: give a number from 0"),
        ("image,weight\na.jpg,nan\n", "w.csv has the weight 'nan' of a.jpg: give a number from 0"),
        ("image,weight\na.jpg,inf\n", "w.csv has the weight 'inf' of a.jpg"),
        ("image,weight\na.jpg,much\n", "w.csv has the weight 'much' of a.jpg"),
        ("image,weight\na.jpg\n", "w.csv has the weight None of a.jpg"),
        ("image,weight\na.jpg,0\n", "w.csv has the weight 0 of all images: give some of them"),
        ("image,weight\na.jpg,1\na.jpg,2\n", "w.csv has a name twice: each image has one weight"),
        (f"image,weight\n{'a' * 200_000},1\n", r"w.csv is not a table \(CSV\).*: field larger"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(UsageError, match=f"--image-weights .*{line}"):
        image_weights.read(saved(tmp_path / "w.csv", text), [b"a.jpg"])


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read --image-weights .*none.csv: No such file"):
        image_weights.read(str(tmp_path / "none.csv"), [b"a.jpg"])


# --- In a run ---


def weighted(faces: Path, weight_of_first: float) -> str:
    """A table in which the first ten images have this weight, the others 1."""
    names = sorted(path.name for path in faces.iterdir())
    lines = [f"{name},{weight_of_first if k < 10 else 1}" for k, name in enumerate(names)]
    return saved(Path("weights.csv"), "\n".join(["image,weight", *lines, "other.jpg,1"]))


def shown(calls: list[dict[str, object]], faces: Path) -> Counter[int]:
    with Dataset(faces) as dataset:
        known = {dataset.image(index).tobytes(): index for index in range(len(dataset))}
    return Counter(known[x.tobytes()] for call in calls for x in call["real"])  # type: ignore[attr-defined]


def test_images_come_by_their_weights(small: type[SmallTrainer], faces: Path) -> None:
    train(faces, **{**SHORT, "steps": IMAGES // 4}, image_weights=weighted(faces, 12))
    found = shown(small.calls, faces)
    assert sum(found[k] for k in range(10)) == pytest.approx(IMAGES * 120 / 240, abs=4)
    assert set(found.values()) <= {1, *range(5, 9)}


def test_they_can_be_given_and_changed_when_a_run_is_resumed(
    small: type[SmallTrainer], faces: Path
) -> None:
    train(faces, **SHORT)
    del small.calls[:]
    train(faces, name="faces", steps=10, image_weights=weighted(faces, 0))
    assert not set(shown(small.calls, faces)) & set(range(10))


def test_a_resumed_run_goes_on_with_the_same_bytes(small: type[SmallTrainer], faces: Path) -> None:
    chosen = {**SHORT, "image_weights": weighted(faces, 5)}
    train(faces, **chosen, name="whole")
    train(faces, **{**chosen, "steps": 4}, name="parts")
    train(faces, steps=8, name="parts")
    name = "step-00000008.safetensors"
    assert checkpoints("parts")[name] == checkpoints("whole")[name]


def test_images_without_a_weight_are_named_before_a_run(
    small: type[SmallTrainer], faces: Path, tmp_path: Path
) -> None:
    table = saved(tmp_path / "less.csv", "image,weight\nother.jpg,1\n")
    for start in (train, dry_run):
        with pytest.raises(DatasetError, match=f"less.csv lacks {IMAGES} of {IMAGES} images, such"):
            start(faces, **SHORT, image_weights=table)
    assert not Path("runs").exists()
