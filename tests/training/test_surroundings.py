# SPDX-License-Identifier: GPL-3.0-or-later
"""Training images that are away, readers that have gone, a process that stood still."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.training import MEASURED, SHORT, WARM, SmallTrainer, checkpoints, log, make_images

from ffgan import evaluation
from ffgan.errors import CheckpointError, DatasetError, UnavailableError
from ffgan.progress import Progress
from ffgan.training import Interrupted, train
from ffgan.training.clock import Clock

LAST = "step-00000008.safetensors"


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A folder whose images lie in one that can be moved away."""
    make_images(tmp_path / "drive" / "sub", 20)
    return tmp_path / "drive"


def take_away(drive: Path) -> None:
    (drive / "sub").rename(drive.parent / "away")


def bring_back(drive: Path) -> None:
    (drive.parent / "away").rename(drive / "sub")


def test_a_drive_that_is_away_for_a_moment_changes_nothing(small, drive, caplog) -> None:
    train(drive, **SHORT, name="whole")

    def during(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 2:
            take_away(drive)
            threading.Timer(1.0, bring_back, [drive]).start()

    small.during_step = during
    train(drive, **SHORT, name="parts")
    assert checkpoints("parts")[LAST] == checkpoints("whole")[LAST]
    assert not Path("runs/parts/skipped.log").exists()
    assert not caplog.text.count("skipped")


def test_a_drive_that_stays_away_ends_it_with_the_steps_saved(small, drive, monkeypatch) -> None:
    train(drive, **SHORT, name="whole")
    monkeypatch.setenv("FFGAN_PATIENCE", "0.3")

    def during(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 2:
            take_away(drive)

    small.during_step = during
    with pytest.raises(UnavailableError) as error:
        train(drive, **SHORT, name="parts")
    assert error.value.exit_code == 1
    text = str(error.value)
    assert "\n" not in text
    assert f"cannot read {drive}/sub/" in text
    command = f"python -m ffgan train {drive} --name parts"
    assert text.endswith(f"resume once it can be read with: {command}")
    assert "the same command" not in text  # which may have been one for a new run
    # Batches that were decoded ahead are still trained on.
    saved = int(max(checkpoints("parts"))[5:13])
    assert 2 <= saved < 8
    assert f"step {saved} is saved" in text
    bring_back(drive)
    small.during_step = None
    train(drive, name="parts")
    assert checkpoints("parts")[LAST] == checkpoints("whole")[LAST]
    assert not Path("runs/parts/skipped.log").exists()


def test_a_signal_ends_the_wait_for_a_drive_with_its_own_status(small, drive) -> None:
    def during(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 2:
            take_away(drive)
            threading.Timer(1.0, signal.raise_signal, [signal.SIGTERM]).start()

    small.during_step = during
    with pytest.raises(Interrupted, match="stopped after step") as error:
        train(drive, **SHORT)
    assert error.value.exit_code == 143


@pytest.mark.slow
def test_the_search_for_components_waits_and_leaves_no_folder_if_it_fails(
    small, faces, tmp_path, monkeypatch
) -> None:
    drive = tmp_path / "drive"
    make_images(drive / "sub", 60)
    monkeypatch.setenv("FFGAN_PATIENCE", "0.3")
    told: list[Progress] = []

    def show(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 5:
            take_away(drive)

    with pytest.raises(UnavailableError, match=f"cannot read {drive}/sub/"):
        train(drive, **WARM, progress=show)
    assert not Path("runs").exists()
    bring_back(drive)
    train(drive, **WARM)


def test_real_images_that_are_away_are_not_called_broken(drive, monkeypatch) -> None:
    from ffgan.dataset import Dataset

    monkeypatch.setenv("FFGAN_PATIENCE", "0.3")
    with Dataset(drive) as dataset:
        take_away(drive)
        readable: list[bool] = []
        with pytest.raises(UnavailableError, match=f"cannot read {drive}/sub/"):
            next(evaluation.real_images(dataset, 20, readable))
        assert readable == []


def test_ctrl_c_does_not_wait_for_images_that_are_away(drive) -> None:
    from ffgan.dataset import Dataset

    with Dataset(drive) as dataset:
        take_away(drive)
        threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            next(evaluation.real_images(dataset, 20, []))
        assert time.monotonic() - began < 60.0  # of the 300 seconds that files are waited for


class Failing(logging.Handler):
    """A log whose reader has gone."""

    error: BaseException

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


LOST = [
    BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)),
    OSError(errno.EIO, os.strerror(errno.EIO)),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ValueError("I/O operation on closed file."),
    UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range(128)"),
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_reader_that_has_gone_costs_no_step(small, faces, strangers, off, error, caplog) -> None:
    train(faces, **SHORT, name="whole")

    def fail(progress: Progress) -> None:
        raise error

    failing = Failing()
    failing.error = error
    logger = logging.getLogger("ffgan.training")
    logger.addHandler(failing)
    try:
        train(faces, **SHORT, **MEASURED, heldout=strangers, name="parts", progress=fail)
    finally:
        logger.removeHandler(failing)
    tensors = ["model.safetensors", "samples/step-00000008.png"]
    for name in tensors:
        whole, parts = (Path("runs", run, name) for run in ("whole", "parts"))
        assert parts.exists() and whole.exists()
    assert Path("runs/whole/model.safetensors").read_text() == (
        Path("runs/parts/model.safetensors").read_text()
    )


def test_a_caller_that_stops_the_run_loses_no_step(small, faces) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 3:
            raise RuntimeError("enough")

    train(faces, **SHORT, name="whole")
    with pytest.raises(RuntimeError, match="enough"):
        train(faces, **SHORT, name="parts", progress=stop)
    assert max(checkpoints("parts")) == "step-00000003.safetensors"
    train(faces, name="parts")
    assert checkpoints("parts")[LAST] == checkpoints("whole")[LAST]


def test_an_error_within_a_step_saves_no_half_of_it(small, faces) -> None:
    def fail(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 3:
            raise MemoryError

    train(faces, **SHORT, name="whole")
    small.during_step = fail
    with pytest.raises(MemoryError):
        train(faces, **SHORT, name="parts")
    assert max(checkpoints("parts")) == "step-00000000.safetensors"
    small.during_step = None
    train(faces, name="parts")
    assert checkpoints("parts")[LAST] == checkpoints("whole")[LAST]


def test_a_process_that_trains_elsewhere_meanwhile_is_not_undone(small, faces, monkeypatch) -> None:
    from ffgan.training import run

    train(faces, **{**SHORT, "steps": 4})
    opened = run.open_held_out

    def meanwhile(*arguments: object, **more: object) -> object:
        monkeypatch.setattr(run, "open_held_out", opened)
        train(faces, steps=8)
        return None

    monkeypatch.setattr(run, "open_held_out", meanwhile)
    with pytest.raises(CheckpointError, match="another process has just trained in"):
        train(faces, steps=6)
    assert LAST in checkpoints("faces")


@pytest.mark.slow
def test_the_clock_leaves_out_what_a_stopped_process_missed() -> None:
    code = (
        "import sys, time; from ffgan.training.clock import Clock\n"
        "with Clock(beat=0.05, stood_still=0.5) as clock:\n"
        "    began, real = clock.now(), time.monotonic()\n"
        "    print('ready', flush=True); time.sleep(0.1); sys.stdin.readline()\n"
        "    print(clock.now() - began, time.monotonic() - real)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.0)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.1)
        output, _ = process.communicate("\n", timeout=60)
    own, real = map(float, output.split())
    assert real > 2.0
    assert own < real - 1.5


def test_minutes_leave_out_the_time_that_the_process_stood_still(small, faces, monkeypatch) -> None:
    monotonic = time.monotonic
    jump = [0.0]
    monkeypatch.setattr("ffgan.training.clock.time.monotonic", lambda: monotonic() + jump[0])

    def suspended(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 3:
            jump[0] += 3600.0

    small.during_step = suspended
    train(faces, **SHORT, minutes=10)
    lines = log("faces")
    assert lines[-1]["step"] == 8  # an hour away is not an hour of training
    assert lines[-1]["seconds"] < 60.0
    assert all(line["images_per_second"] > 1.0 for line in lines)


def test_a_wall_clock_that_jumps_changes_nothing(small, faces, monkeypatch) -> None:
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 86_400.0 * len(SmallTrainer.calls))
    train(faces, **SHORT, minutes=10)
    assert log("faces")[-1]["step"] == 8


def test_outside_its_context_the_clock_counts_everything() -> None:
    clock = Clock(beat=0.01, stood_still=0.05)
    began = clock.now()
    time.sleep(0.1)
    assert clock.now() - began >= 0.1


def test_a_folder_of_other_images_is_an_error_of_input(small, tmp_path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        train(tmp_path / "gone", **SHORT)
