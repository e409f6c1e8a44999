# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving pictures, read back by other programs."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from support.disk import small_disk

from ffgan import images
from ffgan.errors import Error, UsageError
from ffgan.images import animation, mp4
from ffgan.images.animation import MP4, AnimatedWebP, NotWrittenError

SIZE = 64


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stands for the folder in memory, which other programs use too."""
    monkeypatch.setattr(animation, "MEMORY", tmp_path)
    return tmp_path


def frames(number: int) -> Iterator[images.RGB]:
    """A bright bar that moves to the right."""
    for i in range(number):
        frame = np.full((SIZE, SIZE, 3), 40, np.uint8)
        frame[:, 8 * i : 8 * i + 8] = (250, 200, 30)
        yield frame


def test_animated_webp_has_the_frames_as_they_came() -> None:
    with AnimatedWebP(fps=20, quality=80) as file:
        for frame in frames(5):
            file.add(frame)
        data = file.finish()
    with Image.open(io.BytesIO(data)) as read:
        assert (read.size, read.n_frames, read.info["loop"]) == ((SIZE, SIZE), 5, 0)
        for i, frame in enumerate(frames(5)):
            read.seek(i)
            read.load()
            assert read.info["duration"] == 50
            alone = images.decode(images.encode(frame, "webp", 80))
            difference = np.abs(np.asarray(read.convert("RGB")).astype(int) - alone)
            assert difference.mean() < 1  # Pillow converts the colours with other roundings


def test_animated_webp_says_who_made_it() -> None:
    with AnimatedWebP(fps=20) as file:
        for frame in frames(2):
            file.add(frame)
        data = file.finish()
    assert images.read_metadata(data) == {"software": "ffgan"}
    assert images.made_by_ffgan(data)


def test_animated_webp_is_the_same_each_time() -> None:
    def made() -> bytes:
        with AnimatedWebP(fps=25) as file:
            for frame in frames(3):
                file.add(frame)
            return file.finish()

    assert made() == made()


def test_mp4_has_the_frames_and_leaves_nothing_behind(memory: Path) -> None:
    with MP4(size=(SIZE, SIZE), fps=20) as file:
        for frame in frames(6):
            file.add(frame)
        data = file.finish()
    assert list(memory.iterdir()) == []
    path = memory / "read.mp4"
    path.write_bytes(data)
    video = cv2.VideoCapture(str(path))
    assert video.get(cv2.CAP_PROP_FPS) == 20
    for frame in frames(6):
        there, read = video.read()
        assert there
        difference = np.abs(cv2.cvtColor(read, cv2.COLOR_BGR2RGB).astype(int) - frame)
        assert difference.mean() < 12  # a lossy codec; another frame of these differs by 40
    assert not video.read()[0]


def test_mp4_that_is_given_up_leaves_nothing_behind(memory: Path) -> None:
    with pytest.raises(KeyboardInterrupt), MP4(size=(SIZE, SIZE), fps=20) as file:
        file.add(next(frames(1)))
        raise KeyboardInterrupt
    assert list(memory.iterdir()) == []


def test_missing_encoder_or_memory_is_one_line_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, memory: Path
) -> None:
    monkeypatch.setattr(animation, "CODEC", "none")
    with pytest.raises(Error, match=r"no encoder for MP4 \(none\): take WebP"):
        MP4(size=(SIZE, SIZE), fps=20)
    assert list(memory.iterdir()) == []
    monkeypatch.setattr(animation, "MEMORY", memory / "gone")
    monkeypatch.setattr(tempfile, "tempdir", str(memory / "also gone"))
    with pytest.raises(NotWrittenError, match=r"no room for the MP4 in .*also gone: No such file"):
        MP4(size=(SIZE, SIZE), fps=20)


def film(number: int) -> bytes:
    """Noise, of which no encoder makes little."""
    drawn = np.random.default_rng(0).integers(0, 256, (number, SIZE, SIZE, 3)).astype(np.uint8)
    with MP4(size=(SIZE, SIZE), fps=20) as file:
        for frame in drawn:
            file.add(frame)
        return file.finish()


def test_without_a_file_system_in_memory_films_are_made_among_the_temporary_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(animation, "MEMORY", tmp_path / "gone")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with caplog.at_level("INFO", "ffgan.images"):
        mp4.check(film(4), 4)
    assert f"there is no {tmp_path / 'gone'}: films are made in {tmp_path}" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("room", ["4k", "8k"])
def test_a_film_that_is_cut_off_by_a_full_disk_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: str
) -> None:
    with small_disk(tmp_path / "shm", f"size={room}") as shm:
        monkeypatch.setattr(animation, "MEMORY", shm)
        with pytest.raises(NotWrittenError, match=r"no room for the MP4 in .*shm, which has .* KB"):
            film(8)
        assert list(shm.iterdir()) == []


def test_frames_that_the_encoder_drops_are_noticed(memory: Path) -> None:
    with MP4(size=(SIZE, SIZE), fps=20) as file:
        file.add(next(frames(1)))
        file.add(np.zeros((SIZE // 2, SIZE, 3), np.uint8))  # OpenCV drops another size silently
        with pytest.raises(NotWrittenError, match="has 1 of 2 frames"):
            file.finish()


@pytest.mark.parametrize("fps", [0, 61, -1])
def test_impossible_rates_are_refused(fps: int) -> None:
    with pytest.raises(UsageError, match="frames a second"):
        AnimatedWebP(fps=fps)
    with pytest.raises(UsageError, match="frames a second"):
        MP4(size=(SIZE, SIZE), fps=fps)
