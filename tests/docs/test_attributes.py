# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of attributes in the documentation is that of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffgan.attributes import ATTRIBUTES

PAGE = Path(__file__).parents[2] / "docs" / "attributes.md"


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_has_its_row(name: str) -> None:
    one = ATTRIBUTES[name]
    choices = ", ".join(one.choices) or f"{one.low:g} to {one.high:g} {one.unit}".rstrip()
    described = one.help.replace("*", r"\*")
    assert f"| `{name}` | {choices} | {described} |" in PAGE.read_text("utf-8").splitlines()
