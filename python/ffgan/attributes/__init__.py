# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face looks like, measured: age, gender, pose, expression, colours and light."""

from __future__ import annotations

from ffgan.attributes.definitions import ATTRIBUTES, Attribute

__all__ = ["ATTRIBUTES", "Attribute"]
