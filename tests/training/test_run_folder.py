# SPDX-License-Identifier: GPL-3.0-or-later
"""The run folder survives what kills a process, and says in one line what it cannot do."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.disk import largest_file, small_disk

from ffgan.errors import CheckpointError
from ffgan.model import packaged_model
from ffgan.training.run_folder import Checkpoint, RunFolder, encode, read, write

HERE = f"{Path(__file__).parent}:{Path(__file__).parents[1]}"  # what child processes import


def checkpoint(step: int, *, good: bool = True, size: int = 1000) -> Checkpoint:
    values = np.random.default_rng(step).standard_normal(size).astype(np.float32)
    return Checkpoint(step, {"trainer.w": values}, {"position": {"step": step}}, good)


def with_header(content: bytes, header: str) -> bytes:
    """A checkpoint's file with another header of ours."""
    (length,) = struct.unpack_from("<Q", content)
    description = json.loads(content[8 : 8 + length])
    description["__metadata__"]["checkpoint"] = header
    encoded = json.dumps(description).encode()
    return struct.pack("<Q", len(encoded)) + encoded + content[8 + length :]


def header_changed(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The same without the header's digest, as older versions wrote it, with a change."""
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["checkpoint"])
    del header["header_sha256"]
    change(header)
    return with_header(content, json.dumps(header))


def test_a_checkpoint_without_a_digest_of_its_header_is_read(folder: RunFolder) -> None:
    folder.save(checkpoint(10), keep=3)
    path = folder.checkpoints / "step-00000010.safetensors"
    path.write_bytes(header_changed(path.read_bytes(), lambda header: None))
    assert read(path).record == {"position": {"step": 10}}


def steps(folder: RunFolder) -> list[int]:
    return [int(path.stem[5:]) for path in folder.paths()]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    run = RunFolder(tmp_path / "runs" / "a")
    with run.locked():
        yield run


def test_a_checkpoint_comes_back_as_it_was(folder: RunFolder) -> None:
    saved = Checkpoint(
        7,
        {"a": np.array([np.nan, -0.0, 1e-40], np.float32), "b.c": np.ones((2, 3), np.float32)},
        {"position": {"step": 7, "offset": 2}, "data": {"hash": "é"}},
        good=False,
    )
    folder.save(saved, keep=3)
    found, damaged = folder.newest()
    assert damaged == []
    assert found is not None
    assert (found.step, found.record, found.good) == (7, saved.record, False)
    assert {k: v.tobytes() for k, v in found.tensors.items()} == {
        k: v.tobytes() for k, v in saved.tensors.items()
    }


def test_equal_checkpoints_have_equal_bytes_in_every_process() -> None:
    code = (
        "import sys, hashlib; sys.path[:0] = sys.argv[1].split(':'); import test_run_folder as t;"
        "print(hashlib.sha256(t.encode(t.checkpoint(3))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, HERE], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(3)
    }
    assert len(digests) == 1


def test_the_newest_few_are_kept(folder: RunFolder) -> None:
    for step in (10, 20, 30, 40):
        folder.save(checkpoint(step), keep=2)
    assert steps(folder) == [30, 40]
    assert not list(folder.checkpoints.glob(".*"))


def test_the_newest_good_one_is_kept_however_many_suspect_ones_follow(folder: RunFolder) -> None:
    folder.save(checkpoint(10), keep=2)
    folder.save(checkpoint(20), keep=2)
    for step in (30, 40, 50):
        folder.save(checkpoint(step, good=False), keep=2)
    assert steps(folder) == [20, 40, 50]
    good, _ = folder.newest(good=True)
    assert good is not None
    assert good.step == 20


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-500],
        lambda content: b"",
        lambda content: content[:5],
        lambda content: content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content.replace(b"sha256", b"sha999"),
        lambda content: content.replace(b'step\\": 20', b'step\\": 21'),
        lambda content: header_changed(content, lambda header: header.update(good="yes")),
        lambda content: header_changed(content, lambda header: header.update(record=[1])),
        lambda content: header_changed(content, lambda header: header.update(step=-1)),
        lambda content: header_changed(content, lambda header: header.update(format=None)),
        lambda content: with_header(content, "[" * 100_000),
    ],
    ids=[
        "cut off",
        "empty",
        "header cut off",
        "one bit",
        "huge header",
        "no digest",
        "another step",
        "good is text",
        "record is a list",
        "negative step",
        "no format",
        "nested without end",
    ],
)
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(folder, damage) -> None:
    folder.save(checkpoint(10), keep=3)
    folder.save(checkpoint(20), keep=3)
    path = folder.checkpoints / "step-00000020.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    found, damaged = folder.newest()
    assert found is not None
    assert found.step == 10
    assert len(damaged) == 1
    assert str(path) in damaged[0]
    assert "\n" not in damaged[0]


