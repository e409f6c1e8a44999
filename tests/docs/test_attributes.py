# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes in the documentation are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ffgan
from ffgan.attributes import ATTRIBUTES
from ffgan.control import Constraints, attribute_map

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "attributes.md"
ASKED = re.compile(rf"(?:[?&]|--set )({'|'.join(ATTRIBUTES)})=([^&\s'`\");$]*[^&\s`'\"),;$])")


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_has_its_row(name: str) -> None:
    one = ATTRIBUTES[name]
    choices = ", ".join(one.choices) or f"{one.low:g} to {one.high:g} {one.unit}".rstrip()
    described = one.help.replace("*", r"\*")
    assert f"| `{name}` | {choices} | {described} |" in PAGE.read_text("utf-8").splitlines()


def test_what_the_pages_ask_for_the_packaged_model_can_do() -> None:
    limits = attribute_map(ffgan.load()).limits
    found = 0
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for name, value in ASKED.findall(page.read_text("utf-8")):
            Constraints.of({name: value}).check(limits)
            found += 1
    assert found > 10
