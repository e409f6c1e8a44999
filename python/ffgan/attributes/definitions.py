# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of a face by name: unit, range, choices and what each means.

The command line, the server, the page and the documentation read this table.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from ffgan.errors import UsageError

Kind: TypeAlias = Literal["number", "choice"]


@dataclass(frozen=True)
class Attribute:
    """What is measured on a face.

    A "number" lies from ``low`` to ``high`` on almost all faces, the ends of a slider, and has
    ``decimals`` worth showing; a value that is asked for is reached when within ``tolerance``. A
    "choice" is one of ``choices``, the word for where the number in ``column`` lies: the first one
    below the first of ``bounds``, the last one from the last of them on. Its ``low``, ``high`` and
    ``tolerance`` are of that number. ``network``: whether a network has to run for it.
    """

    name: str
    title: str
    help: str
    low: float
    high: float
    tolerance: float
    unit: str = ""
    decimals: int = 2
    kind: Kind = "number"
    choices: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    of: str = ""
    network: bool = False

    @property
    def column(self) -> str:
        """The column of a table of measurements that holds it as a number."""
        return self.of or self.name

    @property
    def example(self) -> str:
        """A range such as may be asked for: the middle half of what almost all faces have."""
        quarter = (self.high - self.low) / 4
        return f"{self.low + quarter:.3g}..{self.high - quarter:.3g}"

    def range_of(self, choice: str) -> tuple[float, float]:
        """Return from where to where the number in ``column`` lies for one of the choices.

        Open ends are infinite. Raises `UsageError` for another word.
        """
        if choice not in self.choices:
            raise UsageError(
                f"{self.name} {choice!r}: give one of {', '.join(self.choices)}"
                + _did_you_mean(choice, self.choices)
            )
        place = self.choices.index(choice)
        ends = (-math.inf, *self.bounds, math.inf)
        return ends[place], ends[place + 1]


_MEANT: Final = {
    "boy": "male",
    "f": "female",
    "girl": "female",
    "m": "male",
    "man": "male",
    "woman": "female",
    "blond": "fair",
    "blonde": "fair",
    "grey": "fair",
    "female": "gender",
    "male": "gender",
    "sex": "gender",
}
"""Other words for names and choices, which no likeness of letters leads to."""

TONES: Final = ("dark", "brown", "tan", "intermediate", "light", "very light")
"""Groups of the skin tone (Del Bino and Bernerd 2013), from the lowest angle on."""

