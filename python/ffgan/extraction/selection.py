# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the detected faces are kept: by quality, duplicates, and faces per person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from ffgan.extraction import perceptual_hash, quality
from ffgan.extraction.journal import DetectedFace, Photo
from ffgan.extraction.settings import Settings
from ffgan.faces import clustering
from ffgan.typing import Float32, Int64

Place: TypeAlias = tuple[Photo, int]
"""A face: its photograph, and its index there."""

DUPLICATE: Final = "near-duplicate"
CROWDED: Final = "enough of this person"
OUT_OF_REACH: Final = "cannot be read now"
"""The reason where a face would be kept, and its photograph is needed for it and cannot be read."""

REASONS: Final = (*quality.REASONS, DUPLICATE, CROWDED, OUT_OF_REACH)


def select(
    photos: Sequence[Photo],
    settings: Settings,
    fault: Callable[[Photo, DetectedFace], str],
    embed: Callable[[list[Place]], None],
) -> None:
    """Decide of each face whether it is kept: its ``reason``, ``same_as`` and ``person``.

    ``fault`` returns the reason against a face by itself; ``embed`` computes the embeddings that
    are missing of some faces, of all whose photographs can be read.
    """
    left: list[Place] = []
    for photo in photos:
        for index, face in enumerate(photo.faces):
            face.reason, face.same_as, face.person = fault(photo, face), "", None
            if not face.reason:
                left.append((photo, index))
    if settings.duplicates == "hash":
        hashes = [photo.faces[index].hash for photo, index in left]
        left = _without_duplicates(left, perceptual_hash.same_hash(hashes), settings)
    if settings.embeds:
        embed([place for place in left if _face(place).embedding is None])
        for place in left:
            if _face(place).embedding is None:
                _face(place).reason = OUT_OF_REACH
        left = [place for place in left if not _face(place).reason]
        if settings.duplicates == "embedding":
            pairs = clustering.near(_embeddings(left), perceptual_hash.SAME_EMBEDDING)
            left = _without_duplicates(left, pairs, settings)
        _cluster(left, settings)


def _face(place: Place) -> DetectedFace:
    return place[0].faces[place[1]]


def _without_duplicates(left: list[Place], pairs: Int64, settings: Settings) -> list[Place]:
    for group in clustering.groups(len(left), pairs):
        best, *others = sorted(group, key=lambda i: _rank(left[i], settings))
        photo, index = left[best]
        for other in others:
            face = _face(left[other])
            face.reason, face.same_as = DUPLICATE, photo.chip(index, settings.format)
    return [place for place in left if not _face(place).reason]


def _embeddings(left: list[Place]) -> Float32:
    return np.array([_face(place).embedding for place in left], np.float32).reshape(-1, 128)


def _cluster(left: list[Place], settings: Settings) -> None:
    of_person: Counter[int] = Counter()
    people = clustering.cluster(_embeddings(left)).tolist()
    for place, person in sorted(
        zip(left, people, strict=True), key=lambda each: _rank(each[0], settings)
    ):
        face = _face(place)
        face.person = person
        of_person[person] += 1
        most = settings.per_identity
        if most is not None and of_person[person] > most:
            face.reason = CROWDED


def _rank(place: Place, settings: Settings) -> tuple[float, str, int]:
    """Sorts the best first: that with the most detail in its chip."""
    photo, index = place
    face = photo.faces[index]
    pixels = min(face.square[2] * photo.scale, settings.chips[1])
    return -pixels * face.appearance.sharpness, photo.name, index
