#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the table of the settings of training into docs/training.md, between its markers.

python tools/settings_table.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from ffgan.training.settings import table

GUIDE = Path(__file__).parents[1] / "docs" / "training.md"
BEGIN, END = "<!-- settings:begin -->\n", "<!-- settings:end -->"


def main() -> None:
    text = GUIDE.read_text("utf-8")
    if BEGIN not in text or END not in text:
        sys.exit(f"error: {GUIDE} has no markers {BEGIN.strip()} and {END}")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    GUIDE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
