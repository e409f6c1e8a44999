# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of faces and what they have, as text: in files, headers and on the terminal."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence

from ffgan.attributes.definitions import ATTRIBUTES, Attribute
from ffgan.control.constraints import Constraints
from ffgan.control.solver import ControlledFace


def asked_line(wanted: Constraints, hold: Sequence[str] = ()) -> str:
    """What is asked, as a URL's query has it: ``age=60&change=yaw:+5&hold=smile``."""
    parts = [f"{name}={text}" for name, text in wanted.text().items()]
    if changes := wanted.changes_text():
        each = (f"{name}:{text}" for name, text in changes.items())
        parts.append(f"change={','.join(each)}")
    if hold:
        parts.append(f"hold={','.join(hold)}")
    return "&".join(parts)


def asked_text(wanted: Constraints, hold: Sequence[str] = ()) -> dict[str, str]:
    """What is asked of faces, for the metadata of their files: ``set``, ``change``, ``hold``."""
    texts = {
        "set": _pairs(wanted.text()),
        "change": _pairs(wanted.changes_text()),
        "hold": ",".join(hold),
    }
    return {name: text for name, text in texts.items() if text}


def reached_text(face: ControlledFace) -> dict[str, str]:
    """What became of it, for the metadata of a file, by column.

    ``asked``: the values that were aimed at; ``measured``; ``reached``: yes or no.
    """
    return {
        "asked": _pairs({name: f"{one.aim:.4g}" for name, one in face.asked.items()}),
        "measured": _pairs({name: f"{value:.4g}" for name, value in face.attributes.items()}),
        "reached": "yes" if face.reached else "no",
    }


def _pairs(texts: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={text}" for name, text in texts.items())


def shown(one: Attribute, measured: float, more: int = 1) -> str:
    """What was measured: a choice as its word, a number with its decimals and some ``more``.

    "" for what could not be measured.
    """
    if math.isnan(measured):
        return ""
    if one.kind == "choice":
        return one.choices[bisect.bisect_right(one.bounds, measured)]
    decimals = one.decimals + more
    return f"{round(measured, decimals) + 0.0:.{decimals}f}"


def in_a_line(measured: Mapping[str, float]) -> str:
    """What was measured, by column, as ``age=59.6,gender=male``."""
    known = (one for one in ATTRIBUTES.values() if one.column in measured)
    parts = [f"{one.name}={shown(one, measured[one.column])}" for one in known]
    return ",".join(part for part in parts if not part.endswith("="))
