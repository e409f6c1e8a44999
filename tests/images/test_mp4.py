# SPDX-License-Identifier: GPL-3.0-or-later
"""The boxes of MP4 files."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from ffgan.errors import Error
from ffgan.images import mp4
from ffgan.images.animation import MP4

FRAMES = 5


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.fixture(scope="module")
def film() -> bytes:
    with MP4(size=(64, 64), fps=10) as file:
        for i in range(FRAMES):
            file.add(np.full((64, 64, 3), 40 * i, np.uint8))
        return file.finish()


def test_the_index_comes_first_and_its_offsets_are_right(film: bytes) -> None:
    kinds = [kind for kind, _, _ in mp4.boxes(film)]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    start, _ = mp4.find(film, b"stco")
    (first,) = struct.unpack_from(">I", film, start + 8)
    assert first == mp4.find(film, b"mdat")[0]
    assert mp4.index_first(film) == film


def test_every_frame_is_read_by_opencv(film: bytes, tmp_path: object) -> None:
    path = f"{tmp_path}/film.mp4"
    with open(path, "wb") as file:
        file.write(film)
    video = cv2.VideoCapture(path)
    levels = []
    while (read := video.read())[0]:
        levels.append(round(float(read[1].mean())))
    assert levels == pytest.approx([40 * i for i in range(FRAMES)], abs=6)


@pytest.mark.parametrize("form", ["I", "Q"])
def test_only_offsets_before_the_index_are_moved(form: str) -> None:
    kind = b"stco" if form == "I" else b"co64"
    media = box(b"mdat", bytes(100))
    table = box(kind, struct.pack(f">II2{form}", 0, 2, 24, 10_000))
    moov = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table)))))
    film = box(b"ftyp", bytes(8)) + media + moov + box(b"free", bytes(4))
    moved = mp4.index_first(film)
    assert [each for each, _, _ in mp4.boxes(moved)] == [b"ftyp", b"moov", b"mdat", b"free"]
    start, _ = mp4.find(moved, kind)
    assert struct.unpack_from(f">2{form}", moved, start + 8) == (24 + len(moov), 10_000)
    assert len(moved) == len(film)


def test_each_way_of_being_cut_off_is_noticed(film: bytes) -> None:
    mp4.check(film, FRAMES)
    with pytest.raises(Error, match="has 5 of 6 frames"):
        mp4.check(film, FRAMES + 1)
    for length in range(0, len(film), 7):
        with pytest.raises(Error):
            mp4.check(film[:length], FRAMES)
    without_frames = film[: mp4.find(film, b"mdat")[0] - 8] + box(b"mdat", b"")
    with pytest.raises(Error, match="lacks frames"):
        mp4.check(without_frames, FRAMES)


def test_the_codec_is_named_as_browsers_name_it(film: bytes) -> None:
    assert mp4.codec(film) == "vp09.00.10.08"
    assert mp4.codec(box(b"moov", box(b"stsd", b""))) == "vp09"
