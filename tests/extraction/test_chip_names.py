# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of faces: one dot, and never the same for two faces."""

from __future__ import annotations

import itertools
import os

import pytest

from ffgan.extraction.chip_names import chip_name, earlier_chip_name, renamings


@pytest.mark.parametrize(
    ("photo", "chip"),
    [
        ("photo.jpg", "photo-0.jpg"),
        ("below.2/photo.jpg", "below.2/photo-0.jpg"),
        ("IMG-1234.jpg", "IMG-1234-0.jpg"),
        ("photo.png", "photo-png-0.jpg"),
        ("IMG_1.JPG", "IMG_1-JPG-0.jpg"),
        ("photo-png.jpg", "photo-png-jpg-95dcff1c8721-0.jpg"),
        ("2024.05.jpg", "2024-05-jpg-b5fd74d562cc-0.jpg"),
    ],
)
def test_the_names_of_faces(photo: str, chip: str) -> None:
    """They are promised: other programs keep them."""
    assert chip_name(photo, 0, "jpg") == chip


def test_no_two_faces_have_one_name_and_no_name_has_two_dots() -> None:
    stems = [
        "a",
        "a-0",
        "a-1-0",
        "a-png",
        "a-jpg",
        "a.jpg",
        "a.b",
        "a-b",
        "a.png-0",
        ".a",
        "A",
        "\udce9",
    ]
    endings = ["", ".", ".jpg", ".JPG", ".jpeg", ".png", ".heic", ".x", ".jpg.png"]
    photos = [f"{stem}{ending}" for stem, ending in itertools.product(stems, endings)]
    names = [
        chip_name(photo, face, "png") for photo in dict.fromkeys(photos) for face in (0, 1, 10)
    ]
    assert len(set(names)) == len(names)
    assert all(os.fsencode(name).count(b".") == 1 for name in names)
    long = [
        chip_name(f"below/{letter}{'x' * 250}{end}", 0, "jpg")
        for letter in "ab"
        for end in (".jpg", ".png")
    ]
    assert len(set(long)) == 4
    assert all(len(name.partition("/")[2]) == 255 for name in long)


def test_a_name_is_free_before_another_face_takes_it() -> None:
    there = {
        earlier_chip_name("a", 0, "jpg"): "of a",
        earlier_chip_name("a.jpg", 0, "jpg"): "of a.jpg",
    }
    for _ in range(2):  # also where it was stopped before it was noted
        for before, after in renamings([("a.jpg", 1), ("a", 1)], "jpg"):
            if before in there and after not in there:
                there[after] = there.pop(before)
    assert there == {chip_name("a", 0, "jpg"): "of a", "a-0.jpg": "of a.jpg"}
