# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces with attributes that are asked for."""

from __future__ import annotations

from ffgan.control.constraints import Constraint, Constraints, Target

__all__ = ["Constraint", "Constraints", "Target"]
