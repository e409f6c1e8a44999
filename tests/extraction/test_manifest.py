# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import csv
import io

import numpy as np

from ffgan.extraction import manifest
from ffgan.extraction.journal import DetectedFace, Photo
from ffgan.extraction.quality import Appearance
from ffgan.faces.pose import Pose


def face(**more: object) -> DetectedFace:
    return DetectedFace(
        (1, 2, 33, 44), 0.5, np.array([[5, 6], [7, 8]], np.int32),
        (20.5, 21.25, 30.125, -0.1), 0.25,
        Pose(1.5, -2.0, 3.0), Appearance(2.2, 120.0, 30.5, 60.0), b"\x0f" * 32, **more,
    )  # type: ignore[arg-type]  # fmt: skip


def read(photos: list[Photo]) -> list[dict[str, str]]:
    text = manifest.manifest(photos, "jpg")
    assert text.isascii()
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_says_all_of_a_face() -> None:
    [row] = read([Photo("a.jpg", 1, 2, 480, 640, 1, "", [face()])])
    assert row["photo"] == "a.jpg"
    assert row["face"] == "a-0.jpg"
    assert [row[side] for side in ("left", "top", "right", "bottom")] == ["1", "2", "33", "44"]
    assert [row[turn] for turn in ("yaw", "pitch", "roll")] == ["1.5", "-2.0", "3.0"]
    assert [row[name] for name in Appearance._fields] == ["2.2", "120.0", "30.5", "60.0"]
    assert row["landmarks"] == "5 6;7 8"
    assert row["hash"] == "0f" * 32
    assert (row["side"], row["reason"], row["person"], row["embedding"]) == ("30.1", "", "", "")


def test_places_are_in_pixels_of_the_whole_photograph() -> None:
    [row] = read([Photo("wide.jpg", 1, 2, 480, 640, 4, "", [face()])])
    assert [row[side] for side in ("left", "top", "right", "bottom")] == ["4", "8", "132", "176"]
    assert row["landmarks"] == "20 24;28 32"
    assert row["side"] == "120.5"


def test_what_is_left_out_has_no_file_and_embeddings_are_counted() -> None:
    stored = np.zeros(128, np.float32)
    rows = read(
        [
            Photo("a.jpg", 1, 2, 9, 9, 1, "", [face(embedding=stored, person=0), face(reason="x")]),
            Photo("broken.jpg", 1, 2, error="cut off"),
            Photo(
                "b\udce9,\n.jpg", 1, 2, 9, 9, 1, "",
                [face(reason="near-duplicate", same_as="a-0.jpg", embedding=stored)],
            ),
        ]
    )  # fmt: skip
    assert [row["face"] for row in rows] == ["a-0.jpg", "", ""]
    assert [row["reason"] for row in rows] == ["", "x", "near-duplicate"]
    assert [row["embedding"] for row in rows] == ["0", "", "1"]
    assert [row["person"] for row in rows] == ["0", "", ""]
    assert rows[2]["photo"] == "b\\xe9,\\n.jpg"
    assert rows[2]["same_as"] == "a-0.jpg"
