# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan web`: the file of tokens, and one process only."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffgan import cli
from ffgan.cli.web import read_tokens
from ffgan.errors import UsageError


def test_token_file_has_a_token_a_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("one\n\n  two  \n")
    assert read_tokens(file) == ("one", "two")
    file.write_text("\n")
    with pytest.raises(UsageError, match="holds no token"):
        read_tokens(file)
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not ASCII"):
        read_tokens(file)
    with pytest.raises(UsageError, match="No such file"):
        read_tokens(tmp_path / "none")


def test_several_workers_are_one_line_with_the_alternative(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["web", "--workers", "2"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "uvicorn --factory ffgan.server:create_app --workers" in line
