#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the tables of settings into the documentation, between the markers of each page.

python tools/settings_table.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from ffgan.extraction import Settings as ExtractionSettings
from ffgan.settings import markdown_table
from ffgan.training import settings as training

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- settings:begin -->\n", "<!-- settings:end -->"


def tables() -> dict[str, str]:
    """The table of each page of the documentation that has one."""
    return {"training.md": training.table(), "extract.md": markdown_table(ExtractionSettings)}


def main() -> None:
    for name, table in tables().items():
        page = DOCS / name
        before, begin, rest = page.read_text("utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            sys.exit(f"error: {page} has no {BEGIN.strip()} or no {END}")
        page.write_text(f"{before}{begin}\n{table}\n{end}{after}", "utf-8")


if __name__ == "__main__":
    main()
