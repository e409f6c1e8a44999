# SPDX-License-Identifier: GPL-3.0-or-later
"""What control measures on a rendered face: the numbers in columns of its attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ffgan import attributes
from ffgan.typing import UInt8

_NAMES: Final = {one.column: one.name for one in reversed(list(attributes.ATTRIBUTES.values()))}
"""Of each column, the first attribute that it is measured for."""


def measured(image: UInt8, columns: Sequence[str]) -> dict[str, float]:
    """Return the numbers in some columns of the attributes of one image. Raises `ExtraError`."""
    table = attributes.measure(image[None], [_NAMES[column] for column in columns])
    return {column: float(table[column][0]) for column in columns}
