# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of settings in the documentation are those of the models."""

from __future__ import annotations

from pathlib import Path

from ffgan.extraction import Settings as ExtractionSettings
from ffgan.settings import BaseSettings, markdown_table

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- settings:begin -->\n", "<!-- settings:end -->"


def shown(page: str) -> str:
    _, _, rest = (DOCS / page).read_text("utf-8").partition(BEGIN)
    table, end, _ = rest.partition(END)
    assert end, f"{page} has no {BEGIN.strip()} or no {END}"
    return table.strip()


def expected(model: type[BaseSettings]) -> str:
    return markdown_table(model).strip()


def test_extract() -> None:
    assert shown("extract.md") == expected(ExtractionSettings)
