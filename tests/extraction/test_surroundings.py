# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan extract` whose terminal is closed, or whose streams have no reader."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from support.photographs import chips, jpeg
from support.terminal import terminal
from support.waiting import WAIT_SECONDS

from ffgan import images

EXTRACT = [sys.executable, "-m", "ffgan", "extract"]


@pytest.mark.slow
def test_a_closed_terminal_ends_it_and_the_same_command_resumes(
    photos: Path, tmp_path: Path
) -> None:
    large = tmp_path / "many"
    large.mkdir()
    picture = cv2.resize(images.decode((photos / "0.jpg").read_bytes()), (1200, 1200))
    (large / "0.jpg").write_bytes(jpeg(picture))
    for i in range(1, 80):
        os.link(large / "0.jpg", large / f"{i}.jpg")
    out = tmp_path / "out"
    line = [*EXTRACT, "many", "out", "--duplicates", "keep", "--sheet", "0"]
    with terminal(line, cwd=tmp_path) as window:
        window.until(lambda: out.exists() and len(chips(out)) >= 3)
        window.close()
        assert window.end() == 128 + signal.SIGHUP
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert done.returncode == 0
    assert "resuming: " in done.stderr
    assert len(chips(out)) == 80


@pytest.mark.slow
@pytest.mark.parametrize(
    "redirected", ["<&- >&- 2>&-", "2>&1 | true; exit ${PIPESTATUS[0]}", "2> /dev/full"]
)
def test_its_streams_change_nothing(redirected: str, photos: Path, tmp_path: Path) -> None:
    line = f"{' '.join(EXTRACT)} photos out {redirected}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, timeout=WAIT_SECONDS, check=False)
    assert done.returncode == 0
    assert len(chips(tmp_path / "out")) == 5
