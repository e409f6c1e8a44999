# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces with attributes that are asked for."""

from __future__ import annotations

from ffgan.control.constraints import Constraint, Constraints, Target
from ffgan.control.drawing import attribute_map, face, faces, generate
from ffgan.control.fitted_map import AttributeMap, save
from ffgan.control.fitting import fit
from ffgan.control.solver import ControlledFace, check, search

__all__ = [
    "AttributeMap",
    "Constraint",
    "Constraints",
    "ControlledFace",
    "Target",
    "attribute_map",
    "check",
    "face",
    "faces",
    "fit",
    "generate",
    "save",
    "search",
]
