# SPDX-License-Identifier: GPL-3.0-or-later
"""The window: what is said where none can be opened, and what keys and the close button do.

The tests with a window start an X server of their own (Xvfb), press its keys (xdotool) and look at
its screen (ImageMagick's import).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.waiting import until

from ffgan import _core, viewer
from ffgan.errors import DisplayError, Error
from ffgan.model import save_model

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")

SECONDS = 60
HAS_WINDOWS = re.search(r"^\s*GUI:\s*NONE", cv2.getBuildInformation(), re.MULTILINE) is None


class Screen:
    """An X server without a monitor, and the hands of its user."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.environment = {**os.environ, "DISPLAY": name}
        self.environment.pop("WAYLAND_DISPLAY", None)
        self.started: list[subprocess.Popen[str]] = []

    def python(self, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def window(self, title: str) -> int:
        """The X id of the window whose title matches the POSIX expression, once it is there."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = self.tool("xdotool", "search", "--onlyvisible", "--name", title)
            if found:
                return int(found.split()[-1])
            process = self.started[-1]
            if process.poll() is not None:
                output, errors = process.communicate()
                raise AssertionError(
                    f"ended with {process.returncode} before {title!r} was seen: {output}{errors}"
                )
            time.sleep(0.05)
        raise AssertionError(f"no window with the title {title!r}")

    def press(self, key: str) -> None:
        # Without a window manager the keyboard belongs to the window under the pointer.
        self.tool("xdotool", "mousemove", "50", "50", "key", key)

    def tool(self, *command: str) -> str:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        ).stdout.strip()

    def picture(self, path: Path) -> np.ndarray:
        """What the screen shows, as RGB."""
        subprocess.run(
            ["import", "-window", "root", str(path)],
            env=self.environment,
            check=True,
            timeout=SECONDS,
        )
        return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])

    def click_close_button(self, window: int) -> None:
        """Send the window what a window manager sends it when its close button is clicked."""

        class Message(ctypes.Structure):
            _fields_ = (
                ("type", ctypes.c_int),
                ("serial", ctypes.c_ulong),
                ("send_event", ctypes.c_int),
                ("display", ctypes.c_void_p),
                ("window", ctypes.c_ulong),
                ("message_type", ctypes.c_ulong),
                ("format", ctypes.c_int),
                ("data", ctypes.c_long * 5),
                ("rest", ctypes.c_long * 12),
            )

        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        display = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        client_message = 33
        message = Message(type=client_message, window=window, format=32)
        message.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
        message.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
        x11.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
        x11.XCloseDisplay(display)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The name of an X display of our own."""
    if not HAS_WINDOWS:
        pytest.skip("this OpenCV has no windows: install opencv-python instead of -headless")
    for tool in ("Xvfb", "xdotool", "import"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt install xvfb xdotool imagemagick")
    reader, writer = os.pipe()
    # A server that resets when its last client leaves turns away whoever comes at that moment.
    options = ["-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), *options],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as numbers:
            number = numbers.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        process.terminate()
        process.wait(SECONDS)


@pytest.fixture
def screen(server: str) -> Iterator[Screen]:
    screen = Screen(server)
    yield screen
    for process in screen.started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model file of random weights."""
    trainer = _core.Trainer(seed=1)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, trainer.parameters("averaged"), trainer.parameters("discriminator"), {})
    return str(path)


# ---------------------------------------------------------------------------- no display


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


# ---------------------------------------------------------------------------- a window

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

    # A window is there before it is painted.
    until(lambda: red().sum() == 120 * 180)
    rows, columns = np.nonzero(red())
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (120, 180)
    assert window
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


# ---------------------------------------------------------------------------- gen in a window


def distance(screen: np.ndarray, face: np.ndarray) -> float:
    """How far the window at the screen's corner is from a face in BGR, three times as large."""
    side = 3 * face.shape[0]
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)[:, :, ::-1]
    best = cv2.matchTemplate(
        screen.astype(np.float32), large.astype(np.float32), cv2.TM_SQDIFF
    ).min()
    return float(np.sqrt(best / large.size))


def test_gen_steps_through_the_faces_and_saves_one(
    screen: Screen, tmp_path: Path, model: str
) -> None:
    command = ("-m", "ffgan", "gen", "3", "--seed", "5", "--delay", "0", "--model", model)
    process = screen.python(*command, cwd=tmp_path)
    screen.window("^seed 5, score -?[0-9]+[.][0-9][0-9], [0-9]+ (try|tries)$")
    screen.press("space")
    screen.window("^seed 6, ")
    screen.press("s")
    saved = tmp_path / "faces" / "face-6.png"
    until(saved.exists)
    until(lambda: distance(screen.picture(tmp_path / "screen.png"), cv2.imread(str(saved))) < 2)
    (tmp_path / "screen.png").unlink()
    screen.press("n")
    screen.window("^seed 7, ")
    screen.press("q")
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert output.startswith("3 faces, ")
    assert [path.name for path in tmp_path.rglob("*.png")] == ["face-6.png"]
    assert str(Path("faces") / "face-6.png") in output


@pytest.mark.slow
def test_gen_ends_by_itself_after_n_faces_and_writes_nothing_unasked(
    screen: Screen, tmp_path: Path, model: str
) -> None:
    process = screen.python(
        "-m", "ffgan", "gen", "3", "--delay", "0.1", "--model", model, cwd=tmp_path
    )
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert output.startswith("3 faces, ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["close button", "q", "Escape"])
def test_gen_stops_when_the_user_has_seen_enough(
    way: str, screen: Screen, tmp_path: Path, model: str
) -> None:
    command = ("gen", "100000", "--seed", "1", "--delay", "0.05", "--out", "out", "--model", model)
    process = screen.python("-m", "ffgan", *command, cwd=tmp_path)
    screen.window("^seed ([3-9]|[0-9][0-9])")
    if way == "close button":
        screen.click_close_button(screen.window("^seed "))
    else:
        screen.press(way)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    files = list((tmp_path / "out").iterdir())
    assert output.startswith(f"{len(files)} faces, ")
    assert 3 <= len(files) < 100000


@pytest.mark.slow
def test_gen_stops_with_ctrl_c_and_keeps_what_it_wrote(
    screen: Screen, tmp_path: Path, model: str
) -> None:
    command = ("gen", "100000", "--seed", "1", "--delay", "0.05", "--out", "out", "--model", model)
    process = screen.python("-m", "ffgan", *command, cwd=tmp_path)
    screen.window("^seed ([3-9]|[0-9][0-9])")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    files = list((tmp_path / "out").iterdir())
    assert f"{len(files)} files written" in errors
    assert "Traceback" not in errors
    assert all(cv2.imread(str(path)).shape == (162, 162, 3) for path in files)


# ---------------------------------------------------------------------------- train in a window


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "pictures"
    folder.mkdir()
    drawn = np.random.default_rng(0)
    for i in range(4):
        noise = drawn.integers(0, 256, (9, 9, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.resize(noise, (162, 162)))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("way", ["close button", "q"])
def test_train_draws_and_saves_at_a_key_and_goes_on_without_its_window(
    way: str, screen: Screen, tmp_path: Path, pictures: Path
) -> None:
    limits = ["--steps", "100000", "--batch", "2", "--ema", "0.9"]
    never = ["--sample-every", "99999", "--checkpoint-every", "99999", "--log-every", "1"]
    process = screen.python(
        *(
            "-m",
            "ffgan",
            "train",
            str(pictures),
            "--init",
            "scratch",
            "--recipe",
            "original",
            "--window",
            *limits,
            *never,
        ),
        cwd=tmp_path,
    )
    run = tmp_path / "runs" / "pictures"
    window = screen.window("^ffgan: training$")
    until(lambda: (run / "train.jsonl").exists())
    screen.press("n")
    window = screen.window("^ffgan: pictures, step [0-9]+, seeds 0 to 35$")
    (sample,) = run.glob("samples/step-*.png")
    before = set(run.glob("checkpoints/step-*.safetensors"))
    screen.press("s")
    until(lambda: bool(set(run.glob("checkpoints/step-*.safetensors")) - before))
    until(lambda: (run / "model.safetensors").exists())
    if way == "close button":
        screen.click_close_button(window)
    else:
        screen.press(way)
    until(lambda: not screen.tool("xdotool", "search", "--onlyvisible", "--name", "^ffgan"))
    lines = len((run / "train.jsonl").read_text().splitlines())
    until(lambda: len((run / "train.jsonl").read_text().splitlines()) > lines + 1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert cv2.imread(str(sample)).shape == (6 * 162, 6 * 162, 3)


@pytest.mark.slow
def test_ctrl_c_ends_training_and_its_window(
    screen: Screen, tmp_path: Path, pictures: Path
) -> None:
    options = [
        "--init",
        "scratch",
        "--recipe",
        "original",
        "--batch",
        "2",
        "--log-every",
        "1",
        "--sample-every",
        "2",
    ]
    process = screen.python(
        "-m", "ffgan", "train", str(pictures), "--window", *options, cwd=tmp_path
    )
    screen.window("^ffgan: pictures, step [0-9]+, seeds 0 to 35$")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    assert "resume with: python -m ffgan train" in errors
    assert not screen.tool("xdotool", "search", "--onlyvisible", "--name", "^ffgan")
