# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that mpiexec starts: the same bytes, resumed on other numbers of ranks, and how they end."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.disk import small_disk
from support.evaluation import need_feature_networks

from ffgan.training.run_folder import RunFolder, read

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("mpi4py") is None or shutil.which("mpiexec") is None,
        reason="needs mpi4py and mpiexec: pip install mpi4py mpich",
    ),
]

TRAIN = [sys.executable, "-m", "ffgan", "train"]
BEGINNING = 240.0
SMALL = ["--recipe", "original", "--init", "scratch", "--batch", "5", "--threads", "1"]
CODED = ["--codes", "codes.npz", "--warm-start", "2", "--warm-start-batch", "3"]
CODED += ["--anchor-weight", "1", "--flip"]


def started(ranks: int, *options: str) -> list[str]:
    return ["mpiexec", "-n", str(ranks), *TRAIN, *options]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture
def folder(tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield faces


@contextmanager
def training(command: list[str], begun: Callable[[], bool]) -> Iterator[subprocess.Popen[str]]:
    """The process, once it has begun; it does not outlive the context."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            end = time.monotonic() + BEGINNING
            while not begun():
                assert time.monotonic() < end, "the run did not begin"
                time.sleep(0.1)
            yield process
        finally:
            process.kill()


def newest(name: str) -> Path:
    return RunFolder(Path("runs") / name).paths()[-1]


def children(parent: int) -> list[int]:
    """The training processes below a process."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                above = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            found.append((int(process.name), above, b"train" in words and b"mpiexec" not in words))
    below, result = {parent}, []
    for _ in range(4):
        below |= {pid for pid, above, _ in found if above in below}
    for pid, _, trains in found:
        if pid in below and trains:
            result.append(pid)
    return result


@pytest.mark.parametrize("chosen", [[], CODED], ids=["plain", "codes of a file"])
def test_a_run_of_two_ranks_resumes_with_the_same_bytes(folder: Path, chosen: list[str]) -> None:
    names = [path.name for path in folder.iterdir()]
    vectors = np.random.default_rng(0).standard_normal((len(names), 120))
    np.savez("codes.npz", names=names, codes=vectors)
    small = [*SMALL, *chosen]
    whole = run(started(2, str(folder), *small, "--steps", "4", "--name", "whole"))
    assert whole.returncode == 0, whole.stderr
    assert whole.stderr.count("by 2 processes") == 1
    for steps in ("2", "4"):
        options = small if steps == "2" else ["--threads", "1"]
        part = run(started(2, str(folder), *options, "--steps", steps, "--name", "parts"))
        assert part.returncode == 0, part.stderr
    one, other = read(newest("whole")), read(newest("parts"))
    assert all((one.tensors[name] == other.tensors[name]).all() for name in one.tensors)


def test_a_run_goes_on_with_other_numbers_of_ranks(folder: Path) -> None:
    for ranks, steps in ((3, 1), (1, 2), (2, 3)):
        options = SMALL if steps == 1 else []
        done = run(started(ranks, str(folder), *options, "--steps", str(steps), "--name", "a"))
        assert done.returncode == 0, done.stderr
        assert read(newest("a")).step == steps


def test_ranks_with_other_settings_are_refused(folder: Path) -> None:
    command = started(1, str(folder), *SMALL, "--name", "a")
    command += [":", "-n", "1", *TRAIN, str(folder), *SMALL, "--name", "a", "--ema", "0.9"]
    refused = run(command)
    assert refused.returncode != 0
    assert refused.stderr.count("--ema is 0.9 at rank 1 and 0.999 at the first one") == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize("rank", [0, 1])
def test_sigterm_to_one_rank_ends_all_after_a_checkpoint(folder: Path, rank: int) -> None:
    log = Path("runs/a/train.jsonl")
    command = started(2, str(folder), *SMALL, "--steps", "1000", "--name", "a", "--log-every", "1")
    with training(command, lambda: log.exists() and log.read_text().count("\n") >= 2) as process:
        os.kill(sorted(children(process.pid))[rank], signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert said.count("resume with:") == 1
    assert read(newest("a")).step >= 2


def test_a_killed_rank_ends_the_others_and_the_run_resumes(folder: Path) -> None:
    command = started(2, str(folder), *SMALL, "--steps", "1000", "--name", "a")
    with training(
        [*command, "--checkpoint-every", "1"], lambda: len(RunFolder("runs/a").paths()) > 1
    ) as process:
        ranks = children(process.pid)
        os.kill(sorted(ranks)[1], signal.SIGKILL)
        began = time.monotonic()
        process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode != 0
    step = read(newest("a")).step
    resumed = run(started(2, str(folder), "--steps", str(step + 1), "--name", "a"))
    assert resumed.returncode == 0, resumed.stderr
    assert read(newest("a")).step == step + 1


def test_a_full_disk_at_the_first_rank_ends_all_with_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FFGAN_PATIENCE", "0.2")
    with small_disk(Path("small").absolute(), "size=300m") as disk:
        log = disk / "a" / "train.jsonl"
        command = started(2, str(folder), *SMALL, "--steps", "1000", "--name", "a")
        command += ["--runs", str(disk), "--log-every", "1"]
        with training(command, lambda: log.exists() and "\n" in log.read_text()) as process:
            with pytest.raises(OSError, match="No space left"), (disk / "other").open("wb") as file:
                while True:
                    file.write(bytes(1 << 20))
            os.kill(sorted(children(process.pid))[1], signal.SIGTERM)
            _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert [line for line in said.splitlines() if line.startswith("ffgan: error:")] == [
        line for line in said.splitlines() if "steps are done, of which 0 are saved" in line
    ]
    assert said.count("are saved: resume with") == 1 and "No space left on device" in said


def test_an_error_of_one_rank_within_a_step_ends_the_others(folder: Path) -> None:
    script = """
import sys
from ffgan import cli
from ffgan.training.loop import Loop
step = Loop.adversarial_step
def fails(self):
    if self.ranks.number == 1 and self.state.position.step == 2:
        raise MemoryError("no room for this step")
    return step(self)
Loop.adversarial_step = fails
sys.exit(cli.main(sys.argv[1:]))
"""
    options = [*SMALL, "--steps", "1000", "--name", "a", "--checkpoint-every", "1"]
    began = time.monotonic()
    ended = run(
        ["mpiexec", "-n", "2", sys.executable, "-c", script, "train", str(folder), *options]
    )
    assert ended.returncode != 0
    said = "error: rank 1: no room for this step; all ranks end, the newest checkpoint is kept"
    assert ended.stderr.count(said) == 1, ended.stderr
    assert time.monotonic() - began < 120
    assert read(newest("a")).step == 2


def test_a_dry_run_times_the_step_of_all_processes(folder: Path) -> None:
    done = run(started(2, str(folder), *SMALL, "--steps", "4", "--name", "a", "--dry-run"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("seconds per step:") == done.stdout.count("processes: 2") == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["audit", "evaluate"])
def test_processes_share_an_evaluation_and_an_audit(command: str, folder: Path) -> None:
    need_feature_networks()
    kind = "--real" if command == "evaluate" else "--train"
    given = [sys.executable, "-m", "ffgan", command, kind, str(folder), "--samples", "20", "--json"]
    alone, shared = run(given), run(["mpiexec", "-n", "2", *given])
    assert alone.returncode == shared.returncode == 0, shared.stderr
    assert shared.stdout == alone.stdout
    wrong = run(["mpiexec", "-n", "2", *given, "--samples", "3"])
    assert wrong.returncode == 2
    assert wrong.stderr.count("must be from 16 to") == 1, wrong.stderr
    assert "rank" not in wrong.stderr
    other = run(["mpiexec", "-n", "1", *given, ":", "-n", "1", *given, "--fit", "wrong"])
    assert other.returncode == 2
    assert other.stderr.count("ffgan: error: rank 1: argument --fit: must be") == 1, other.stderr
