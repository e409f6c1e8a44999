# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images come in which batch, and who decodes them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.training_images import SMALL, jpeg, numbers

from ffgan import images
from ffgan.dataset import Dataset, dataset
from ffgan.errors import Error

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


@pytest.mark.parametrize("part", [(0, 1), (1, 3)])
def test_a_batch_tells_which_images_it_has_and_which_are_mirrored(
    folder: Path, part: tuple[int, int]
) -> None:
    (folder / "03.jpg").write_bytes(b"broken")
    sloping = Image.fromarray(np.full((SMALL, SMALL), np.arange(0, 240, 10), np.uint8))
    sloping.convert("RGB").save(folder / "05.jpg", quality=95)
    with Dataset(folder, size=SMALL) as data:
        options = {"seed": 7, "flip": True, "part": part}
        told, plain = data.indexed_batches(30, **options), data.batches(30, **options)
        turned = 0
        for _ in range(3):
            batch = next(told)
            np.testing.assert_array_equal(batch.images, next(plain))
            assert len(batch.images) == len(batch.indices) == len(batch.mirrored) == 30 // part[1]
            for image, index, mirrored in zip(*batch, strict=True):
                known = data.image(int(index))
                np.testing.assert_array_equal(image, known[:, ::-1] if mirrored else known)
                turned += mirrored and not np.array_equal(known, known[:, ::-1])
            assert 3 not in batch.indices
            first = batch.first(2)
            np.testing.assert_array_equal(first.images, batch.images[:2])
            assert [len(values) for values in first] == [2, 2, 2]
        assert turned


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
    decode = images.decode_picture

    def counted(data: bytes, *, at_least: int, colour: images.Colour) -> images.Picture:
        decoded.append(1)
        return decode(data, at_least=at_least, colour=colour)

    monkeypatch.setattr(images, "decode_picture", counted)
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
    decode = images.decode_picture

    def held(data: bytes, *, at_least: int, colour: images.Colour) -> images.Picture:
        closing.wait(60)
        return decode(data, at_least=at_least, colour=colour)

    monkeypatch.setattr(images, "decode_picture", held)
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
    def fail(data: bytes, *, at_least: int, colour: images.Colour) -> images.Picture:
        raise MemoryError("no memory")

    monkeypatch.setattr(images, "decode_picture", fail)
    with Dataset(folder) as data, pytest.raises(MemoryError, match="no memory"):
        next(data.batches(4, seed=0))
    assert count_threads() == 0


def test_large_images_take_turns_and_come_in_the_same_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = numbers(folder, 3, 8)
    decode, at_work, most = images.decode_picture, [], []

    def watched(data: images.Container, *, at_least: int, colour: images.Colour) -> images.Picture:
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.01)
        picture = decode(data, at_least=at_least, colour=colour)
        at_work.pop()
        return picture

    monkeypatch.setattr(images, "decode_picture", watched)
    assert numbers(folder, 3, 8, workers=4) == expected
    assert max(most) > 1
    most.clear()
    monkeypatch.setattr(dataset, "DECODING_SHARE", 1)  # as if all of them were large
    assert numbers(folder, 3, 8, workers=4) == expected
    assert max(most) == 1


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
import ffgan.dataset, ffgan.images

def peak():
    # Not ru_maxrss, which begins with that of the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

ffgan.images.decode({jpeg()!r})
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
