# SPDX-License-Identifier: GPL-3.0-or-later
"""What training shows on a terminal and in a log file."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from ffgan.cli.progress import TrainingBar, describe
from ffgan.progress import Progress

MEASURES = {"loss_d": 0.913, "loss_g": 1.422, "accuracy_real": 0.81, "accuracy_fake": 0.78}

SHOW = f"""
from ffgan.cli.progress import TrainingBar
from ffgan.progress import Progress
with TrainingBar() as bar:
    bar.show(Progress("adversarial", 50000, 100000, 0.5, 12.34, 43805.0, {MEASURES}))
    bar.say("a line [of] text")
"""


def test_measures_of_both_stages_are_described() -> None:
    assert describe({"loss": 0.10432}) == "loss 0.1043"
    assert describe(MEASURES) == "loss D 0.913 G 1.422 · right on real 0.81 fake 0.78"


def test_without_a_terminal_only_what_is_notable_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    step = {"fraction": 0.1, "images_per_second": 12.34, "seconds_left": 59.6}
    with TrainingBar() as bar:
        bar.show(Progress("adversarial", 1, 8, **step, measures=MEASURES, notable=True))  # type: ignore[arg-type]
        bar.show(Progress("adversarial", 2, 8, **step, measures=MEASURES))  # type: ignore[arg-type]
        bar.show(Progress("warm start", 3, None, **step, notable=True))  # type: ignore[arg-type]
        bar.show(Progress("components", 10, 20, notable=True))
    assert capsys.readouterr().err == (
        "step 1/8 · 12.3 images/s · 0:01:00 left · "
        "loss D 0.913 G 1.422 · right on real 0.81 fake 0.78\n"
        "warm start 3 · 12.3 images/s · 0:01:00 left\n"
        "components · 10/20 images\n"
    )


@pytest.mark.slow
def test_on_a_terminal_of_80_columns_nothing_is_cut_off() -> None:
    screen, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
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
    assert "\x1b[?25l" not in shown  # a cursor that is hidden stays so when the process is killed
