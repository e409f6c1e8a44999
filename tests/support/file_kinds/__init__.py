# SPDX-License-Identifier: GPL-3.0-or-later
"""Image files of every kind that comes to mind, each with its right pixels or its refusal."""

from __future__ import annotations

from support.file_kinds import bmps, jpegs, pngs, tiffs, webps
from support.file_kinds.kind import DECODERS, Kind

MODULES = (jpegs, pngs, bmps, tiffs, webps)

KINDS: list[Kind] = [kind for module in MODULES for kind in module.kinds()]

__all__ = ["DECODERS", "KINDS", "Kind"]
