# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that a signal ends, or two, or SIGKILL."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.disk import small_disk
from support.training import (
    SHORT,
    WARM,
    checkpoints,
    stop_at,
)

from ffgan.dataset import Dataset
from ffgan.interruption import ECHO_SECONDS, SIGNALS
from ffgan.training import Interrupted, train
from ffgan.training.run_folder import RunFolder, read
from ffgan.typing import UInt8


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_after_the_step(small, faces, number, code, caplog) -> None:
    handlers = [signal.getsignal(n) for n in SIGNALS]
    small.during_step = stop_at(3, number)
    with pytest.raises(Interrupted) as error:
        train(faces, **SHORT, name="mine")
    assert error.value.exit_code == code
    assert f"resume with: python -m ffgan train {faces} --name mine" in str(error.value)
    assert "\n" not in str(error.value)
    assert "step-00000003.safetensors" in checkpoints("mine")
    assert Path("runs/mine/model.safetensors").exists()
    assert [signal.getsignal(n) for n in SIGNALS] == handlers
    assert signal.set_wakeup_fd(-1) == -1
    assert "once more to stop at once" in caplog.text


def test_the_way_on_names_another_runs_folder(small, faces) -> None:
    small.during_step = stop_at(3)
    with pytest.raises(Interrupted, match=r"--name faces --runs elsewhere$"):
        train(faces, **SHORT, runs="elsewhere")


def test_an_interrupted_search_for_components_says_so(small, faces, monkeypatch) -> None:
    original = Dataset.image

    def interrupting(self: Dataset, index: int) -> UInt8:
        if index == 50:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.2)
        return original(self, index)

    monkeypatch.setattr(Dataset, "image", interrupting)
    with pytest.raises(Interrupted, match="before the first step"):
        train(faces, **WARM)


def test_training_works_in_a_thread(small, faces) -> None:
    before = signal.getsignal(signal.SIGINT)
    paths: list[Path] = []
    thread = threading.Thread(target=lambda: paths.append(train(faces, **SHORT)))
    thread.start()
    thread.join(60)
    assert paths[0].exists()
    assert signal.getsignal(signal.SIGINT) is before


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import pytest
from ffgan.training import train
from support import training as t
with pytest.MonkeyPatch.context() as patch:
    t.use_small_trainer(patch)
    patch.setattr("ffgan.model.packaged_model", lambda: Path("none"))
    def wait(trainer, result):
        print("step", trainer.steps, flush=True)
        if trainer.steps == 7:
            time.sleep(float(sys.argv[3]))
    t.SmallTrainer.during_step = wait
    options = {"recipe": "original", "batch": 4, "steps": 10_000, "sample_every": 10_000}
    train(sys.argv[2], **options, checkpoint_every=2)
"""


def child(faces: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(Path(__file__).parents[1]), str(faces), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "step 7\n":
            return process
    _, errors = process.communicate()
    raise AssertionError(errors)


@pytest.mark.slow
def test_the_second_signal_ends_the_process_at_once(small, faces) -> None:
    with child(faces, 1000.0) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "once more to stop at once" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(2 * ECHO_SECONDS)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    found, damaged = RunFolder("runs/faces").newest()
    assert damaged == []
    assert found is not None
    assert found.step >= 6


@pytest.mark.slow
def test_sigkill_leaves_a_run_that_goes_on(small, faces) -> None:
    with child(faces, 0.0) as process:
        time.sleep(0.3)
        process.kill()
    reached, damaged = RunFolder("runs/faces").newest()
    assert damaged == []
    assert reached is not None
    assert reached.step >= 6
    train(faces, steps=reached.step + 4, checkpoint_every=1, sample_every=10_000)
    assert len(small.calls) == 4
    train(faces, **{**SHORT, "steps": reached.step + 4}, name="whole")
    last = f"step-{reached.step + 4:08d}.safetensors"
    ours, whole = (
        read(Path("runs", run, "checkpoints", last)).tensors for run in ("faces", "whole")
    )
    assert {k: v.tobytes() for k, v in ours.items()} == {k: v.tobytes() for k, v in whole.items()}


OFTEN = {
    "recipe": "original",
    "batch": 4,
    "steps": 40,
    "warm_start": 6,
    "warm_start_batch": 4,
    "anchor_weight": 0.5,
    "log_every": 1,
    "sample_every": 5,
    "checkpoint_every": 2,
}

OFTEN_KILLED = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import pytest
from ffgan.training import run_state, train, warm_start
from support import training as t
with pytest.MonkeyPatch.context() as patch:
    t.use_small_trainer(patch)
    patch.setattr("ffgan.model.packaged_model", lambda: Path("none"))
    patch.setattr(run_state, "SAMPLES", 4)
    patch.setattr(warm_start, "POWER_ITERATIONS", 0)
    def tell(trainer, result):
        print("step", trainer.steps, flush=True)
        time.sleep(0.01)
    t.SmallTrainer.during_step = tell
    train(sys.argv[2], runs=sys.argv[3], **json.loads(sys.argv[4]))
"""


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing(small, faces, tmp_path) -> None:
    """Also on a disk that is full half of the time."""
    train(faces, **OFTEN, runs="whole")
    chance = random.Random(3)
    with small_disk(tmp_path / "disk", "size=8m") as disk:
        run, ballast = RunFolder(disk / "faces"), disk / "ballast"
        kills, reached = 0, -1
        ended = False
        while not ended:
            given = {} if run.paths() else OFTEN
            words = [str(Path(__file__).parents[1]), str(faces), str(disk), json.dumps(given)]
            with subprocess.Popen(
                [sys.executable, "-c", OFTEN_KILLED, *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as process:
                assert process.stdout is not None
                for _ in range(chance.randint(1, 8)):
                    process.stdout.readline()
                if kills % 2:
                    with suppress(OSError), ballast.open("wb", buffering=0) as file:
                        while True:
                            file.write(bytes(4096))
                for _ in range(chance.randint(1, 12)):
                    if process.stdout.readline() in (b"", b"step 46\n"):
                        break  # with a full disk, it waits then
                time.sleep(chance.uniform(0.0, 0.05))
                process.kill()
            ballast.unlink(missing_ok=True)
            ended = process.returncode == 0
            kills += not ended
            assert kills < 40
            found, damaged = run.newest()
            assert damaged == []
            step = -1 if found is None else found.step
            assert step >= reached
            reached = step
        assert kills >= 3
        whole = RunFolder("whole/faces")
        assert run.paths()[-1].read_bytes() == whole.paths()[-1].read_bytes()
        assert run.model.read_bytes() == whole.model.read_bytes()
        assert run.report.exists()
        steps = [line["step"] for line in run.lines()]
        # Lines that the full disk did not take may be lost with the process.
        assert steps == sorted(set(steps))
