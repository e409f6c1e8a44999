# SPDX-License-Identifier: GPL-3.0-or-later
"""The API reference in docs/reference names what there is, and all that a script needs first."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
BLOCK = re.compile(r"^::: (\S+)\n((?:    .*\n)+)", re.MULTILINE)
MEMBER = re.compile(r"^ +- (\w+)$", re.MULTILINE)


def documented() -> dict[str, list[str]]:
    """The members shown of each module."""
    found: dict[str, list[str]] = {}
    for page in sorted(REFERENCE.glob("*.md")):
        for module, options in BLOCK.findall(page.read_text("utf-8")):
            found.setdefault(module, []).extend(MEMBER.findall(options))
    return found


@pytest.mark.parametrize(("module", "names"), documented().items())
def test_what_is_shown_exists_and_is_described(module: str, names: list[str]) -> None:
    assert names
    found = importlib.import_module(module)
    undescribed = [name for name in names if not getattr(found, name).__doc__]
    assert undescribed == []


def test_the_package_s_own_names_are_shown() -> None:
    shown = {name for names in documented().values() for name in names}
    assert set(importlib.import_module("ffgan").__all__) - shown == {"__version__"}
