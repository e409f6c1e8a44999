# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the repository that the documentation names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FOLDERS = "benchmarks|cmake|docs|python|src|tests|tools|weights"
PATH = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})(?:/[\w.-]+)+/?")
PAGES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "weights/*.md")
    for path in REPOSITORY.glob(pattern)
    if path.name != "CHANGELOG.md"  # speaks of the past
)


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page: str) -> None:
    text = (REPOSITORY / page).read_text("utf-8")
    named = {match.rstrip(".") for match in PATH.findall(text)}
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []
