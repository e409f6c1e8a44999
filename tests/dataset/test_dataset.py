# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ffgan import dataset as dataset_module
from ffgan import images
from ffgan.dataset import Dataset, fit_square, pack, printable
from ffgan.errors import DatasetError, Error, UsageError

SMALL = 24
"""Side of most images here: the rules do not depend on it, the time does."""


def jpeg(number: int = 0, size: tuple[int, int] = (SMALL, SMALL)) -> bytes:
    """A plain image, told from others by its red: 5 times its number."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (5 * number, 100, 200)).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def number_of(image: np.ndarray) -> int:
    return round(float(image[..., 0].mean()) / 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images, numbers 0 to 11, in the order of their names."""
    directory = tmp_path / "faces"
    directory.mkdir()
    for number in range(12):
        (directory / f"{number:02}.jpg").write_bytes(jpeg(number))
    return directory


def numbers(
    folder: Path, batch: int, count: int, *, seed: int = 7, start: int = 0, **options: object
) -> list[list[int]]:
    with Dataset(folder, size=SMALL, **options) as data:  # type: ignore[arg-type]
        stream = data.batches(batch, seed=seed, start=start)
        return [[number_of(image) for image in next(stream)] for _ in range(count)]


def relative(data: Dataset) -> list[str]:
    return [str(path.relative_to(data.directory)) for path in data.paths]


# --- The folder ---


def test_images_are_found_in_all_folders_in_any_case_and_in_a_fixed_order(tmp_path: Path) -> None:
    names = [
        "B.JPG", "a.jpeg", "a/z.PNG", "a/b/c.webp", "a/b/d.WebP", "e.bmp", "f.tif", "g.TIFF",
    ]  # fmt: skip
    for name in [*reversed(names), "notes.txt", "jpg", "a/movie.gif", "a.jpg.part"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg())
    data = Dataset(tmp_path)
    assert relative(data) == sorted(names)
    assert len(data) == len(data.paths) == 8
    assert data.paths[-1] == data.paths[7]
    assert data.paths[1:3] == [data.paths[1], data.paths[2]]
    assert "8 images" in data.summary
    assert "4 other files ignored" in data.summary


def test_hidden_files_and_folders_are_left_out_and_counted(folder: Path) -> None:
    (folder / ".hidden.jpg").write_bytes(jpeg())
    (folder / ".git").mkdir()
    (folder / ".git" / "x.jpg").write_bytes(jpeg())
    data = Dataset(folder)
    assert len(data) == 12
    assert "2 hidden files and folders left out" in data.summary


def test_a_hidden_folder_that_is_named_is_walked(folder: Path, tmp_path: Path) -> None:
    hidden = folder.rename(tmp_path / ".faces")
    assert len(Dataset(hidden)) == 12


