# SPDX-License-Identifier: GPL-3.0-or-later
"""A tutorial of docs/tutorials as a Jupyter notebook, beside the page.

    python tools/tutorial_notebook.py docs/tutorials/controlled-faces.md

Text becomes cells of Markdown, Python becomes cells of code with the output that the page shows.
The page stays what is edited; tests/docs/test_tutorials.py runs it and compares the two.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(python|text)\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)


def notebook(page: str) -> str:
    """The notebook of a page, as JSON (nbformat 4.5)."""
    cells: list[dict[str, Any]] = []

    def add(kind: str, text: str, **more: Any) -> None:
        if text.strip():
            lines = text.strip("\n").splitlines(keepends=True)
            cell = {"cell_type": kind, "id": f"cell-{len(cells)}", "metadata": {}, "source": lines}
            cells.append({**cell, **more})

    end = 0
    for block in BLOCK.finditer(page):
        add("markdown", page[end : block.start()])
        language, text = block.groups()
        if language == "python":
            add("code", text, execution_count=None, outputs=[])
        elif not page[end : block.start()].strip():
            output = {"output_type": "stream", "name": "stdout"}
            cells[-1]["outputs"].append({**output, "text": text.splitlines(keepends=True)})
        else:
            raise ValueError(f"output without code before it: {text}")
        end = block.end()
    add("markdown", page[end:])
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    page = Path(arguments[0])
    page.with_suffix(".ipynb").write_text(notebook(page.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
