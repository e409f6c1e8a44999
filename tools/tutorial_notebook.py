# SPDX-License-Identifier: GPL-3.0-or-later
"""A tutorial of docs/tutorials as a Jupyter notebook, beside the page.

    python tools/tutorial_notebook.py docs/tutorials/controlled-faces.md
    python tools/tutorial_notebook.py --run docs/tutorials/classifier.md

Text becomes cells of Markdown, Python becomes cells of code with the output that the page shows.
The page stays what is edited; tests/docs/test_tutorials.py runs it and compares the two. With
--run the page's code runs first, in the current folder, and what it prints is put into the page.
"""

from __future__ import annotations

import contextlib
import io
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


def executed(page: str) -> str:
    """The page with the output that its Python has here and now, instead of what it shows."""
    parts: list[str] = []
    variables: dict[str, Any] = {"__name__": "tutorial"}
    end = 0
    for block in BLOCK.finditer(page):
        language, text = block.groups()
        before = page[end : block.start()]
        end = block.end()
        if language == "text":  # it stands behind the code that printed it
            continue
        parts += [before, block[0]]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, "tutorial", "exec"), variables)
        if printed.getvalue():
            parts.append(f"\n```text\n{printed.getvalue().rstrip()}\n```\n")
    return "".join(parts) + page[end:]


def main(arguments: list[str]) -> int:
    run = arguments[:1] == ["--run"]
    if len(arguments) != 1 + run:
        print(__doc__, file=sys.stderr)
        return 2
    page = Path(arguments[-1])
    if run:
        page.write_text(executed(page.read_text("utf-8")), "utf-8")
    page.with_suffix(".ipynb").write_text(notebook(page.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
