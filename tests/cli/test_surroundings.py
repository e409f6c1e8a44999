# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work outlives its surroundings: a closed terminal, a lost reader, a stop, the background."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from support.commands import SECONDS, environment
from support.terminal import terminal
from support.waiting import until

from ffgan import images

FFGAN = [sys.executable, "-m", "ffgan"]
SHOW = """
import sys, time
from ffgan import cli
from ffgan.cli import commands, parser, progress
from ffgan.progress import Progress
def run(arguments):
    measures = {"loss_d": 0.9, "loss_g": 1.4, "accuracy_real": 0.8, "accuracy_fake": 0.7}
    with progress.TrainingBar() as bar:
        for step in range(4):
            bar.show(Progress("adversarial", step, 4, step / 4, 12.3, 9.0, measures, step == 2))
            bar.say(f"step {step} \\u00b7 \\u4eba")
            time.sleep(0.1)
    with progress.progress_bars() as show:
        show("faces", 3, 4)
        time.sleep(0.2)
    print("at its end \\u4eba")
    return 0
command = parser.Command("b", "c", lambda parser: None, run)
commands.COMMANDS["info"] = commands.Listed("a", lambda: command)
sys.exit(cli.main(["info"]))
"""
NEW = ["--init", "scratch", "--recipe", "original", "--batch", "2", "--log-every", "1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the folders `faces` and `held` have some pictures."""
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 256, (162, 162, 3), dtype=np.uint8)
        file = tmp_path / ("faces" if number < 4 else "held") / f"{number}.jpg"
        file.parent.mkdir(exist_ok=True)
        images.save(file, pixels)
    return tmp_path


def train(steps: int, *options: str, name: str = "run") -> list[str]:
    return [*FFGAN, "train", "faces", *NEW, "--name", name, "--steps", str(steps), *options]


def steps(folder: Path, name: str = "run") -> int:
    """How many steps the log of a run has."""
    log = folder / "runs" / name / "train.jsonl"
    return len(log.read_text().splitlines()) if log.exists() else 0


def newest(folder: Path, name: str = "run") -> str:
    """The newest checkpoint of a run."""
    (*_, path) = sorted((folder / "runs" / name / "checkpoints").glob("*.safetensors"))
    return path.name


def digest(folder: Path, name: str) -> str:
    path = folder / "runs" / name / "checkpoints" / newest(folder, name)
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---------------------------------------------------------------------------- a closed terminal


def test_training_saves_when_its_terminal_is_closed(folder: Path) -> None:
    with terminal(train(100_000), cwd=folder) as window:
        window.until(lambda: steps(folder) >= 2)
        window.close()
        assert window.end() == 128 + signal.SIGHUP
    assert int(newest(folder)[5:13]) >= 2
    assert (folder / "runs" / "run" / "model.safetensors").exists()


@pytest.mark.slow
def test_training_goes_on_without_its_terminal_where_sighup_is_ignored(folder: Path) -> None:
    """nohup, disown: each line then fails with EIO."""
    evaluated = ["--heldout", "held", "--evaluate-every", "4", "--evaluate-samples", "16"]
    with terminal(train(8, *evaluated), cwd=folder, ignore_sighup=True) as window:
        window.until(lambda: steps(folder) >= 2)
        window.close()
        assert window.end() == 0
    assert newest(folder) == "step-00000008.safetensors"
    assert (folder / "runs" / "run" / "best.safetensors").exists()


@pytest.mark.slow
def test_a_shell_that_ends_takes_the_terminal_along_twice(folder: Path) -> None:
    """bash passes the SIGHUP of the closed terminal on to its jobs, which have had it already."""
    with terminal(["bash", "--norc", "-i"], cwd=folder) as window:
        window.press(" ".join(train(100_000)) + "\n")
        window.until(lambda: steps(folder) >= 2)
        window.close()
        until(lambda: (folder / "runs" / "run" / "model.safetensors").exists())
    assert int(newest(folder)[5:13]) >= 2


@pytest.mark.slow
def test_timeout_lets_training_save(folder: Path) -> None:
    process = subprocess.Popen(
        ["timeout", "1000", *train(100_000)], cwd=folder, env=environment(), stderr=subprocess.PIPE
    )
    until(lambda: steps(folder) >= 2)
    process.send_signal(signal.SIGTERM)  # it sends that to its child, and to the whole group
    process.communicate(timeout=SECONDS)
    assert process.returncode == 143
    assert int(newest(folder)[5:13]) >= 2


