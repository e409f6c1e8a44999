# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces with attributes that are asked for."""

from __future__ import annotations

from ffgan.control.constraints import Constraint, Constraints, Target
from ffgan.control.drawing import attribute_map, draw, face, faces, generate, moved
from ffgan.control.fitted_map import AttributeMap, save
from ffgan.control.fitting import fit
from ffgan.control.people import Identities, Person, Picture, identities
from ffgan.control.solver import ControlledFace, change, check, search
from ffgan.control.varying import Axis, Strip, axes, cells, strip, strips

__all__ = [
    "AttributeMap",
    "Axis",
    "Constraint",
    "Constraints",
    "ControlledFace",
    "Identities",
    "Person",
    "Picture",
    "Strip",
    "Target",
    "attribute_map",
    "axes",
    "cells",
    "change",
    "check",
    "draw",
    "face",
    "faces",
    "fit",
    "generate",
    "identities",
    "moved",
    "save",
    "search",
    "strip",
    "strips",
]
