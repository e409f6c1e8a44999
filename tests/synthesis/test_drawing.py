# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces are measured while the next ones are drawn, and the set is the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ffgan import _core, attributes
from ffgan.model import Model
from ffgan.synthesis import drawing, make


@pytest.fixture
def threads() -> Iterator[None]:
    before = _core.engine()["threads"]
    yield
    _core.set_threads(before)


def test_the_bytes_do_not_depend_on_what_is_measured_together_nor_on_threads(
    packaged: Model,
    tmp_path: Path,
    content,
    threads: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    for block, count in ((32, 2), (3, 2), (5, 1)):
        monkeypatch.setattr(drawing, "BLOCK", block)
        _core.set_threads(count)
        out = tmp_path / f"{block}-{count}"
        make(out, 12, model=packaged, attributes=["sharpness", "background"], balance=["light"])
        made.append(content(out))
    assert made[0] == made[1] == made[2]


def test_the_next_faces_are_drawn_while_some_are_measured(
    packaged: Model, threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _core.set_threads(2)
    faces = list(packaged.faces(12, seed=1))
    second_block_came = threading.Event()

    def drawn() -> Iterator[object]:
        for place, face in enumerate(faces):
            if place == 4:
                second_block_came.set()
            yield face

    measure = attributes.measure

    def waiting(images: np.ndarray, names: list[str]) -> np.ndarray:
        assert second_block_came.wait(60), "nothing was drawn meanwhile"
        return measure(images, names)

    monkeypatch.setattr(attributes, "measure", waiting)
    monkeypatch.setattr(drawing, "BLOCK", 4)
    found = list(drawing.measured(drawn(), ["sharpness"]))
    assert [face for face, _ in found] == faces
    expected = measure(np.stack([face.image for face in faces]), ["sharpness"])["sharpness"]
    assert [values["sharpness"] for _, values in found] == expected.tolist()


def test_who_has_enough_waits_for_no_more_faces(packaged: Model, threads: None) -> None:
    _core.set_threads(2)
    drawn = 0

    def endless() -> Iterator[object]:
        nonlocal drawn
        for face in packaged.faces(10_000, seed=2):
            drawn += 1
            yield face

    some = drawing.measured(endless(), ["sharpness"])
    next(some)
    some.close()
    assert drawn == 2 * drawing.BLOCK
