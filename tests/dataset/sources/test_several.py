# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards as one data set: by a folder, by a pattern, as WebDataset writes them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from support.archives import files_below, tarred, zipped
from support.training_images import SMALL, jpeg, number_of, numbers

from ffgan.dataset import Dataset, ImageFiles
from ffgan.errors import DatasetError, UnavailableError
from ffgan.locations import files as location_files


@pytest.fixture
def shards(folder: Path, tmp_path: Path) -> Path:
    """The twelve images in four shards of WebDataset, with labels."""
    webdataset = pytest.importorskip("webdataset")
    (tmp_path / "shards").mkdir()
    for shard in range(4):
        with webdataset.TarWriter(str(tmp_path / "shards" / f"faces-{shard:03}.tar")) as writer:
            for number in range(3 * shard, 3 * shard + 3):
                writer.write(
                    {
                        "__key__": f"{number:02}",
                        "jpg": (folder / f"{number:02}.jpg").read_bytes(),
                        "json": {"age": number},
                        "cls": number,
                    }
                )
    return tmp_path / "shards"


@pytest.mark.slow  # webdataset takes seconds to import
@pytest.mark.parametrize("given", ["", "/faces-{000..003}.tar", "/faces-*.tar"])
def test_shards_of_webdataset_are_the_folder_of_their_images(
    folder: Path, shards: Path, given: str
) -> None:
    data = Dataset(f"{shards}{given}")
    assert data.hash == Dataset(folder).hash
    assert "24 other files ignored: 24 text" in data.found
    assert numbers(Path(f"{shards}{given}"), 5, 6) == numbers(folder, 5, 6)
    assert data.read(7) == (folder / "07.jpg").read_bytes()


@pytest.mark.parametrize("given", ["", "/{a,b}.tar", "/*.tar"])
def test_shards_are_the_folder_of_their_images(folder: Path, tmp_path: Path, given: str) -> None:
    files = list(files_below(folder))
    (tmp_path / "shards").mkdir()
    tarred(tmp_path / "shards" / "a.tar", files[1::2])
    tarred(tmp_path / "shards" / "b.tar", [*files[::2], ("00.json", b"{}")])
    place = Path(f"{tmp_path / 'shards'}{given}")
    assert Dataset(place).hash == Dataset(folder).hash
    assert numbers(place, 5, 6) == numbers(folder, 5, 6)


def test_names_that_come_in_several_shards_begin_with_their_shard(tmp_path: Path) -> None:
    for shard in range(2):
        tarred(tmp_path / f"s{shard}.tar", [("0.jpg", jpeg(shard)), ("1.jpg", jpeg(shard + 10))])
    files = ImageFiles(tmp_path)
    assert list(files.names) == [b"s0/0.jpg", b"s0/1.jpg", b"s1/0.jpg", b"s1/1.jpg"]
    assert [files.read(k) for k in range(4)] == [jpeg(0), jpeg(10), jpeg(1), jpeg(11)]


def test_the_folder_that_parts_have_in_common_is_left_out(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", [("faces/0.jpg", jpeg(0)), ("faces/a/1.jpg", jpeg(1))])
    zipped(tmp_path / "b.zip", [("faces/2.jpg", jpeg(2))])
    assert list(ImageFiles(tmp_path).names) == [b"0.jpg", b"2.jpg", b"a/1.jpg"]
    zipped(tmp_path / "b.zip", [("more/2.jpg", jpeg(2))])
    assert list(ImageFiles(tmp_path).names) == [b"faces/0.jpg", b"faces/a/1.jpg", b"more/2.jpg"]


def test_archives_beside_images_are_ignored(folder: Path, tmp_path: Path) -> None:
    zipped(folder / "more.zip", [("x.jpg", jpeg())])
    files = ImageFiles(folder)
    assert len(files) == 12
    assert files.left_out == "1 other file ignored: 1 archive"


def test_a_bad_shard_and_one_that_is_missing_are_named(folder: Path, tmp_path: Path) -> None:
    tarred(tmp_path / "s0.tar", files_below(folder))
    with pytest.raises(UnavailableError, match=r"cannot read .*s1\.tar: No such file"):
        Dataset(tmp_path / "s{0..1}.tar")
    (tmp_path / "s1.tar").write_bytes((tmp_path / "s0.tar").read_bytes()[:9_000])
    with pytest.raises(DatasetError, match=r"s1\.tar is no whole tar archive: it is cut off"):
        Dataset(tmp_path / "s{0..1}.tar")
    with pytest.raises(DatasetError, match=r"no such folder or file: .*nothing-"):
        Dataset(tmp_path / "nothing-*.tar")


def test_more_shards_than_files_can_be_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(location_files, "MOST_OPEN", 3)
    for shard in range(20):
        zipped(tmp_path / f"{shard:02}.zip", [(f"{shard:02}.jpg", jpeg(shard))])
    data = Dataset(tmp_path, size=SMALL)
    assert [number_of(data.image(k)) for k in range(20)] == list(range(20))
    assert len(opened_below(tmp_path)) <= 4


def opened_below(folder: Path) -> list[Path]:
    """The files of a folder that this process has open."""
    paths = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            paths.append(link.readlink())
    return [path for path in paths if path.is_relative_to(folder)]
