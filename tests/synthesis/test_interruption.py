# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that are killed and disks that fill up: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.commands import environment
from support.disk import small_disk

from ffgan import storage, synthesis
from ffgan.errors import Error
from ffgan.model import Model

Content = Callable[[Path], dict[str, bytes]]

HOW: dict[str, Any] = {"shard_size": 12, "attributes": "none"}


def command(out: Path, format: str) -> list[str]:
    more = ["--shard-size", "12", "--attributes", "none", "--format", format, "--count", "120"]
    return [sys.executable, "-m", "ffgan", "dataset", str(out), *more]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["folder", "webdataset", "npy", "parquet"])
def test_a_command_that_is_killed_again_and_again_ends_with_the_same_bytes(
    format: str, tmp_path: Path, content: Content
) -> None:
    begun = time.monotonic()
    subprocess.run(command(tmp_path / "set", format), check=True, capture_output=True)
    duration = time.monotonic() - begun
    once = content(tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "once")
    draw = random.Random(format)
    killed = 0
    for _ in range(12):
        process = subprocess.Popen(
            command(tmp_path / "set", format), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            _, said = process.communicate(timeout=draw.uniform(0.3, 1) * duration)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            continue
        assert process.returncode == 0, said
        break
    else:
        subprocess.run(command(tmp_path / "set", format), check=True, capture_output=True)
    assert killed
    assert content(tmp_path / "set") == once


@pytest.mark.slow
def test_ctrl_c_is_told_with_what_to_do(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path / "set", "folder"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    while not list((tmp_path / "set").glob(".ffgan/shards/*.json")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, warned = process.communicate()
    assert (process.returncode, said) == (130, "")
    assert warned == "ffgan: stopped with Ctrl+C; the same command makes what is missing\n"
    assert not list((tmp_path / "set").rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("format", ["folder", "webdataset", "npy"])
def test_a_disk_that_is_full_at_any_moment_loses_nothing(
    format: Any, packaged: Model, tmp_path: Path, content: Content
) -> None:
    how = {**HOW, "model": packaged, "format": format, "count": 30}
    synthesis.make(tmp_path / "once", **how)
    once = content(tmp_path / "once")
    room = sum(map(len, once.values()))
    for share in (0.02, 0.3, 0.6, 0.95, 1.0):
        kib = 4 * round(share * room / 4096 + 3)
        with small_disk(tmp_path / f"{share}", f"size={kib}k") as disk:
            out = disk / "set"
            try:
                synthesis.make(out, **how)
                assert share > 0.6  # else the disk was not small
            except Error as error:
                assert str(error).startswith(f"cannot write {out}")
                assert "No space left on device; make room and run the same command" in str(error)
                assert not list(out.rglob("*.tmp"))
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            synthesis.make(out, **how)
            assert content(out) == once


def test_two_processes_do_not_write_one_set(packaged: Model, tmp_path: Path) -> None:
    (tmp_path / "set" / ".ffgan").mkdir(parents=True)
    lock = storage.acquire_lock(tmp_path / "set" / ".ffgan")
    try:
        with pytest.raises(Error, match="another process makes a data set in"):
            synthesis.make(tmp_path / "set", 1, model=packaged, **HOW)
    finally:
        os.close(lock)