_ALL: Final = (
    Attribute(
        "age",
        "Age",
        "how old the face looks",
        low=0,
        high=80,
        tolerance=3,
        unit="years",
        decimals=0,
        network=True,
    ),
    Attribute(
        "gender",
        "Gender",
        "female or male, as the network's authors call what it tells apart",
        low=0,
        high=1,
        tolerance=0.5,
        kind="choice",
        choices=("female", "male"),
        bounds=(0.5,),
        of="male",
        network=True,
    ),
    Attribute(
        "yaw",
        "Turned",
        "where the head is turned: to the right in the image above 0",
        low=-30,
        high=30,
        tolerance=3,
        unit="degrees",
        decimals=0,
    ),
    Attribute(
        "pitch",
        "Lowered",
        "how far the head is lowered: looking down above 0",
        low=-15,
        high=15,
        tolerance=3,
        unit="degrees",
        decimals=0,
    ),
    Attribute(
        "roll",
        "Leaning",
        "how far the head leans: clockwise above 0; next to 0 once a face is cut out upright",
        low=-15,
        high=15,
        tolerance=2,
        unit="degrees",
        decimals=0,
    ),
    Attribute("smile", "Smile", "none at 0, broad at 1", low=0, high=1, tolerance=0.1),
    Attribute(
        "mouth_open",
        "Mouth opening",
        "the gap between the lips, by the distance between the eyes",
        low=0,
        high=0.25,
        tolerance=0.025,
    ),
    Attribute(
        "eye_open",
        "Eye opening",
        "the height of the eyes, by their width",
        low=0.18,
        high=0.38,
        tolerance=0.02,
    ),
    Attribute(
        "brow_height",
        "Brow height",
        "from the eyes to the brows, by the distance between the eyes",
        low=0.2,
        high=0.38,
        tolerance=0.018,
    ),
    Attribute(
        "face_width",
        "Face width",
        "the width of the jaw, by the height from the eyes to the chin",
        low=1.05,
        high=1.4,
        tolerance=0.035,
    ),
    Attribute(
        "skin_tone",
        "Skin tone",
        "the individual typology angle of the cheeks: dark skin below -30, very light above 55",
        low=-45,
        high=75,
        tolerance=5,
        unit="degrees",
        decimals=0,
    ),
    Attribute(
        "tone",
        "Tone group",
        "the group of the skin tone",
        low=-45,
        high=75,
        tolerance=5,
        kind="choice",
        choices=TONES,
        bounds=(-30, 10, 28, 41, 55),
        of="skin_tone",
    ),
    Attribute(
        "hair_lightness",
        "Hair lightness",
        "the lightness L* above and beside the forehead: black at 0, white at 100",
        low=5,
        high=80,
        tolerance=6,
        decimals=0,
    ),
    Attribute(
        "hair",
        "Hair",
        "the group of the hair's lightness; grey hair counts as fair",
        low=5,
        high=80,
        tolerance=6,
        kind="choice",
        choices=("black", "dark", "medium", "fair"),
        bounds=(14, 28, 45),
        of="hair_lightness",
    ),
    Attribute(
        "brightness",
        "Brightness",
        "the lightness L* of the face: black at 0, white at 100",
        low=35,
        high=75,
        tolerance=4,
        decimals=0,
    ),
    Attribute(
        "light",
        "Light",
        "by how much L* the right half of the face is lighter in the image than the left",
        low=-20,
        high=20,
        tolerance=3,
        decimals=0,
    ),
    Attribute(
        "background",
        "Background",
        "the lightness L* in the upper corners: black at 0, white at 100",
        low=0,
        high=80,
        tolerance=6,
        decimals=0,
    ),
    Attribute(
        "glasses",
        "Glasses",
        "how surely the face wears glasses: surely none at 0, surely some at 1",
        low=0,
        high=1,
        tolerance=0.25,
        unit="probability",
    ),
    Attribute(
        "sharpness",
        "Sharpness",
        "how much of its detail another blur would take: 1.5 where blurred, 3 where sharp",
        low=1.5,
        high=4.5,
        tolerance=0.25,
    ),
)

ATTRIBUTES: Final[Mapping[str, Attribute]] = MappingProxyType({one.name: one for one in _ALL})
"""Each `Attribute` by its name, in the order of tables and pages."""


def named(names: Iterable[str] | None = None) -> list[Attribute]:
    """Return the attributes of those names, each once, in the table's order; None: all.

    Raises `UsageError` for a name that is not in `ATTRIBUTES`.
    """
    if names is None:
        return list(_ALL)
    wanted = [names] if isinstance(names, str) else names
    if not isinstance(wanted, Iterable):
        raise UsageError(f"attributes {names!r}: give names, such as ['age', 'smile']")
    wanted = list(wanted)
    for name in wanted:
        if not isinstance(name, str) or name not in ATTRIBUTES:
            raise UsageError(
                f"unknown attribute {name!r}"
                + (_did_you_mean(name, ATTRIBUTES) or f": give one of {', '.join(ATTRIBUTES)}")
            )
    return [one for one in _ALL if one.name in wanted]


def _did_you_mean(word: object, words: Iterable[str]) -> str:
    near = nearest_name(word, words) if isinstance(word, str) else None
    return f"; did you mean {near!r}?" if near else ""


def nearest_name(word: str, words: Iterable[str]) -> str | None:
    """Return the one of ``words``, names of attributes or choices, that was most likely meant."""
    known, word = list(words), word.lower()
    meant = _MEANT.get(word)
    if meant in known:
        return meant
    return next(iter(difflib.get_close_matches(word, known, 1)), None)
