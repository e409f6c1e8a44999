# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of decoded images: as a cache, and instead of the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.disk import largest_file
from support.training_images import SMALL, jpeg, number_of, numbers

from ffgan.dataset import Dataset, dataset, pack
from ffgan.errors import DatasetError, Error, UnavailableError, UsageError

# --- The cache ---


def rewrite(change: Callable[[bytearray], object]) -> Callable[[Path], None]:
    def apply(file: Path) -> None:
        content = bytearray(file.read_bytes())
        change(content)
        file.write_bytes(content)

    return apply


def test_the_cache_gives_the_same_batches_without_the_files(folder: Path, tmp_path: Path) -> None:
    (folder / "04.jpg").write_bytes(b"broken")
    expected = numbers(folder, 5, 8)
    cache = tmp_path / "faces.cache"
    log = tmp_path / "skipped.log"
    assert numbers(folder, 5, 8, cache=cache, skipped_log=log) == expected
    assert log.read_text().startswith("04.jpg\ttext, not a JPEG")
    for file in folder.iterdir():
        os.truncate(file, file.stat().st_size - 6)
        with file.open("ab") as image:
            image.write(b"broken")
    assert numbers(folder, 5, 8, cache=cache) == expected
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "faces", "faces.cache", "skipped.log",
    ]  # fmt: skip


def test_the_cache_has_the_documented_layout(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "faces.cache"
    data = Dataset(folder, size=SMALL, cache=cache)
    seen: list[tuple[int, int]] = []
    data.build_cache(lambda done, of: seen.append((done, of)))
    assert seen[-1] == (12, 12)
    content = cache.read_bytes()
    assert content.startswith(b"ffgan images\n\x1a\r\0\x02\0\0\0")
    pixels = np.frombuffer(content, np.uint8, 12 * SMALL * SMALL * 3, 4096)
    stored = pixels.reshape(12, SMALL, SMALL, 3)
    assert [number_of(image) for image in stored] == list(range(12))
    names = b"".join(b"%02d.jpg\0" % number for number in range(12))
    assert content.endswith(bytes([1] * 12) + names)
    assert np.array_equal(data.image(3), stored[3])


def test_small_and_broken_images_are_remembered_by_the_cache(folder: Path, tmp_path: Path) -> None:
    (folder / "04.jpg").write_bytes(b"broken")
    cache = tmp_path / "faces.cache"
    Dataset(folder, size=50, cache=cache).build_cache()
    again = Dataset(folder, size=50, cache=cache, skipped_log=tmp_path / "skipped.log")
    assert again.small == 11
    assert again.skipped == 1
    assert "04.jpg\twas broken" in (tmp_path / "skipped.log").read_text()
    with pytest.raises(DatasetError, match=r"04\.jpg: text, not a JPEG"):
        again.image(4)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (rewrite(lambda content: content.__delitem__(slice(-100, None))), "bytes instead of"),
        (rewrite(lambda content: content.extend(b"more")), "bytes instead of"),
        (rewrite(lambda content: content.__setitem__(slice(0, 5), b"other")), "not an ffgan image"),
        (rewrite(lambda content: content.__setitem__(16, 9)), "delete it"),
        (rewrite(lambda content: content.clear()), "not an ffgan image"),
    ],
    ids=["cut", "longer", "foreign", "version", "empty"],
)
def test_a_damaged_or_foreign_cache_is_refused_with_the_way_out(
    folder: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    cache = tmp_path / "faces.cache"
    Dataset(folder, size=SMALL, cache=cache).build_cache()
    damage(cache)
    kept = cache.read_bytes()
    with pytest.raises(DatasetError, match=rf"faces\.cache.*{message}"):
        Dataset(folder, size=SMALL, cache=cache)
    assert cache.read_bytes() == kept


def test_a_cache_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "faces.cache").mkdir()
    with pytest.raises(DatasetError, match=r"faces\.cache: .*directory; name another file"):
        Dataset(folder, size=SMALL, cache=tmp_path / "faces.cache")