def test_when_no_checkpoint_is_whole_the_error_says_what_to_do(folder: RunFolder) -> None:
    folder.save(checkpoint(10), keep=3)
    next(folder.checkpoints.glob("*.safetensors")).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"whole: start again with another --name$"):
        folder.newest()
    # The user's model is the way on, if it is whole, and never to be removed.
    shutil.copy(packaged_model(), folder.model)
    with pytest.raises(CheckpointError) as error:
        folder.newest()
    assert str(error.value).endswith(f"another --name and --init model:{folder.model}")
    shutil.copy(folder.model, folder.best)
    folder.model.write_bytes(b"")
    with pytest.raises(CheckpointError) as error:
        folder.newest()
    assert str(error.value).endswith(f"another --name and --init model:{folder.best}")


def test_a_copy_beside_the_checkpoints_is_none_of_them(folder: RunFolder) -> None:
    folder.save(checkpoint(10), keep=2)
    copy = folder.checkpoints / "step-00000010 (copy).safetensors"
    copy.write_bytes((folder.checkpoints / "step-00000010.safetensors").read_bytes())
    others = ["step-old", "step-best", "step-10", "step-00000010.sync-conflict-20260101-AB"]
    others += ["step-00000010 (conflicted copy)", "step-٠٠٠٠٠٠٤٠", "step-00000010_1"]
    for name in others:
        (folder.checkpoints / f"{name}.safetensors").write_text("mine")
    assert folder.newest()[1] == []
    for step in (20, 30):
        folder.save(checkpoint(step), keep=2)
    folder.forget_after(20)
    assert [path.name for path in folder.paths()] == ["step-00000020.safetensors"]
    assert copy.exists()
    assert all((folder.checkpoints / f"{name}.safetensors").exists() for name in others)


def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot read .*: File name too long"):
        RunFolder(tmp_path / ("x" * 300)).newest()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"changes": 3}'])
def test_a_damaged_config_is_named_with_the_way_out(folder: RunFolder, text: str) -> None:
    folder.config.write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json is damaged: remove it"):
        folder.changes()


def test_a_checkpoint_of_a_newer_version_is_refused_and_left_alone(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save(checkpoint(10), keep=3)
    monkeypatch.setattr("ffgan.training.run_folder.FORMAT", "ffgan-checkpoint-2")
    folder.save(checkpoint(20), keep=3)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"ffgan-checkpoint-2.*update ffgan"):
        folder.newest()
    assert steps(folder) == [10, 20]


def test_a_full_disk_leaves_the_last_checkpoint_whole(folder: RunFolder) -> None:
    folder.save(checkpoint(10, size=1000), keep=1)
    with largest_file(20_000), pytest.raises(CheckpointError) as error:
        folder.save(checkpoint(20, size=100_000), keep=1)
    assert str(folder.checkpoints / "step-00000020.safetensors") in str(error.value)
    assert "\n" not in str(error.value)
    found, _ = folder.newest()
    assert found is not None
    assert found.step == 10
    assert not list(folder.checkpoints.glob(".*"))


def test_a_disk_that_fills_up_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=512k") as disk:
        folder = RunFolder(disk / "a")
        with folder.locked():
            folder.save(checkpoint(10, size=60_000), keep=3)
            with pytest.raises(CheckpointError, match=r"step-00000020\.safetensors: No space left"):
                folder.save(checkpoint(20, size=80_000), keep=3)
            found, damaged = folder.newest()
        assert damaged == []
        assert found is not None
        assert found.step == 10


def test_on_a_full_disk_older_checkpoints_make_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        folder = RunFolder(disk / "a")
        with folder.locked():
            for step, good in ((10, True), (20, False), (30, False)):
                folder.save(checkpoint(step, size=60_000, good=good), keep=3)
            # Three of 240 KB: no room for one of 400. The newest and the newest good one stay.
            assert folder.save(checkpoint(40, size=100_000, good=False), keep=3) == 1
            assert steps(folder) == [10, 30, 40]


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs Linux's /proc")
def test_the_room_of_a_file_system_without_a_size_is_unknown(folder: RunFolder) -> None:
    assert RunFolder("/proc").room() is None
    assert RunFolder("/proc/none").room() is None
    assert folder.room() is not None


def test_a_run_that_failed_before_it_left_anything_leaves_no_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs" / "a")
    with pytest.raises(ZeroDivisionError), folder.locked():
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with folder.locked():
        folder.save(checkpoint(0), keep=1)
    with pytest.raises(ZeroDivisionError), folder.locked():
        raise ZeroDivisionError
    assert steps(folder) == [0]


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "runs" / "a").mkdir(parents=True)
    with RunFolder(tmp_path / "runs" / "a").locked():
        pass
    assert (tmp_path / "runs" / "a" / ".lock").exists()


