# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that were rendered last, and what was measured on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ffgan.server.inference.seen import Seen
from ffgan.typing import UInt8


def test_an_image_is_measured_once_as_long_as_it_is_kept() -> None:
    asked: list[tuple[int, tuple[str, ...]]] = []

    def measure(image: UInt8, columns: Sequence[str]) -> dict[str, float]:
        asked.append((int(image[0, 0, 0]), tuple(columns)))
        return {column: float(image[0, 0, 0]) for column in columns}

    seen = Seen(2)
    one, two, three = (np.full((2, 2, 3), value, np.uint8) for value in (1, 2, 3))
    seen.add("a", (one, 0.5))
    seen.add("b", (two, 0.5))
    for image in (one, two, one):
        assert seen.measured(image, ["age"], measure) == {"age": image[0, 0, 0]}
    assert seen.measured(one, ["yaw", "age"], measure) == {"yaw": 1, "age": 1}
    assert asked == [(1, ("age",)), (2, ("age",)), (1, ("yaw",))]
    assert seen.get("a") is not None
    seen.add("c", (three, 0.5))  # "b" was used least recently
    assert seen.get("b") is None
    asked.clear()
    for _ in range(2):  # not kept, as nothing asks for it any more
        assert seen.measured(two, ["age"], measure) == {"age": 2}
    assert asked == [(2, ("age",)), (2, ("age",))]
