# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of faces on the command line, and what is told of it afterwards.

`ffgan.control` is imported where something is asked: free faces do not wait for it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffgan.errors import UsageError
from ffgan.model import Face, Model
from ffgan.wording import counted

if TYPE_CHECKING:
    from ffgan.attributes import Attribute
    from ffgan.control import Constraints, ControlledFace


def add_asked(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the options that say what the faces are to look like."""
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an attribute's value: a number, a range 20..40, a word, or several with commas; "
        "may be given for several attributes; `ffgan info` lists them with what the model can do "
        "(default: nothing is asked)",
    )
    parser.add_argument(
        "--change",
        metavar="NAME=AMOUNT",
        action="append",
        default=[],
        help="by how much an attribute is to differ from the seed's own face (default: nothing is "
        "changed)",
    )
    parser.add_argument(
        "--hold",
        metavar="NAME,...",
        type=names,
        default=[],
        help="attributes that must stay as in the seed's own face (default: the others stay as "
        "far as that is possible)",
    )


def names(text: str) -> list[str]:
    """An argument type: names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def constraints(arguments: argparse.Namespace) -> Constraints | None:
    """What --set and --change ask for; None where nothing is asked."""
    if not (arguments.set or arguments.change):
        if arguments.hold and not arguments.vary:
            raise UsageError("--hold needs --set, --change or --vary: without them nothing changes")
        return None
    from ffgan.control import Constraints

    return Constraints.parse(arguments.set, arguments.change)


def varied(texts: Sequence[str]) -> dict[str, str | None]:
    """The attributes of --vary with the values to be taken, None for all."""
    found: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name or (equals and not value):
            raise UsageError(f"--vary {text!r}: give NAME or NAME=LOW..HIGH, such as age=20..60")
        if name in found:
            raise UsageError(f"--vary {name} is given twice: give another attribute")
        found[name] = value if equals else None
    return found


def start_of(path: Path, model: Model) -> Face:
    """The face of a latent in a file, which has no seed: 0 decides where something is drawn."""
    from ffgan.projection import load_latent

    latent = load_latent(path, model)
    image = model.render(latent[None])
    return Face(image[0], 0, latent, 1, float(model.score(image)[0]))


# --- What is told ---


def by_column(column: str, asked: Mapping[str, object] | None = None) -> Attribute:
    """The attribute of a column: the one that is asked for, where several have it."""
    from ffgan.attributes import ATTRIBUTES

    of = [one for one in ATTRIBUTES.values() if one.column == column]
    return next((one for one in of if one.name in (asked or {})), of[0])


def asked_text(wanted: Constraints, hold: Sequence[str]) -> dict[str, str]:
    """What is asked of all faces, for the metadata of their pictures."""
    from ffgan.control import text

    return text.asked_text(wanted, hold)


def face_text(face: Any, model: str) -> dict[str, str]:
    """What a controlled face of the model of that hash adds to its picture's metadata.

    Its latent is among it, as --latent takes it. Other faces add nothing.
    """
    if not hasattr(face, "attributes"):
        return {}
    from ffgan.control.text import reached_text
    from ffgan.projection.latent_file import METADATA_KEY, latent_text

    return {**reached_text(face), METADATA_KEY: latent_text(face.latent, model)}


class Report:
    """What became of the faces that something was asked of."""

    MOST_LINES = 16

    def __init__(self, wanted: Constraints) -> None:
        self._asked = {**wanted.text(), **wanted.changes_text()}
        self._errors: dict[str, list[float]] = {}
        self._count = self._reached = 0
        self._lines: list[str] = []

    def add(self, face: ControlledFace, name: str) -> None:
        self._count += 1
        self._reached += face.reached
        for column, target in face.asked.items():
            self._errors.setdefault(column, []).append(
                max(target.low - face.attributes[column], face.attributes[column] - target.high, 0)
                if by_column(column, self._asked).kind == "choice"
                else abs(face.attributes[column] - target.aim)
            )
        self._lines.append(f"{name}: {self.line(face)}")
        if self._count > self.MOST_LINES:
            self._lines.clear()

    def line(self, face: ControlledFace) -> str:
        """What one face has of what was asked for, and how far it is from the seed's own."""
        from ffgan.control.text import shown

        parts = []
        for column, target in face.asked.items():
            attribute, value = by_column(column, self._asked), face.attributes[column]
            text = f"{attribute.name} {shown(attribute, value, 0) or 'unknown'}"
            aim = shown(attribute, target.aim, 0)
            if aim and not target.low <= value <= target.high:
                text += f" (not {aim})"
            parts.append(text)
        if face.distance is not None:
            parts.append(f"distance {face.distance:.2f}")
        return ", ".join(parts)

    def lines(self) -> list[str]:
        """A line for each face, where they are few, and one for all."""
        if not self._count:
            return []
        all_of = "all" if self._reached == self._count else f"{self._reached:,}"
        text = f"{all_of} of {counted(self._count, 'face')} reached what was asked"
        errors = []
        for column, values in self._errors.items():
            attribute = by_column(column, self._asked)
            known = [value for value in values if not math.isnan(value)]
            if attribute.kind == "number" and known:
                mean = sum(known) / len(known)
                error = f"{attribute.name} {mean:.{max(attribute.decimals, 1)}f}"
                errors.append(f"{error} {attribute.unit}".rstrip())
        if errors:
            text += f"; mean error: {', '.join(errors)}"
        return [*self._lines, text]
