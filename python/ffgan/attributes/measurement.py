# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of faces, as a table with a row for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffgan import _core
from ffgan.attributes import age_and_gender, colours, glasses, landmarks, networks, proportions
from ffgan.attributes.definitions import Attribute, named
from ffgan.attributes.head_pose import HeadPose, head_pose
from ffgan.errors import UsageError
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float32, Float64

Table: TypeAlias = NDArray[np.void]
"""A structured array: a column for each attribute, and for a choice that of its number, too."""

BLOCK: Final = 64
"""Faces of which chips are in memory at a time."""


class _Face:
    """A face whose landmarks and pose are found once, when they are first asked for."""

    def __init__(self, pixels: RGB, robust: bool) -> None:
        self.pixels = pixels
        self._robust = robust

    @cached_property
    def points(self) -> Float64:
        return landmarks.find(self.pixels, 68, robust=self._robust)

    @cached_property
    def five(self) -> Float64:
        return landmarks.find(self.pixels, 5, robust=self._robust)

    @cached_property
    def pose(self) -> HeadPose:
        return head_pose(self.points)

    @cached_property
    def upright(self) -> Float64:
        return proportions.upright(self.points)

    @cached_property
    def unturned(self) -> Float64:
        return proportions.unturned(self.upright, self.pose.yaw)


_MEASURES: Final[dict[str, Callable[[_Face], float]]] = {
    "yaw": lambda face: face.pose.yaw,
    "pitch": lambda face: face.pose.pitch,
    "roll": lambda face: face.pose.roll,
    "smile": lambda face: proportions.smile(face.unturned, face.pose.pitch),
    "mouth_open": lambda face: proportions.mouth_open(face.unturned),
    "eye_open": lambda face: proportions.eye_open(face.unturned),
    "brow_height": lambda face: proportions.brow_height(face.unturned, face.pose.pitch),
    "face_width": lambda face: proportions.face_width(face.upright),
    "skin_tone": lambda face: colours.skin_tone(face.pixels, face.five),
    "hair_lightness": lambda face: colours.hair_lightness(face.pixels),
    "brightness": lambda face: colours.brightness(face.pixels),
    "light": lambda face: colours.light(face.pixels),
    "background": lambda face: colours.background(face.pixels),
    "glasses": lambda face: glasses.probability(face.pixels),
    "sharpness": lambda face: colours.sharpness(face.pixels),
}
"""What is measured on one face at a time, by the column of a table."""


def columns(names: Iterable[str] | None = None) -> np.dtype[np.void]:
    """Return the columns of the table of those attributes; see `measure`."""
    fields: dict[str, Any] = {}
    for one in named(names):
        if one.kind == "choice":
            fields[one.name] = np.dtype((np.str_, max(map(len, one.choices))))
        fields.setdefault(one.column, np.dtype(np.float32))
    return np.dtype(list(fields.items()))


def measure(images: RGB, names: Iterable[str] | None = None, *, robust: bool = True) -> Table:
    """Return the attributes of faces in the training framing, a row for each, (n,) structured.

    ``images`` (n, 162, 162, 3) uint8 RGB: faces as models make them, and as
    `ffgan.faces.align` with ``framing="training"`` cuts them out of photographs. ``names`` of
    `ATTRIBUTES`, None for all: only what they need is computed. A number is a column float32 in the
    attribute's unit; a choice is a column of text, followed by that of the number behind it
    (``male``, the probability, behind ``gender``). What cannot be measured is NaN or empty.
    ``robust``: average over the face and its mirror image, at twice the time.

    All cores are used. A row does not depend on other faces nor on the number of threads. Raises
    `UsageError`, and `ExtraError` where a network or the landmarks are not installed.

    Examples:
        >>> import ffgan
        >>> table = measure(ffgan.generate(2, seed=0), ["yaw", "gender"])
        >>> table.dtype.names
        ('gender', 'male', 'yaw')
    """
    chosen = named(names)
    faces = _checked(images)
    table = np.zeros(len(faces), columns([one.name for one in chosen]))
    with ThreadPoolExecutor(_core.engine()["threads"]) as pool:
        for start in range(0, len(faces), BLOCK):
            rows = slice(start, start + BLOCK)
            _measure(faces[rows], table[rows], robust, pool)
    for one in chosen:
        if one.kind == "choice":
            table[one.name] = _words(one, table[one.column])
    return table


