# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of free faces: what is in them, and that their bytes follow from the settings alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.labelled_folder import rows

from ffgan import _core, images, synthesis
from ffgan.attributes import measure
from ffgan.errors import UsageError
from ffgan.model import Model
from ffgan.synthesis.engines import local
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import shards, splits

Content = Callable[[Path], dict[str, bytes]]

SMALL: dict[str, Any] = {
    "count": 20,
    "seed": 5,
    "shard_size": 6,
    "attributes": ["brightness", "background"],
    "latent": "float16",
    "split": [("train", 0.7), ("test", 0.3)],
}
FORMATS = (
    "folder",
    pytest.param("npy", marks=pytest.mark.slow),
    pytest.param("webdataset", marks=pytest.mark.slow),
    pytest.param("parquet", marks=pytest.mark.slow),
    pytest.param("tfrecord", marks=pytest.mark.slow),
)


@pytest.fixture(scope="module")
def whole(packaged: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "set"
    made = synthesis.make(out, model=packaged, encoding="png", **SMALL)
    assert (made.pictures, made.made, made.shards, made.draws) == (20, 20, 4, 20)
    return out


def test_pictures_are_the_faces_of_their_seeds_and_labels_are_theirs(
    whole: Path, packaged: Model
) -> None:
    found = rows(whole)
    assert [row["index"] for row in found] == list(range(20))
    assert [row["seed"] for row in found] == list(range(5, 25))
    faces = list(packaged.faces(20, 5))
    table = measure(np.stack([face.image for face in faces]), ["brightness", "background"])
    for row, face, measured in zip(found, faces, table, strict=True):
        np.testing.assert_array_equal(images.decode(row["path"].read_bytes()), face.image)
        assert row["tries"] == face.tries
        assert row["score"] == pytest.approx(face.score, rel=1e-4)
        assert row["brightness"] == pytest.approx(float(measured["brightness"]), rel=1e-4)
        assert (row["identity"], row["image_index"]) == (row["index"], 0)
        latent = np.array(row["latent"], np.float16)
        np.testing.assert_array_equal(latent, face.latent.astype(np.float16))
    # What `train` leaves out, since it is our own.
    assert images.made_by_ffgan(found[3]["path"].read_bytes())


def test_no_name_is_a_word_but_those_of_splits(whole: Path) -> None:
    """Readers guess from words, and webdataset splits names at their first dot."""
    for row in rows(whole):
        assert row["path"].stem.isdigit()
        assert row["path"].parent.name.isdigit()
        assert row["path"].parents[1].name == ("train" if row["index"] < 14 else "test")


def test_sha256sum_reads_the_sums(whole: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=whole, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.count(": OK\n")) == (0, 24)


def test_the_card_counts_and_tells_how_it_was_made(whole: Path, packaged: Model) -> None:
    text = (whole / "README.md").read_text()
    assert "| train | 14 | 14 | 3 |\n| test | 6 | 6 | 1 |" in text
    assert "24 files, " in text and "20 faces were drawn, and all were taken." in text
    assert packaged.hash in text and images.encoder() in text
    assert "license: cc-by-nc-sa-4.0" in text and "- split: train\n    path: train/**" in text
    bars = text.partition("Brightness\n")[2].partition("\n\n")[0].splitlines()
    assert sum(int(bar.split("#")[0].split()[-1]) for bar in bars) == 20


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_do_not_depend_on_threads_order_or_a_stop(
    format: Any, packaged: Model, tmp_path: Path, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    if format == "tfrecord":
        pytest.importorskip("google_crc32c", reason="TFRecord needs google-crc32c")
    once, again = tmp_path / "once", tmp_path / "again"
    synthesis.make(once, model=packaged, format=format, **SMALL)

    class Stop(Exception):
        pass

    forwards = local.run

    def backwards(job: Any, missing: Any, tell: Any, cluster: Any) -> Any:
        for number, record in enumerate(forwards(job, missing[::-1], tell, cluster)):
            if number == 2:
                raise Stop
            yield record

    threads = _core.engine()["threads"]
    _core.set_threads(1)
    try:
        with monkeypatch.context() as patch, pytest.raises(Stop):
            patch.setattr(local, "run", backwards)
            synthesis.make(again, model=packaged, format=format, **SMALL)
        assert not (again / "README.md").exists()  # which says that a set is whole
        told: list[tuple[int, int]] = []
        made = synthesis.make(
            again,
            model=packaged,
            format=format,
            progress=lambda what, done, total: told.append((done, total)),
            **SMALL,
        )
    finally:
        _core.set_threads(threads)
    assert made.made < 20
    assert told[-1] == (20, 20)
    assert content(again) == content(once)


@pytest.mark.parametrize("format", ["folder", "npy"])
def test_what_somebody_removed_or_broke_is_made_again(
    format: Any, packaged: Model, tmp_path: Path, content: Content
) -> None:
    out = tmp_path / "set"
    how: Any = {**SMALL, "model": packaged, "format": format}
    synthesis.make(out, **how)
    before = content(out)
    assert synthesis.make(out, **how).made == 0
    assert content(out) == before
    if format == "folder":
        (out / "train" / "00001" / "000000007.jpg").write_bytes(b"")
        (out / "train" / ".00002.tmp").mkdir()  # of a killed process
        (out / ".ffgan" / "shards" / "test-00000.json").write_text("{")
        again = 12
    else:
        (out / "test-images.npy").unlink()
        again = 6
    (out / ".ffgan-0.tmp").write_bytes(b"x")
    assert synthesis.make(out, **how).made == again
    assert content(out) == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": 21}, "(count 20, not 21)"),
        ({"seed": 6}, "(seed 5, not 6)"),
        ({"encoding": "jpg"}, "(encoding png, not jpg)"),
        ({"attributes": "none"}, "(attributes ['brightness', 'background'], not [])"),
        ({"where": "brightness > 3"}, "(where None, not brightness > 3)"),
        ({"split": [("train", 1.0)]}, "(split {'train': 0.7, 'test': 0.3}, not {'train': 1.0})"),
    ],
)
def test_other_settings_are_refused(
    changed: Any, said: str, whole: Path, packaged: Model, content: Content
) -> None:
    before = content(whole)
    with pytest.raises(UsageError) as error:
        synthesis.make(whole, model=packaged, **{**SMALL, "encoding": "png", **changed})
    assert said in str(error.value)
    assert content(whole) == before


