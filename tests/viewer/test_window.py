# SPDX-License-Identifier: GPL-3.0-or-later
"""A window, its keys and its end; an X server of our own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.screen import SECONDS, Screen, x_server
from support.waiting import until

from ffgan.errors import DisplayError
from ffgan.viewer import Window

SHOW_RED = """
    import numpy as np
    from ffgan.viewer import Window
    red = np.zeros((40, 60, 3), np.uint8)
    red[:, :, 0] = 255
    with Window("red", scale=3) as window:
        window.show(red, "a red picture")
        print(window.wait(), flush=True)
        print(window.wait(0.2), flush=True)
        window.close()
        print(window.closed, window.wait(), flush=True)
"""


def test_a_picture_is_shown_in_its_colours_and_enlarged(screen: Screen, tmp_path: Path) -> None:
    process = screen.python("-c", textwrap.dedent(SHOW_RED), cwd=tmp_path)
    window = screen.window("a red picture")

    def red() -> np.ndarray:
        return (screen.picture(tmp_path / "screen.png") == (255, 0, 0)).all(axis=2)

    screen.until_painted(window, lambda: red().sum() == 120 * 180)
    rows, columns = np.nonzero(red())
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (120, 180)
    screen.press("space")
    output, errors = process.communicate(timeout=SECONDS)
    assert output.split() == ["next", "timeout", "True", "closed"]
    assert errors == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "action"),
    [("n", "next"), ("s", "save"), ("q", "quit"), ("Escape", "quit"), ("shift+q", "quit")],
)
def test_keys(key: str, action: str, screen: Screen, tmp_path: Path) -> None:
    process = screen.python("-c", textwrap.dedent(SHOW_RED), cwd=tmp_path)
    screen.window("a red picture")
    time.sleep(0.3)
    # A key without a meaning changes nothing.
    screen.press("x")
    screen.press(key)
    output, _ = process.communicate(timeout=SECONDS)
    assert output.split()[0] == action


@pytest.mark.slow
def test_the_close_button_ends_the_wait_and_the_window_stays_closed(
    screen: Screen, tmp_path: Path
) -> None:
    script = """
        import numpy as np
        from ffgan.viewer import Window
        window = Window("closing")
        picture = np.zeros((50, 300, 3), np.uint8)
        window.show(picture, "about to close")
        print(window.wait(), window.closed, flush=True)
        window.show(picture, "about to close")
        window.close()
        print(window.wait(5), window.closed, flush=True)
    """
    process = screen.python("-c", textwrap.dedent(script), cwd=tmp_path)
    screen.click_close_button(screen.window("about to close"))
    output, errors = process.communicate(timeout=SECONDS)
    assert output.splitlines() == ["closed True", "closed True"]
    assert errors == ""


# ---------------------------------------------------------------------------- a display that fails

PICTURE = np.zeros((50, 300, 3), np.uint8)


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The process of the display that this process uses."""
    with x_server() as (name, process):
        monkeypatch.setenv("DISPLAY", name)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        yield process


def test_a_display_that_ends_ends_the_window_alone(
    own_server: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with Window("ending") as window:
        window.show(PICTURE)
        assert window.wait(0.1) == "timeout"
        own_server.kill()
        own_server.wait()  # its socket, too, is gone only then
        assert window.wait(SECONDS) == "closed"
        assert window.closed
        assert window.lost
        window.show(PICTURE)
        assert window.wait(SECONDS) == "closed"
    (line,) = caplog.messages
    assert re.fullmatch("the window is gone: the connection to the display :[0-9]+ broke", line)
    with pytest.raises(DisplayError, match="no X server answers"):
        Window("again")


@pytest.mark.slow
def test_a_display_that_does_not_answer_holds_up_nothing(
    own_server: subprocess.Popen[bytes],
) -> None:
    before = children()
    window = Window("stalled", scale=4)
    window.show(PICTURE)
    assert window.wait(0.1) == "timeout"
    own_server.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(100):
        window.show(np.zeros((1000, 1000, 3), np.uint8))
        assert window.wait(0) == "timeout"
    assert time.monotonic() - began < 5
    window.close()
    assert time.monotonic() - began < 15
    assert not window.lost
    assert children() == before


@pytest.mark.slow
def test_a_process_of_a_window_that_is_killed_is_told_from_a_display_that_is_gone(
    own_server: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    before = children()
    with Window("killed") as window:
        (process,) = children() - before - {own_server.pid}
        os.kill(process, signal.SIGKILL)
        assert window.wait(SECONDS) == "closed"
    assert caplog.messages == ["the window is gone: SIGKILL ended its process"]


@pytest.mark.slow
@pytest.mark.parametrize("stalled", [False, True])
def test_the_window_ends_with_whoever_opened_it(
    stalled: bool, own_server: subprocess.Popen[bytes]
) -> None:
    script = """
        import os, time, numpy
        from ffgan.viewer import Window
        window = Window("orphan")
        window.show(numpy.zeros((50, 300, 3), numpy.uint8))
        window.wait(0.2)
        print(os.getpid(), flush=True)
        time.sleep(1000)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    (window,) = children(process.pid)
    if stalled:
        own_server.send_signal(signal.SIGSTOP)
    process.kill()
    process.communicate()
    until(lambda: not running(window))


@pytest.mark.slow
def test_a_platform_that_opencv_has_not_is_passed_over(
    own_server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Desktops with Wayland set it for all programs."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "wayland")
    with Window("platform") as window:
        window.show(PICTURE)
        assert window.wait(0.1) == "timeout"


def children(parent: int | None = None) -> set[int]:
    """The processes that this one, or another, has started and not yet waited for."""
    tasks = Path(f"/proc/{parent or 'self'}/task")
    return {int(pid) for task in tasks.glob("*/children") for pid in task.read_text().split()}


def running(process: int) -> bool:
    """Whether it has not ended; its new parent may not have waited for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