def age_distributions(images: RGB, *, robust: bool = True) -> Float32:
    """Return how probable each age is for faces as in `measure`: (n, 81) float32.

    The ages are 0.25, 1, 2, ... 80 years; ``age`` is the mean. Raises as `measure`.
    """
    faces = _checked(images)
    found = np.empty((len(faces), len(networks.AGES)), np.float32)
    with ThreadPoolExecutor(_core.engine()["threads"]) as pool:
        for start in range(0, len(faces), BLOCK):
            rows = slice(start, start + BLOCK)
            [chips] = _chips(faces[rows], [networks.AGE_SIDE], robust, pool)
            found[rows] = age_and_gender.age_distributions(chips, len(chips) // len(faces[rows]))
    return found


def _measure(faces: RGB, table: Table, robust: bool, pool: ThreadPoolExecutor) -> None:
    """Fill the columns of numbers of a block of faces."""
    wanted = table.dtype.names or ()
    here = [name for name in wanted if name in _MEASURES]

    def one_face(pixels: RGB) -> list[float]:
        face = _Face(pixels, robust)
        return [_MEASURES[name](face) for name in here]

    if here:
        for name, values in zip(here, zip(*_each(pool, one_face, faces), strict=True), strict=True):
            table[name] = values
    sides = {"age": networks.AGE_SIDE, "male": networks.GENDER_SIDE}
    seen = [name for name in sides if name in wanted]
    chips = _chips(faces, [sides[name] for name in seen], robust, pool)
    for name, some in zip(seen, chips, strict=True):
        views = len(some) // len(faces)
        if name == "age":
            ages = age_and_gender.age_distributions(some, views) * networks.AGES
            # A product of matrices would round otherwise for another number of faces.
            table["age"] = ages.sum(axis=1, dtype=np.float64)
        else:
            table["male"] = age_and_gender.male_probabilities(some, views)


def _chips(
    faces: RGB, sides: Sequence[int], robust: bool, pool: ThreadPoolExecutor
) -> Iterator[RGB]:
    """The views of all faces, for each side."""
    if not sides:
        return iter(())
    cut = partial(age_and_gender.views, sides=sides, robust=robust)
    return map(np.concatenate, zip(*_each(pool, cut, faces), strict=True))


_Result = TypeVar("_Result")


def _each(
    pool: ThreadPoolExecutor, function: Callable[[RGB], _Result], faces: RGB
) -> Iterator[_Result]:
    """What the function says of each face; one face needs no other thread."""
    return pool.map(function, faces) if len(faces) > 1 else map(function, faces)


def _words(attribute: Attribute, numbers: Float32) -> list[str]:
    places = np.searchsorted(attribute.bounds, numbers, side="right")
    return [
        "" if math.isnan(number) else attribute.choices[place]
        for number, place in zip(numbers.tolist(), places.tolist(), strict=True)
    ]


def _checked(images: RGB) -> RGB:
    try:
        # In one order: sums in another one are rounded otherwise.
        array = np.ascontiguousarray(images)
    except ValueError as error:
        raise UsageError(f"faces differ in shape, or are none: {error}") from error
    if array.dtype != np.uint8 or array.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE, 3):
        raise UsageError(
            f"faces are {array.dtype} {array.shape}, not uint8 (n, {IMAGE_SIZE}, {IMAGE_SIZE}, 3): "
            "ffgan.faces.align with framing='training' makes them"
        )
    return array
