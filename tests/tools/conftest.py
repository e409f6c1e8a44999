# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools run in this process, as a user starts them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import pytest
from support.training_fixtures import faces as faces
from support.training_fixtures import real as real
from support.training_fixtures import strangers as strangers


@dataclass(frozen=True)
class Done:
    """How a tool ended; ``error``: what it says to the user on the standard error."""

    code: int
    out: str
    error: str


@pytest.fixture
def run_tool(
    load_tool: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Done]:
    """A function that runs tools/NAME.py with arguments."""

    def run(name: str, *arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        try:
            load_tool(name).main()
        except SystemExit as end:
            assert isinstance(end.code, str), "an error is one line"
            return Done(1, capsys.readouterr().out, f"{end.code}\n")
        captured = capsys.readouterr()
        return Done(0, captured.out, captured.err)

    return run