def test_a_read_only_disk_is_named_in_one_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "ro") as disk:
        with pytest.raises(CheckpointError) as error, RunFolder(disk / "a").locked():
            pass
        assert str(disk / "a") in str(error.value)
        assert "Read-only file system; make it writable or choose another --runs folder" in str(
            error.value
        )


def test_a_file_in_the_place_of_the_folder_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with (
        pytest.raises(CheckpointError, match=r"cannot write .*runs/a.*another --runs"),
        RunFolder(tmp_path / "runs" / "a").locked(),
    ):
        pass


WRITER = """
import sys
sys.path[:0] = sys.argv[1].split(':')
from test_run_folder import RunFolder, checkpoint
folder = RunFolder(sys.argv[2])
with folder.locked():
    print("ready", flush=True)
    step = 0
    while True:
        step += 1
        folder.save(checkpoint(step, size=400_000), keep=2)
        folder.append({"step": step, "seconds": float(step)})
"""


def test_a_killed_process_leaves_whole_checkpoints_and_no_rubbish(tmp_path: Path) -> None:
    chance = random.Random(1)
    folder = RunFolder(tmp_path / "a")
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, HERE, str(folder.path)],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            while len(folder.paths()) < 2:
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.2))
            process.kill()
        with folder.locked():
            left = [path.name for path in folder.path.rglob(".*")]
            found, damaged = folder.newest()
        assert left == [".lock"]
        assert damaged == []
        assert found is not None
        assert found.step >= 2
        assert all(isinstance(line["step"], int) for line in folder.lines())
        for path in folder.paths():
            path.unlink()


def test_two_processes_cannot_train_in_one_folder(folder: RunFolder) -> None:
    second = subprocess.run(
        [sys.executable, "-c", WRITER, HERE, str(folder.path)],
        capture_output=True,
        text=True,
    )
    assert second.returncode == 1
    assert f"another process is training in {folder.path}" in second.stderr


def test_the_log_is_cut_back_to_a_checkpoint(folder: RunFolder) -> None:
    for step in (10, 20, 30):
        folder.append({"step": step, "seconds": step / 2})
        folder.save(checkpoint(step), keep=9)
    with open(folder.log, "a") as file:
        file.write('{"step": 40, "secon')
    assert folder.forget_after(20) == 10.0
    assert [json.loads(line)["step"] for line in folder.log.read_text().splitlines()] == [10, 20]
    assert steps(folder) == [10, 20]


def test_what_is_no_line_of_the_log_is_passed_over(folder: RunFolder) -> None:
    folder.log.write_text('{"step": 1, "seconds": 2.5}\n3\n[]\n{}\n{"step": "x"}\n{"step": 9, ')
    assert folder.lines() == [{"step": 1, "seconds": 2.5}]
    assert folder.forget_after(5) == 2.5


@pytest.mark.parametrize("name", ["train.jsonl", "config.json"])
def test_a_folder_in_the_place_of_a_file_has_a_way_out_that_works(
    folder: RunFolder, name: str
) -> None:
    (folder.path / name).mkdir()
    with pytest.raises(CheckpointError, match=rf"cannot read .*{name}: .*; move away") as error:
        folder.lines()
        folder.changes()
    assert str(error.value).endswith("choose another --name")
    (folder.path / name).rename(folder.path / "away")
    assert not folder.lines()
    assert not folder.changes()


@pytest.mark.parametrize("name", ["samples", "checkpoints"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path, name: str) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    (run.path / name).write_text("")
    with (
        pytest.raises(CheckpointError, match=rf"cannot write .*run/{name}: .*; move"),
        run.locked(),
    ):
        pass
    (run.path / name).unlink()
    with run.locked():
        pass


def test_the_log_says_so_when_it_cannot_be_written(folder: RunFolder) -> None:
    folder.append({"step": 1, "seconds": 1.0})
    with largest_file(folder.log.stat().st_size + 5), pytest.raises(CheckpointError, match="train"):
        folder.append({"step": 2, "seconds": 2.0})
    # No half of a line stays, and the line comes with the next one.
    assert folder.log.read_bytes().count(b"{") == 1
    folder.append({"step": 3, "seconds": 3.0})
    assert [line["step"] for line in folder.lines()] == [1, 2, 3]


def test_write_replaces_a_file_in_one_go(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"old")
    before = path.stat().st_ino
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != before
    assert os.listdir(tmp_path) == ["file"]


def test_a_checkpoint_that_cannot_be_opened_is_not_taken_for_damaged(tmp_path: Path) -> None:
    path = tmp_path / "step-00000010.safetensors"
    path.mkdir()
    with pytest.raises(CheckpointError, match=r"cannot read .*step-00000010"):
        read(path)
    assert encode(checkpoint(1))
