# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of settings in the documentation are those of the models."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.mark.parametrize("page", ["training.md", "extract.md"])
def test_a_page_has_the_table_of_its_settings(
    page: str, load_tool: Callable[[str], ModuleType]
) -> None:
    tool = load_tool("settings_table")
    _, begin, rest = (tool.DOCS / page).read_text("utf-8").partition(tool.BEGIN)
    table, end, _ = rest.partition(tool.END)
    assert begin and end, f"{page} has no place for the table"
    assert table.strip() == tool.tables()[page].strip(), "run python tools/settings_table.py"
