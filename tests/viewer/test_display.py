# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said where no window can be opened."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.screen import HAS_WINDOWS, cv2

from ffgan import viewer
from ffgan.errors import DisplayError, Error


def test_without_a_display_the_error_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DisplayError, match="DISPLAY"):
        viewer.available()


@pytest.mark.parametrize("display", [":4711", "localhost:4711", "/nowhere/x:0", "nonsense", ":"])
def test_a_display_that_leads_nowhere_is_named(
    display: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(DisplayError, match=f"DISPLAY={display}"):
        viewer.available()


@contextlib.contextmanager
def rude_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An X display that takes connections and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if port < 6000:
            pytest.skip(f"the free port {port} is below those of X displays")
        monkeypatch.setenv("DISPLAY", f"127.0.0.1:{port - 6000}")

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)


def test_a_display_that_refuses_does_not_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    if not HAS_WINDOWS:
        pytest.skip("this OpenCV has no windows: install opencv-python instead of -headless")
    with rude_server(monkeypatch), pytest.raises(DisplayError, match="cannot open a window"):
        viewer.available()


@pytest.mark.slow
def test_a_platform_that_may_be_to_blame_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    if not HAS_WINDOWS:
        pytest.skip("this OpenCV has no windows: install opencv-python instead of -headless")
    monkeypatch.setenv("QT_QPA_PLATFORM", "eglfs")
    with rude_server(monkeypatch), pytest.raises(DisplayError, match="unset QT_QPA_PLATFORM"):
        viewer.available()


def test_an_opencv_without_windows_is_told_from_one_with(monkeypatch: pytest.MonkeyPatch) -> None:
    information = "General configuration\n  GUI:                           NONE\n    VTK: NO\n"
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: information)
    with rude_server(monkeypatch), pytest.raises(DisplayError, match="pip install opencv-python"):
        viewer.available()


def test_a_missing_system_library_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2")
    with pytest.raises(Error, match=r"libGL\.so\.1: apt install libgl1, or .*-headless") as caught:
        viewer.available()
    assert "\n" not in str(caught.value)


def test_an_unknown_missing_library_is_still_named() -> None:
    error = ImportError("libfoo-2.so.3: cannot open shared object file")
    assert "libfoo-2.so.3" in str(viewer.missing_library(error))
    assert viewer.missing_library(ImportError("No module named 'cv2'")) is None