# ---------------------------------------------------------------------------- stdout and stderr


@pytest.mark.slow
def test_training_goes_on_whatever_becomes_of_its_streams(folder: Path) -> None:
    line = " ".join(train(3))
    for name, script in {
        "whole": line,
        "closed": f"{line} <&- >&- 2>&-",
        "head": f"{line} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}",
        "full": f"{line} 2> /dev/full",
    }.items():
        script = script.replace("--name run", f"--name {name}")
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, env=environment(), timeout=SECONDS, check=False
        )
        assert done.returncode == 0, name
        assert newest(folder, name) == "step-00000003.safetensors"
        assert digest(folder, name) == digest(folder, "whole")


# ---------------------------------------------------------------------------- job control


@pytest.mark.slow
def test_training_is_stopped_and_goes_on_in_the_background(folder: Path) -> None:
    """Also with `stty tostop`, where writing to the terminal would stop it."""
    with terminal(["bash", "--norc", "-i"], cwd=folder, stops_background=True) as window:
        window.press(" ".join(train(100_000)) + "\n")
        window.until(lambda: steps(folder) >= 1)
        window.press("\x1a")  # Ctrl+Z
        window.until(lambda: "Stopped" in window.shown)
        before = steps(folder)
        time.sleep(0.5)
        assert steps(folder) <= before + 1
        window.press("bg\n")
        window.until(lambda: steps(folder) >= before + 3)
        window.press("kill %1\n")
        until(lambda: (folder / "runs" / "run" / "model.safetensors").exists())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "size"),
    [
        ({"TERM": "dumb"}, (24, 80)),
        ({"NO_COLOR": "1"}, (24, 80)),
        ({"COLUMNS": "1"}, (24, 80)),
        ({}, (0, 0)),
        ({}, (1, 1)),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}, (24, 80)),
        ({"PYTHONIOENCODING": "ascii"}, (24, 80)),
    ],
)
def test_any_terminal_will_do(env: dict[str, str], size: tuple[int, int], tmp_path: Path) -> None:
    with terminal([sys.executable, "-c", SHOW], cwd=tmp_path, env=env, size=size) as window:
        assert window.end() == 0, window.shown
        window.until(lambda: "at its end" in window.shown.replace("\r\n", ""))
        assert "Traceback" not in window.shown


# ---------------------------------------------------------------------------- gen


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_sheet_holds_the_faces_so_far(number: signal.Signals, folder: Path) -> None:
    command = [*FFGAN, "gen", "2500", "--grid", "--no-window", "--out", "sheet.png", "--seed", "1"]
    one_thread = {"FFGAN_NUM_THREADS": "1"}
    with terminal([*command, "--size", "20"], cwd=folder, env=one_thread) as window:
        window.until(lambda: re.search("faces .* [1-9][0-9]+/2500", window.shown))
        window.process.send_signal(number)
        assert window.end() == 128 + number, window.shown
        name = "with Ctrl+C" if number == signal.SIGINT else f"by {number.name}"
        window.until(lambda: f"ffgan: stopped {name}, 1 file written" in window.shown)
    assert images.read_metadata(folder / "sheet.png")["count"] != "2500"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_pack_leaves_nothing_behind(number: signal.Signals, folder: Path) -> None:
    (folder / "many").mkdir()
    for i in range(5000):
        os.link(folder / "faces" / "0.jpg", folder / "many" / f"{i}.jpg")
    command = [*FFGAN, "pack", "many", "many.pack"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    until(lambda: list(folder.glob(".*.tmp")) or process.poll() is not None)
    for _ in range(2):  # while it cleans up, too
        process.send_signal(number)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number
    assert errors == f"ffgan: stopped by {number.name}\n"
    assert {path.name for path in folder.iterdir()} == {"faces", "held", "many"}


# ---------------------------------------------------------------------------- the server


@pytest.mark.slow
def test_the_server_goes_on_without_its_terminal(model: str, folder: Path) -> None:
    command = ["web", "--port", "0", "--model", model, "--access-log", "json"]
    with terminal([*FFGAN, *command, "--log-level", "info"], cwd=folder) as window:
        window.until(lambda: re.search(r"serving http://\S+ ", window.shown))
        found = re.search(r"serving (http://\S+)", window.shown)
        assert found
        window.close()
        for seed in range(20):
            assert httpx.get(f"{found[1]}/face.png?seed={seed}", timeout=SECONDS).status_code == 200
        window.process.send_signal(signal.SIGTERM)
        assert window.end() == 143