def test_links_are_followed_but_not_in_circles(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.jpg").write_bytes(jpeg())
    (elsewhere / "back").symlink_to(folder)
    (folder / "more").symlink_to(elsewhere)
    (folder / "self").symlink_to(folder)
    (folder / "link.jpg").symlink_to(elsewhere / "x.jpg")
    data = Dataset(folder)
    assert len(data) == 14
    assert "more/x.jpg" in relative(data)
    assert "2 folders reached again" in data.summary


def test_links_that_lead_nowhere_and_pipes_are_reported(folder: Path, tmp_path: Path) -> None:
    (folder / "gone.jpg").symlink_to(tmp_path / "gone")
    (folder / "circle.jpg").symlink_to(folder / "circle.jpg")
    os.mkfifo(folder / "pipe.jpg")
    log = tmp_path / "skipped.log"
    data = Dataset(folder, skipped_log=log)
    assert len(data) == 12
    assert "3 files and folders that cannot be read" in data.summary
    lines = log.read_text().splitlines()
    assert [line.partition("\t")[0] for line in lines] == [
        "circle.jpg", "gone.jpg", "pipe.jpg",
    ]  # fmt: skip


def test_an_unreadable_folder_is_reported_and_not_fatal(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = folder / "locked"
    locked.mkdir()
    (locked / "x.jpg").write_bytes(jpeg())
    scandir = os.scandir

    def as_for_others_than_root(path: bytes) -> object:
        if path == os.fsencode(locked):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", as_for_others_than_root)
    data = Dataset(folder, skipped_log=tmp_path / "skipped.log")
    assert len(data) == 12
    assert "1 files and folders that cannot be read" in data.summary
    assert (tmp_path / "skipped.log").read_text() == "locked/\tPermission denied\n"


def test_an_unreadable_folder_given_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: bytes) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(DatasetError, match=r"cannot read the folder .*faces: Permission denied"):
        Dataset(folder)


def test_names_that_are_not_utf8_work_and_print_as_one_line(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    names = [b"caf\xe9.jpg", b"new\nline.jpg", b"\x1b[31mred.jpg", "gr\u00fc\u00df.jpg".encode()]
    for name in names:
        with open(os.path.join(root, name), "wb") as file:
            file.write(b"broken")
    with open(os.path.join(root, b"good\xff.jpg"), "wb") as file:
        file.write(jpeg(9))
    log = tmp_path / "skipped.log"
    with Dataset(tmp_path, skipped_log=log, size=SMALL) as data:
        assert len(data) == 5
        assert {os.fsencode(path.name) for path in data.paths} == {*names, b"good\xff.jpg"}
        assert {number_of(image) for image in next(data.batches(8, seed=1))} == {9}
    assert sorted(line.partition("\t")[0] for line in log.read_text("utf-8").splitlines()) == [
        r"\x1b[31mred.jpg", r"caf\xe9.jpg", "gr\u00fc\u00df.jpg", r"new\nline.jpg",
    ]  # fmt: skip
    with pytest.raises(DatasetError, match=r"new\\nline\.jpg: not a JPEG"):
        data.image(relative(data).index("new\nline.jpg"))


@given(st.binary(max_size=40))
def test_printable_is_one_line_that_any_terminal_takes(name: bytes) -> None:
    assert printable(name).isprintable()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no such folder: .*nowhere"):
        Dataset(tmp_path / "nowhere")


def test_for_a_file_its_folder_is_asked_for(folder: Path) -> None:
    with pytest.raises(DatasetError, match=rf"00\.jpg is a file: give its folder, {folder}"):
        Dataset(folder / "00.jpg")


def test_a_folder_without_images_is_named_with_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DatasetError, match=r"no image in .*webp") as raised:
        Dataset(tmp_path)
    assert raised.value.exit_code == 2


def test_the_hash_tells_of_names_and_sizes_and_not_of_the_place(
    folder: Path, tmp_path: Path
) -> None:
    before = Dataset(folder).hash
    assert len(before) == 64
    moved = folder.rename(tmp_path / "moved")
    assert Dataset(moved).hash == before
    (moved / "00.jpg").rename(moved / "0.jpg")
    renamed = Dataset(moved).hash
    (moved / "0.jpg").write_bytes(jpeg() + b"x")
    longer = Dataset(moved).hash
    assert len({before, renamed, longer}) == 3


@pytest.mark.parametrize("options", [{"fit": "squeeze"}, {"size": 0}, {"workers": 0}])
def test_arguments_out_of_range_are_refused(folder: Path, options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        Dataset(folder, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"batch": 0}, {"seed": -1}, {"start": -1}])
def test_batches_out_of_range_are_refused(folder: Path, options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        Dataset(folder).batches(**{"batch": 4, "seed": 1, **options})


# --- One image ---


def test_an_image_of_the_right_size_is_not_resampled(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (162, 162, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert np.array_equal(Dataset(tmp_path).image(0), noise)


def test_crop_takes_the_middle_and_stretch_takes_all(tmp_path: Path) -> None:
    wide = np.zeros((162, 362, 3), np.uint8)
    wide[:, 100:262] = 255
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert (Dataset(tmp_path).image(0) == 255).all()
    stretched = Dataset(tmp_path, fit="stretch").image(0)
    assert stretched.shape == (162, 162, 3)
    assert not stretched[:, :40].any()
    assert (stretched[:, 50:110] == 255).all()


def test_a_tall_image_is_cut_above_and_below(tmp_path: Path) -> None:
    tall = np.zeros((400, 200, 3), np.uint8)
    tall[100:300] = 255
    Image.fromarray(tall).save(tmp_path / "a.png")
    assert (Dataset(tmp_path).image(0) == 255).all()


@given(
    height=st.integers(1, 60), width=st.integers(1, 60), fit=st.sampled_from(["crop", "stretch"])
)
def test_whatever_the_shape_a_square_comes_out(height: int, width: int, fit: str) -> None:
    flat = np.full((height, width, 3), 99, np.uint8)
    square = fit_square(flat, 16, fit)  # type: ignore[arg-type]
    assert square.shape == (16, 16, 3)
    assert (square == 99).all()


def test_large_images_are_averaged_over_areas(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (324, 324, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    expected = noise.reshape(162, 2, 162, 2, 3).mean(axis=(1, 3))
    assert np.abs(Dataset(tmp_path).image(0) - expected).max() <= 0.5


def test_small_images_are_warned_of_before_and_counted_while_training(tmp_path: Path) -> None:
    for number in range(6):
        size = (100, 400) if number < 2 else (200, 162)
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number, size))
    with Dataset(tmp_path) as data:
        assert "warning: 2 of all 6 images are under 162 pixels" in data.summary
        assert data.small == 0
        next(data.batches(6, seed=0))
        assert data.small == 2


# --- Broken files ---


def test_a_broken_image_is_named_with_the_reason(folder: Path) -> None:
    (folder / "03.jpg").write_bytes(jpeg()[:300])
    with pytest.raises(DatasetError, match=r"03\.jpg: the file is cut off"):
        Dataset(folder).image(3)


def test_broken_files_cost_one_line_each_and_nothing_on_the_terminal(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "02.jpg").write_bytes(jpeg()[:-200])
    (folder / "05.jpg").write_bytes(b"")
    (folder / "06.png").write_bytes(b"<html>")
    (folder / "07.jpg").unlink()
    (folder / "07.jpg").write_bytes(jpeg(7))
    log = tmp_path / "skipped.log"
    with Dataset(folder, size=SMALL, skipped_log=log, workers=3) as data:
        (folder / "07.jpg").unlink()
        stream = data.batches(5, seed=3)
        for _ in range(12):
            next(stream)
        assert data.skipped == 4
        assert f"4 broken files skipped, see {log}" in data.summary
    assert sorted(log.read_text().splitlines()) == [
        "02.jpg\tthe file is cut off",
        "05.jpg\tthe file is empty",
        "06.png\tnot a JPEG, PNG, WebP, BMP or TIFF",
        "07.jpg\tNo such file or directory",
    ]
    assert capfd.readouterr() == ("", "")
    with Dataset(folder, size=SMALL, skipped_log=log) as resumed:
        next(resumed.batches(30, seed=3))
    assert len(log.read_text().splitlines()) == 4


def test_in_place_of_a_broken_image_comes_the_next_one_of_the_order(folder: Path) -> None:
    whole = [number for batch in numbers(folder, 12, 2) for number in batch]
    (folder / f"{whole[4]:02}.jpg").write_bytes(b"broken")
    (folder / f"{whole[5]:02}.jpg").write_bytes(b"broken")
    expected = []
    for place, number in enumerate(whole[:12]):
        following = (other for other in whole[place:] if other not in (whole[4], whole[5]))
        expected.append(next(following))
        assert (expected[-1] == number) == (place not in (4, 5))
    assert numbers(folder, 12, 1) == [expected]


def test_if_all_images_are_broken_it_says_so(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"broken")
    log = tmp_path / "skipped.log"
    with (
        Dataset(tmp_path, skipped_log=log) as data,
        pytest.raises(DatasetError, match=r"none of the images .*skipped\.log says why"),
    ):
        next(data.batches(2, seed=0))


def test_a_folder_that_disappears_ends_the_run_instead_of_breaking_every_file(
    folder: Path, tmp_path: Path
) -> None:
    with Dataset(folder, skipped_log=tmp_path / "skipped.log") as data:
        folder.rename(tmp_path / "away")
        with pytest.raises(Error, match="is gone"):
            next(data.batches(2, seed=0))
    assert not (tmp_path / "skipped.log").exists()


def test_a_log_that_cannot_be_written_is_told_in_the_summary(folder: Path, tmp_path: Path) -> None:
    (folder / "00.jpg").write_bytes(b"broken")
    with Dataset(folder, skipped_log=tmp_path / "none" / "skipped.log") as data:
        next(data.batches(12, seed=0))
        assert "skipped.log is not complete: No such file" in data.summary


# --- Batches ---


def test_an_epoch_shows_each_image_once_in_the_documented_order(folder: Path) -> None:
    shown = [number for batch in numbers(folder, 4, 6) for number in batch]
    for epoch in (0, 1):
        expected = np.random.default_rng((7, epoch)).permutation(12)
        assert shown[12 * epoch : 12 * epoch + 12] == expected.tolist()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batch=st.integers(1, 30), start=st.integers(0, 9), workers=st.integers(1, 5))
def test_batch_k_is_the_same_from_any_start_with_any_number_of_workers(
    folder: Path, batch: int, start: int, workers: int
) -> None:
    stream = [
        number
        for epoch in range(1 + 40 * 30 // 12)
        for number in np.random.default_rng((7, epoch)).permutation(12).tolist()
    ]
    expected = [stream[k * batch : (k + 1) * batch] for k in range(start, start + 3)]
    assert numbers(folder, batch, 3, start=start, workers=workers) == expected


def test_other_seeds_give_other_orders(folder: Path) -> None:
    assert numbers(folder, 12, 1, seed=1) != numbers(folder, 12, 1, seed=2)
    assert numbers(folder, 12, 1, seed=2**64 - 1) == numbers(folder, 12, 1, seed=2**64 - 1)


def test_flip_mirrors_about_half_and_depends_on_the_batch_number_alone(tmp_path: Path) -> None:
    half = np.zeros((SMALL, SMALL, 3), np.uint8)
    half[:, : SMALL // 2] = 255
    for number in range(4):
        Image.fromarray(half).save(tmp_path / f"{number}.png")

    def mirrored(start: int, workers: int, flip: bool = True) -> np.ndarray:
        with Dataset(tmp_path, size=SMALL, workers=workers) as data:
            stream = data.batches(50, seed=5, start=start, flip=flip)
            return np.stack([next(stream)[:, 0, 0, 0] == 0 for _ in range(4)])

    flips = mirrored(0, 1)
    assert 70 <= flips.sum() <= 130
    assert np.array_equal(mirrored(2, 3)[:2], flips[2:])
    assert not mirrored(0, 2, flip=False).any()


def test_batches_own_their_pixels(folder: Path) -> None:
    with Dataset(folder, size=SMALL) as data:
        stream = data.batches(12, seed=0)
        first = next(stream)
        kept = first.copy()
        next(stream)[:] = 0
        assert np.array_equal(first, kept)
        assert first.dtype == np.uint8
        assert first.shape == (12, SMALL, SMALL, 3)


def count_threads() -> int:
    return sum(thread.name.startswith("ffgan-decode") for thread in threading.enumerate())


def test_only_a_few_batches_are_decoded_ahead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    decode = images.decode

    def counted(data: bytes, *, at_least: int | None = None) -> np.ndarray:
        decoded.append(1)
        return decode(data, at_least=at_least)

    monkeypatch.setattr(images, "decode", counted)
    with Dataset(folder, size=SMALL, workers=2) as data:
        stream = data.batches(10, seed=0)
        next(stream)
        handed_out_and_ahead = 10 * (1 + 2 + 1)
        patience = time.monotonic() + 60
        while len(decoded) < handed_out_and_ahead and time.monotonic() < patience:
            time.sleep(0.01)
        time.sleep(0.2)
        assert len(decoded) == handed_out_and_ahead


def test_close_stops_the_threads_and_an_unused_iterator_too(folder: Path) -> None:
    with Dataset(folder, size=SMALL, workers=3) as data:
        stream = data.batches(12, seed=0)
        next(stream)
        assert 1 <= count_threads() <= 3  # a thread that is idle takes the next batch, too
    assert count_threads() == 0
    with pytest.raises(Error, match="closed"):
        next(stream)


def test_closing_from_another_thread_ends_the_wait(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing = threading.Event()
    decode = images.decode

    def held(data: bytes, *, at_least: int | None = None) -> np.ndarray:
        closing.wait(60)
        return decode(data, at_least=at_least)

    monkeypatch.setattr(images, "decode", held)
    data = Dataset(folder, size=SMALL)
    stream = data.batches(12, seed=0)
    closer = threading.Thread(target=data.close)
    threading.Timer(0.1, closer.start).start()
    threading.Timer(0.3, closing.set).start()
    with pytest.raises(Error, match="closed while"):
        next(stream)
    closer.join()
    assert count_threads() == 0


def test_an_exception_in_a_thread_reaches_the_consumer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: bytes, *, at_least: int | None = None) -> np.ndarray:
        raise MemoryError("no memory")

    monkeypatch.setattr(images, "decode", fail)
    with Dataset(folder) as data, pytest.raises(MemoryError, match="no memory"):
        next(data.batches(4, seed=0))
    assert count_threads() == 0


def test_waiting_for_slow_decoding_is_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = images.decode

    def slow(data: bytes, *, at_least: int | None = None) -> np.ndarray:
        time.sleep(0.02)
        return decode(data, at_least=at_least)

    monkeypatch.setattr(images, "decode", slow)
    with Dataset(folder, size=SMALL, workers=1) as data:
        assert data.waited == 0
        next(data.batches(5, seed=0))
        assert data.waited > 0


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
    assert log.read_text() == "04.jpg\tnot a JPEG, PNG, WebP, BMP or TIFF\n"
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
    with pytest.raises(DatasetError, match=r"04\.jpg: not a JPEG"):
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


def test_a_cache_that_is_cut_off_while_in_use_ends_in_one_line(
    folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "faces.cache"
    with Dataset(folder, size=SMALL, cache=cache) as data:
        data.build_cache()
        os.truncate(cache, 5000)
        with pytest.raises(Error, match=r"faces\.cache was cut off while in use: delete it"):
            next(data.batches(12, seed=0))


def test_a_cache_of_other_images_size_or_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "faces.cache"
    Dataset(folder, size=SMALL, cache=cache).build_cache()
    with pytest.raises(DatasetError, match="other images or with another size or fit"):
        Dataset(folder, size=SMALL + 1, cache=cache)
    with pytest.raises(DatasetError, match="other images or with another size or fit"):
        Dataset(folder, size=SMALL, fit="stretch", cache=cache)
    (folder / "12.jpg").write_bytes(jpeg(12))
    with pytest.raises(DatasetError, match="other images or with another size or fit"):
        Dataset(folder, size=SMALL, cache=cache)


def test_a_cache_that_does_not_fit_the_disk_is_refused_before_it_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "faces.cache"
    data = Dataset(folder, size=SMALL, cache=cache)
    monkeypatch.setattr(dataset_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=5e3))
    with pytest.raises(Error, match=r"faces\.cache.*0\.0 GB are free.*train without a cache"):
        data.batches(2, seed=0)
    assert not cache.exists()


def test_a_disk_that_fills_up_leaves_nothing_behind_and_one_line(
    folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "faces.cache"
    program = f"""
import resource
from ffgan.dataset import Dataset
from ffgan.errors import Error
data = Dataset({str(folder)!r}, cache={str(cache)!r})
data.image(0)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    data.batches(2, seed=0)
except Error as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith(f"cannot write the cache {cache}"), done.stderr
    assert done.stdout.endswith(
        "File too large; name a file on another disk, or train without a cache\n"
    )
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
    dataset = pack(folder, file, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (13, 13)
    with dataset:
        expected = next(dataset.batches(8, seed=3, flip=True))
    folder.rename(tmp_path / "away")
    with Dataset(file) as packed:
        assert np.array_equal(next(packed.batches(8, seed=3, flip=True)), expected)
        assert (len(packed), packed.hash) == (13, dataset.hash)
        assert list(packed.names) == list(dataset.names)
        assert (packed.skipped, packed.small) == (1, dataset.small)
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
        (rewrite(lambda content: content.__setitem__(slice(0, 5), b"other")), "is a file: give"),
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


# --- Scale ---


@pytest.mark.slow
def test_250000_files_are_ready_in_bounded_memory(tmp_path: Path) -> None:
    count, per_folder, originals = 250_000, 1000, 100
    for number in range(originals):
        (tmp_path / f"{number}.source").write_bytes(jpeg(number % 50))
    faces = tmp_path / "faces"
    for number in range(count):
        if number % per_folder == 0:
            below = faces / f"{number // per_folder:03}"
            below.mkdir(parents=True)
        os.link(tmp_path / f"{number % originals}.source", below / f"{number:06}.jpg")
    program = f"""
from pathlib import Path
import ffgan.dataset

def peak():
    # Not ru_maxrss, which begins with that of the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

ffgan.dataset.images.decode({jpeg()!r})
before = peak()
with ffgan.dataset.Dataset({str(faces)!r}, size={SMALL}) as data:
    stream = data.batches(64, seed=0)
    for _ in range(100):
        next(stream)
    print(len(data), peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    found, kilobytes = map(int, done.stdout.split())
    assert found == count
    assert kilobytes < 150_000