def test_a_cache_that_is_cut_off_while_in_use_ends_in_one_line(
    folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "faces.cache"
    with Dataset(folder, size=SMALL, cache=cache, patience=0) as data:
        data.build_cache()
        os.truncate(cache, 5000)
        with pytest.raises(UnavailableError, match=r"faces\.cache: it was cut off while in use"):
            next(data.batches(12, seed=0))


def test_a_cache_of_other_images_size_or_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "faces.cache"
    Dataset(folder, size=SMALL, cache=cache).build_cache()
    with pytest.raises(DatasetError, match="other images or with another size, fit or colour"):
        Dataset(folder, size=SMALL + 1, cache=cache)
    with pytest.raises(DatasetError, match="other images or with another size, fit or colour"):
        Dataset(folder, size=SMALL, fit="stretch", cache=cache)
    (folder / "12.jpg").write_bytes(jpeg(12))
    with pytest.raises(DatasetError, match="other images or with another size, fit or colour"):
        Dataset(folder, size=SMALL, cache=cache)


def test_a_cache_that_does_not_fit_the_disk_is_refused_before_it_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "faces.cache"
    data = Dataset(folder, size=SMALL, cache=cache)
    monkeypatch.setattr(
        dataset.shutil, "disk_usage", lambda path: SimpleNamespace(total=9e3, free=5e3)
    )
    with pytest.raises(Error, match=r"faces\.cache.*0\.0 MB are free; make room or name"):
        data.batches(2, seed=0)
    assert not cache.exists()


def test_a_disk_that_fills_up_leaves_nothing_behind_and_one_line(
    folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "faces.cache"
    data = Dataset(folder, cache=cache)
    with largest_file(200_000), pytest.raises(Error) as error:
        data.batches(2, seed=0)
    assert str(error.value).startswith(f"cannot write the cache {cache}")
    assert str(error.value).endswith("(ulimit -f) or name a file on another disk")
    assert [file.name for file in tmp_path.iterdir()] == ["faces"]


def test_what_a_killed_build_left_behind_is_taken_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / ".faces.cache.tmp").write_bytes(b"x" * 10_000_000)
    cache = tmp_path / "faces.cache"
    data = Dataset(folder, size=SMALL, cache=cache)
    data.build_cache()
    assert cache.stat().st_size == data.cache_bytes
    assert not (tmp_path / ".faces.cache.tmp").exists()


def test_two_runs_do_not_write_one_cache(folder: Path, tmp_path: Path) -> None:
    import fcntl

    cache = tmp_path / "faces.cache"
    with (tmp_path / ".faces.cache.tmp").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Error, match=r"another process is writing the cache .*faces\.cache"):
            Dataset(folder, size=SMALL, cache=cache).build_cache()
        assert (tmp_path / ".faces.cache.tmp").exists()


# --- A packed folder ---


def test_a_packed_folder_gives_the_same_batches_without_the_folder(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "04.jpg").write_bytes(b"broken")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xe9\n.jpg"))
    odd.write_bytes(jpeg(12))
    file = tmp_path / "faces.pack"
    told: list[tuple[int, int]] = []
    packed_now = pack(folder, file, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (13, 13)
    with packed_now:
        expected = next(packed_now.batches(8, seed=3, flip=True))
    folder.rename(tmp_path / "away")
    with Dataset(file) as packed:
        assert np.array_equal(next(packed.batches(8, seed=3, flip=True)), expected)
        assert (len(packed), packed.hash) == (13, packed_now.hash)
        assert list(packed.names) == list(packed_now.names)
        assert (packed.skipped, packed.small) == (1, packed_now.small)
        with pytest.raises(DatasetError, match=r"04\.jpg: was broken when it was packed"):
            packed.image(4)
        assert "13 images in" in packed.summary


def test_a_packed_folder_is_kept_when_it_is_packed_again(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "faces.pack"
    pack(folder, file)
    before = file.stat().st_mtime_ns
    pack(folder, file)
    assert file.stat().st_mtime_ns == before
    (folder / "12.jpg").write_bytes(jpeg(12))
    with pytest.raises(DatasetError, match=r"faces\.pack was made of other images .*: delete it"):
        pack(folder, file)
    with pytest.raises(DatasetError, match=r"faces\.pack is packed already"):
        pack(file, tmp_path / "again.pack")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (rewrite(lambda content: content.__delitem__(slice(-100, None))), "bytes instead of"),
        (rewrite(lambda content: content.extend(b"more")), "bytes instead of"),
        (rewrite(lambda content: content.__setitem__(16, 9)), "of another version"),
        (rewrite(lambda content: content.__setitem__(slice(-7, -6), b"\0")), "is damaged"),
        (rewrite(lambda content: content.__delitem__(slice(20, None))), "of another version|bytes"),
        (rewrite(lambda content: content.__setitem__(24, 11)), "bytes instead of"),
        (
            rewrite(lambda content: content.__setitem__(slice(0, 5), b"other")),
            "is a file, not a",
        ),
    ],
    ids=["cut", "longer", "version", "names", "header", "count", "foreign"],
)
def test_a_damaged_packed_file_is_refused_with_the_way_out(
    folder: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    file = tmp_path / "faces.pack"
    pack(folder, file)
    damage(file)
    with pytest.raises(DatasetError, match=rf"faces\.pack.*({message})"):
        Dataset(file)


def test_a_packed_file_of_another_size_or_fit_or_with_a_cache_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "faces.pack"
    pack(folder, file, fit="stretch")
    with pytest.raises(DatasetError, match=r"162 pixels made with fit stretch, not of 162 with cr"):
        Dataset(file)
    with pytest.raises(DatasetError, match=r"not of 64 with stretch: pack the folder again"):
        Dataset(file, size=64, fit="stretch")
    with pytest.raises(UsageError, match="is packed already: leave the cache out"):
        Dataset(file, fit="stretch", cache=tmp_path / "cache")