def test_a_folder_of_something_else_stays_as_it_is(packaged: Model, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="is not empty, and holds no data set"):
        synthesis.make(tmp_path, model=packaged, **SMALL)
    with pytest.raises(UsageError, match="not a folder"):
        synthesis.make(tmp_path / "mine.txt", model=packaged, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_pixels_of_a_memory_map_are_those_of_the_faces(packaged: Model, tmp_path: Path) -> None:
    synthesis.make(tmp_path, 5, model=packaged, format="npy", shard_size=2, attributes="none")
    pixels = np.load(tmp_path / "train-images.npy", mmap_mode="r")
    np.testing.assert_array_equal(pixels, packaged.generate(5, 0))
    labels = np.load(tmp_path / "train-labels.npy")
    assert labels["seed"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 9, 10, 1_000_003])
@pytest.mark.parametrize("each", [1, 3])
def test_shards_and_splits_are_parts_of_the_set(count: int, each: int) -> None:
    settings = Settings(
        count * each,
        images=each if each > 1 else 0,
        shard_size=1000,
        split=(("a", 0.7), ("b", 0.2), ("c", 0.1)),
    )
    parts = splits(settings)
    assert [one.stop for one in parts.values()] == [
        *[one.start for one in parts.values()][1:],
        count * each,
    ]
    assert all(one.start % each == 0 for one in parts.values())
    assert len(parts["a"]) == pytest.approx(0.7 * count * each, abs=each)
    at = 0
    for shard in shards(settings):
        assert (shard.first, shard.count % each) == (at, 0)
        assert shard.first in parts[shard.split] and 0 < shard.count <= 1000
        at += shard.count
    assert at == count * each


def test_names_of_very_many_shards_sort_as_their_numbers_do() -> None:
    few, many = (shards(Settings(count, shard_size=5)) for count in (10, 600_000))
    assert [one.name for one in few] == ["train-00000", "train-00001"]
    names = [one.name for one in many]
    assert (names[0], names[-1]) == ("train-000000", "train-119999")
    assert names == sorted(names)
