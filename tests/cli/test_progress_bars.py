# SPDX-License-Identifier: GPL-3.0-or-later
"""What shows how far a command is, without a terminal."""

from __future__ import annotations

import pytest

from ffgan.cli.progress import progress_bars


def test_lines_are_printed_after_a_while_where_they_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bars(line_every=0.0) as progress:
        progress("detecting faces", 1234, 5000)
    assert capsys.readouterr() == ("", "ffgan: detecting faces: 1,234 of 5,000\n")
    with progress_bars(line_every=60.0) as progress:
        progress("detecting faces", 1234, 5000)
    with progress_bars() as progress:
        progress("detecting faces", 1234, 5000)
    assert capsys.readouterr() == ("", "")
