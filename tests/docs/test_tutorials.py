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

import ffgan
from ffgan import images

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
BLOCK = re.compile(r"^```(python|sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# A page that trains takes several steps of a second and more.
PAGES = [
    "labelled-faces.md",
    pytest.param("own-folder.md", marks=pytest.mark.slow),
    "application.md",
    pytest.param("controlled-faces.md", marks=pytest.mark.slow),
]

# A page that took an hour is run on little: what it says by numbers is its own.
LONG = "classifier.md"
LESS = {
    "TRAIN, TEST, EPOCHS = 20_000, 4_000, 8\n": "TRAIN, TEST, EPOCHS = 200, 100, 1\n",
    "ASKED = 200\n": "ASKED = 2\n",
}


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


def kinds(text: str) -> list[str]:
    """The lines of an output without its numbers, each once."""
    return list(dict.fromkeys(re.sub(r"\d[\d.,]*", "N", line) for line in text.splitlines()))


@pytest.mark.slow
def test_the_long_tutorial_on_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed (pip install '.[oracle]')")
    monkeypatch.chdir(tmp_path)
    others = tmp_path / "heldout"
    others.mkdir()
    for number, face in enumerate(ffgan.generate(60, seed=50)):
        images.save(others / f"{number:02}.png", face)
    variables: dict[str, Any] = {"__name__": "tutorial"}
    said = dict.fromkeys(LESS, 0)
    for number, (language, code, shown) in enumerate(blocks(LONG), start=1):
        assert language == "python"
        for long, short in LESS.items():
            said[long] += code.count(long)
            code = code.replace(long, short)
        printed = run_python(code, f"{LONG}, block {number}", variables)
        assert kinds(printed) == kinds(shown or ""), number
    assert set(said.values()) == {1}
    assert images.dimensions(Path("errors.jpg").read_bytes())[0] == 768


def test_the_output_of_a_page_is_made_anew(load_tool: Callable[[str], ModuleType]) -> None:
    page = (
        "# A\n\n```python\nx = 2\nprint(x)\n```\n\n```text\n1\n```\n\nB\n\n```python\nx += 1\n```\n"
    )
    tool = load_tool("tutorial_notebook")
    made = tool.executed(page)
    assert made == page.replace("text\n1\n", "text\n2\n")
    assert tool.executed(made) == made
    assert tool.executed(made.replace("\n```text\n2\n```\n", "")) == made


def test_a_notebook_is_its_page(load_tool: Callable[[str], ModuleType]) -> None:
    tool = load_tool("tutorial_notebook")
    for path in TUTORIALS.glob("*.ipynb"):
        page = path.with_suffix(".md").read_text("utf-8")
        made = tool.notebook(page)
        assert len(made) < 300_000
        assert path.read_text("utf-8") == made, f"python tools/tutorial_notebook.py {path.stem}.md"
        code = ["".join(cell["source"]) for cell in json.loads(made)["cells"]]
        for language, text, _ in blocks(f"{path.stem}.md"):
            assert language == "python"
            assert text.strip() in code


def test_every_tutorial_is_run() -> None:
    named = {page if isinstance(page, str) else page.values[0] for page in PAGES}
    assert {path.name for path in TUTORIALS.glob("*.md")} == named | {LONG}
