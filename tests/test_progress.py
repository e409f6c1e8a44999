# SPDX-License-Identifier: GPL-3.0-or-later
"""What training shows on a terminal and in a log file."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from ffgan.progress import Progress, describe, duration

MEASURES = {"loss_d": 0.913, "loss_g": 1.422, "accuracy_real": 0.81, "accuracy_fake": 0.78}

SHOW = """
from ffgan.progress import Progress, describe
from test_progress import MEASURES
with Progress() as progress:
    progress.update(0.5, "step 50000/100000", "12.3 images/s · 12:10:05 left", describe(MEASURES),
                    line=True)
    progress.say("a line [of] text")
"""


def test_a_duration_has_hours_minutes_and_seconds() -> None:
    assert [duration(s) for s in (0, 59.6, 3599.4, 360000, -3)] == [
        "0:00:00",
        "0:01:00",
        "0:59:59",
        "100:00:00",
        "0:00:00",
    ]


def test_measures_of_both_stages_are_described() -> None:
    assert describe({"loss": 0.10432}) == "loss 0.1043"
    assert describe(MEASURES) == "loss D 0.913 G 1.422 · right on real 0.81 fake 0.78"


def test_without_a_terminal_only_asked_for_lines_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress() as progress:
        progress.update(0.1, "step 1", "fast", "good", line=True)
        progress.update(0.2, "step 2", "fast", "good", line=False)
        progress.update(0.3, "components", "10/20 images", line=True)
    assert capsys.readouterr().err == "step 1 · fast · good\ncomponents · 10/20 images\n"


def test_on_a_terminal_of_80_columns_nothing_is_cut_off() -> None:
    here = os.path.dirname(__file__)
    screen, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    environment["PYTHONPATH"] = os.pathsep.join([here, environment.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, "-c", SHOW], stderr=terminal, env=environment, check=True)
    os.close(terminal)
    shown = os.read(screen, 1 << 16).decode()
    os.close(screen)
    for text in (
        "step 50000/100000",
        "12.3 images/s · 12:10:05 left",
        "loss D 0.913 G 1.422 · right on real 0.81 fake 0.78",
        "a line [of] text",
        "━",
    ):
        assert text in shown
    assert shown.rstrip().endswith("\x1b[?25h")
