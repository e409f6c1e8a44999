# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets of labelled faces, made in the formats that other programs read."""

from __future__ import annotations

from ffgan.synthesis.drawing import ShortfallError
from ffgan.synthesis.engines import ENGINES
from ffgan.synthesis.making import Made, make
from ffgan.synthesis.settings import Settings

__all__ = ["ENGINES", "Made", "Settings", "ShortfallError", "make"]
