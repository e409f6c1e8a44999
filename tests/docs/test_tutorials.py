# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the code of docs/tutorials: every block in a page's order, and compares what is shown."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
BLOCK = re.compile(r"^```(python|sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# A page that trains takes several steps of a second and more.
PAGES = [
    "labelled-faces.md",
    pytest.param("own-folder.md", marks=pytest.mark.slow),
    "application.md",
    pytest.param("controlled-faces.md", marks=pytest.mark.slow),
]


def blocks(page: str) -> list[tuple[str, str, str | None]]:
    """The (language, code, shown output) of a page's code blocks; a block of text is output."""
    found: list[tuple[str, str, str | None]] = []
    for match in BLOCK.finditer((TUTORIALS / page).read_text("utf-8")):
        language, text = match.groups()
        if language == "text":
            assert found, f"{page}: output before any code"
            found[-1] = (*found[-1][:2], text)
        else:
            found.append((language, text, None))
    return found


def run_python(code: str, name: str, variables: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), variables)
    return printed.getvalue()


def run_shell(code: str) -> str:
    here = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-e"], input=code, capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_tutorial(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    variables: dict[str, Any] = {"__name__": "tutorial"}
    steps = blocks(page)
    assert steps
    for number, (language, code, shown) in enumerate(steps, start=1):
        printed = (
            run_python(code, f"{page}, block {number}", variables)
            if language == "python"
            else run_shell(code)
        )
        if shown is not None:
            matches = OutputChecker().check_output(shown, printed, ELLIPSIS)
            assert matches, f"{page}, block {number} printed:\n{printed}\nThe page shows:\n{shown}"


def test_a_notebook_is_its_page(load_tool: Callable[[str], ModuleType]) -> None:
    tool = load_tool("tutorial_notebook")
    for path in TUTORIALS.glob("*.ipynb"):
        page = path.with_suffix(".md").read_text("utf-8")
        made = tool.notebook(page)
        assert path.read_text("utf-8") == made, f"python tools/tutorial_notebook.py {path.stem}.md"
        code = ["".join(cell["source"]) for cell in json.loads(made)["cells"]]
        for language, text, _ in blocks(f"{path.stem}.md"):
            assert language == "python"
            assert text.strip() in code


def test_every_tutorial_is_run() -> None:
    named = {page if isinstance(page, str) else page.values[0] for page in PAGES}
    assert {path.name for path in TUTORIALS.glob("*.md")} == named
