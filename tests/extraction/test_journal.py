# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.disk import largest_file

from ffgan.errors import Error, UsageError
from ffgan.extraction import journal
from ffgan.extraction.chip_names import SCHEME
from ffgan.extraction.journal import DetectedFace, Journal, Photo
from ffgan.extraction.quality import Appearance
from ffgan.faces.pose import Pose

HEADER = {"photos": "/photos", "looked_for": {"detector": "hog"}}


def photo(name: str = "a.jpg", embedding: bool = False) -> Photo:
    vector = np.arange(128, dtype=np.float32) / 7 if embedding else None
    face = DetectedFace(
        (1, 2, 33, 44), 0.5, np.array([[1, 2]] * 5, np.int32),
        (20.5, 21.25, 30.125, -0.1), 0.25,
        Pose(1.5, -2.0, 3.0), Appearance(2.2, 120.0, 30.5, 60.0), bytes(range(32)), vector,
    )  # fmt: skip
    return Photo(name, 12345, 1_700_000_000_123_456_789, 480, 640, 1, "", [face])


def plain(one: Photo) -> tuple[object, ...]:
    vectors = [None if f.embedding is None else f.embedding.tolist() for f in one.faces]
    return one.name, one.size, one.mtime, one.error, one.scale, vectors, [
        (f.box, f.confidence, f.points.tolist(), f.square, f.outside, f.pose, f.appearance, f.hash)
        for f in one.faces
    ]  # fmt: skip


def test_what_is_added_is_read_again_as_it_was(tmp_path: Path) -> None:
    every = [
        photo(),
        photo("b\udce9 \n\u4e2d.jpg", embedding=True),
        Photo("broken.jpg", 3, 4, error="cut"),
    ]
    with Journal(tmp_path, HEADER) as log:
        assert log.earlier is None
        log.rewrite()
        for one in every:
            log.add(one)
    with Journal(tmp_path, HEADER) as log:
        assert log.earlier == {"format": journal.FORMAT, "names": SCHEME, **HEADER}
        assert [plain(one) for one in log.photos.values()] == [plain(one) for one in every]
        log.rewrite()
    assert [plain(p) for p in journal.read(tmp_path / journal.NAME)[1].values()] == [
        plain(one) for one in every
    ]


def test_a_later_line_counts_and_a_cut_off_one_does_not(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER) as log:
        log.rewrite()
        log.add(photo())
        changed = photo()
        changed.size = 99
        log.add(changed)
    with (tmp_path / journal.NAME).open("a") as file:
        file.write('{"name": "half')
    _, photos = journal.read(tmp_path / journal.NAME)
    assert [one.size for one in photos.values()] == [99]


FACE = {
    "box": [1, 2, 33, 44],
    "confidence": 0.5,
    "points": [[1, 2]] * 5,
    "square": [20.5, 21.25, 30.125, -0.1],
    "outside": 0.25,
    "pose": [1.5, -2.0, 3.0],
    "seen": [2.2, 120.0, 30.5, 60.0],
    "hash": "00" * 32,
}
LINE = {"name": "a.jpg", "size": 5, "mtime": 6, "rows": 7, "columns": 8, "scale": 1}


@pytest.mark.parametrize(
    "line",
    [
        {"name": "../a.jpg"},  # what is gone is removed by its name
        {"name": "/a.jpg"},
        {"name": 5},
        {"name": "\ud800"},
        {"size": "5"},
        {"scale": 10**18},
        {"error": None},
        {"faces": 3},
        {"faces": ["face"]},
        {"faces": [FACE | {"points": [[1, 2**40]] * 5}]},
        {"faces": [FACE | {"points": [[1, 2]] * 4}]},
        {"faces": [FACE | {"square": [1, 2, float("nan"), 4]}]},
        {"faces": [FACE | {"pose": ["1", 2, 3]}]},
        {"faces": [FACE | {"outside": None}]},
        {"faces": [FACE | {"hash": "00"}]},
        {"faces": [FACE | {"embedding": "AAAA"}]},
        {"faces": [FACE | {"turn": 4}]},
    ],
    ids=lambda line: str(line)[:40],
)
def test_a_line_that_holds_anything_else_is_dropped(tmp_path: Path, line: dict[str, Any]) -> None:
    path = tmp_path / journal.NAME
    head = json.dumps({"format": journal.FORMAT, **HEADER}) + "\n"
    path.write_text(head + json.dumps(LINE | {"faces": [FACE]}) + "\n")
    assert len(journal.read(path)[1]["a.jpg"].faces) == 1
    other = json.dumps(LINE | {"name": "b.jpg", "faces": [FACE]})
    path.write_text(head + json.dumps(LINE | {"faces": [FACE]} | line) + f"\n{other}\n")
    assert journal.read(path)[1].keys() == {"b.jpg"}


@pytest.mark.parametrize(
    "head",
    [
        "[" * 100_000,
        "[]",
        json.dumps({"format": journal.FORMAT}),
        json.dumps({"format": journal.FORMAT, **HEADER, "looked_for": 3}),
        json.dumps({"format": journal.FORMAT, **HEADER, "looked_for": {"format": "../x"}}),
        json.dumps({"format": journal.FORMAT, **HEADER, "done": 1}),
        json.dumps(
            {"format": journal.FORMAT, **HEADER, "done": {"chosen": {}, "result": {"kept": "x"}}}
        ),
    ],
    ids=lambda head: head[:60],
)
def test_a_first_line_that_holds_anything_else_is_refused(tmp_path: Path, head: str) -> None:
    path = tmp_path / journal.NAME
    path.write_text(head + "\n")
    with pytest.raises(UsageError, match="is not a journal of this version"):
        journal.read(path)


def test_a_chip_is_named_after_its_photograph_and_fits_the_file_system() -> None:
    assert photo("below/a.jpg").chip(2, "png") == "below/a-2.png"
    long = [photo(f"below/{letter}{'x' * 250}.jpg").chip(0, "jpg") for letter in "ab"]
    assert len(set(long)) == 2
    assert all(len(name.partition("/")[2]) == 255 for name in long)
    assert long[0] == photo(f"below/a{'x' * 250}.jpg").chip(0, "jpg")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER), pytest.raises(Error, match="another process is extracting"):
        Journal(tmp_path, HEADER)
    Journal(tmp_path, HEADER).__exit__(None, None, None)


def test_a_line_for_which_there_is_no_room_is_one_error_and_the_rest_stays(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER) as log:
        log.rewrite()
        log.add(photo())
        with (
            largest_file(log.path.stat().st_size + 100),
            pytest.raises(
                Error, match=r"cannot write .*: File too large; raise the limit .* and run"
            ),
        ):
            log.add(photo("b.jpg", embedding=True))
    with Journal(tmp_path, HEADER) as log:  # the lock is free again
        assert "a.jpg" in log.photos
