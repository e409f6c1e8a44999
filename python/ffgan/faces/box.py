# SPDX-License-Identifier: GPL-3.0-or-later
"""A face's place in an image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """Where a face is: `image[top:bottom, left:right]`, in pixels; it may reach beyond the image.

    ``confidence`` is the detector's score, above its threshold of 0 where it is sure.
    """

    left: int
    top: int
    right: int
    bottom: int
    confidence: float
