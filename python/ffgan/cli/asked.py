# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of faces on the command line, and what is told of it afterwards.

`ffgan.control` is imported where something is asked: free faces do not wait for it.
"""

from __future__ import annotations

import argparse
import bisect
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
        "may be given for several attributes (default: nothing is asked)",
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
            raise UsageError("--hold is for what --set, --change or --vary would change")
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


def written(attribute: Attribute, value: float) -> str:
    """A measured value as a reader wants it: a number in the decimals worth showing, or a word."""
    if not math.isfinite(value):
        return "unknown"
    if attribute.kind == "choice":
        return attribute.choices[bisect.bisect_right(attribute.bounds, value)]
    return f"{round(value, attribute.decimals) + 0.0:.{attribute.decimals}f}"


def by_column(column: str, asked: Mapping[str, object] | None = None) -> Attribute:
    """The attribute of a column: the one that is asked for, where several have it."""
    from ffgan.attributes import ATTRIBUTES

    of = [one for one in ATTRIBUTES.values() if one.column == column]
    return next((one for one in of if one.name in (asked or {})), of[0])


def measured_text(values: Mapping[str, float]) -> str:
    """The measured columns of a face, for the metadata of its picture."""
    return "; ".join(f"{name}={value:.4g}" for name, value in values.items())


def asked_text(wanted: Constraints, hold: Sequence[str]) -> dict[str, str]:
    """What is asked of all faces, for the metadata of their pictures."""
    texts = {
        "set": "; ".join(f"{name}={value}" for name, value in wanted.text().items()),
        "change": "; ".join(f"{name}={value}" for name, value in wanted.changes_text().items()),
        "hold": ",".join(hold),
    }
    return {name: text for name, text in texts.items() if text}


def face_text(face: Any, model: str) -> dict[str, str]:
    """What a controlled face of the model of that hash adds to its picture's metadata.

    Its latent is among it, as --latent takes it. Other faces add nothing.
    """
    if not hasattr(face, "attributes"):
        return {}
    from ffgan.projection.latent_file import METADATA_KEY, latent_text

    return {
        "asked": "; ".join(f"{name}={one.aim:.4g}" for name, one in face.asked.items()),
        "measured": measured_text(face.attributes),
        "reached": "yes" if face.reached else "no",
        METADATA_KEY: latent_text(face.latent, model),
    }


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
        parts = []
        for column, target in face.asked.items():
            attribute, value = by_column(column, self._asked), face.attributes[column]
            text = f"{attribute.name} {written(attribute, value)}"
            if not target.low <= value <= target.high:
                text += f" (not {written(attribute, target.aim)})"
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
            if attribute.kind == "number":
                mean = sum(values) / len(values)
                error = f"{attribute.name} {mean:.{max(attribute.decimals, 1)}f}"
                errors.append(f"{error} {attribute.unit}".rstrip())
        if errors:
            text += f"; mean error: {', '.join(errors)}"
        return [*self._lines, text]
