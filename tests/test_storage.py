# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are whole or not there, one process writes at a time, equal tensors have equal digests."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.disk import largest_file, small_disk
from support.odd_disk import without_calls

from ffgan import images, storage
from ffgan.dataset import pack
from ffgan.errors import CheckpointError, Error, ModelError
from ffgan.extraction.journal import Journal
from ffgan.extraction.journal import write as write_extracted
from ffgan.model import Model
from ffgan.model.dnn import export_dnn
from ffgan.model.onnx import export_onnx
from ffgan.training.run_folder import Checkpoint, RunFolder, write


def test_a_file_is_replaced_in_one_go(tmp_path: Path) -> None:
    path = tmp_path / "file"
    storage.write_atomically(path, b"old")
    before = path.stat().st_ino
    with path.open("rb") as reader:
        storage.write_atomically(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != before
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_file_has_the_permissions_that_the_user_wants(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        storage.write_atomically(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("single_writer", [False, True])
def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path, single_writer: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with (
        pytest.raises(RuntimeError),
        storage.atomic_file(path, single_writer=single_writer) as file,
    ):
        file.write(b"half of the new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("single_writer", [False, True])
def test_a_signal_that_comes_as_the_file_is_opened_leaves_nothing(
    tmp_path: Path, single_writer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def interrupted(path: Path, mode: str = "r") -> object:
        file = opened(path, mode)
        if mode in ("ab", "xb"):
            file.close()  # as what nobody has got yet is
            raise KeyboardInterrupt
        return file

    monkeypatch.setattr(Path, "open", interrupted)
    with (
        pytest.raises(KeyboardInterrupt),
        storage.atomic_file(tmp_path / "file", single_writer=single_writer),
    ):
        pytest.fail("it was not interrupted")
    assert not os.listdir(tmp_path)


def test_a_file_may_have_the_longest_name(tmp_path: Path) -> None:
    storage.write_atomically(tmp_path / ("x" * 255), b"content")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"content"


def test_a_second_writer_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with storage.atomic_file(path, single_writer=True) as file:
        with (
            pytest.raises(BlockingIOError),
            storage.atomic_file(path, single_writer=True),
        ):
            pass
        file.write(b"of the first")
    assert path.read_bytes() == b"of the first"


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from ffgan import storage
with storage.atomic_file(Path({str(tmp_path / "file")!r})) as file:
    file.write(b"half")
    file.flush()
    os._exit(1)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    (tmp_path / ".file.of-an-older-version.part").write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"the user's own")
    assert len(os.listdir(tmp_path)) == 3
    storage.remove_temporary_files(tmp_path)
    assert os.listdir(tmp_path) == [".hidden"]


@pytest.mark.parametrize("name", ["", ".lock"])
def test_a_lock_is_held_until_it_is_closed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    held = storage.acquire_lock(path)
    with pytest.raises(BlockingIOError):
        storage.acquire_lock(path)
    os.close(held)
    os.close(storage.acquire_lock(path))


@pytest.mark.slow
def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from ffgan import storage
storage.acquire_lock(Path({str(tmp_path)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    os.close(storage.acquire_lock(tmp_path))


# --- File systems that lack calls ---

WRITE_TWICE_AND_LOCK = """
import logging, os, sys
from pathlib import Path
from ffgan import storage
logging.basicConfig(format="%(message)s", stream=sys.stdout)
folder = Path(sys.argv[1])
for content in (b"old", b"new"):
    with storage.atomic_file(folder / "file", single_writer=True) as file:
        file.write(content)
    storage.write_atomically(folder / "other", content)
os.close(storage.acquire_lock(folder))
os.close(storage.acquire_lock(folder / ".lock"))
(folder / "below").mkdir()
storage.write_atomically(folder / "below" / "file", b"new")
os.close(storage.acquire_lock(folder / "below"))
print((folder / "file").read_bytes(), (folder / "other").read_bytes())
"""


@pytest.mark.parametrize(
    ("failing", "line"),
    [
        ({"FLOCK": errno.ENOSYS}, "cannot lock files in {} (Function not implemented): see that"),
        ({"FLOCK": errno.EOPNOTSUPP}, "cannot lock files in {} (Operation not supported): see"),
        ({"FLOCK": errno.ENOLCK}, "cannot lock files in {} (No locks available): see that no "),
        ({"FLOCK": errno.EBADF}, "cannot lock files in {} (Bad file descriptor): see that no ot"),
        ({"FSYNC_FOLDER": errno.EINVAL}, "cannot sync the names of files in {} (Invalid argument"),
        ({"FSYNC_FOLDER": errno.EIO}, "cannot sync the names of files in {} (Input/output error)"),
        ({"FSYNC_FILE": errno.EINVAL}, "cannot sync files in {} (Invalid argument): a power cut"),
    ],
)
def test_what_a_file_system_cannot_do_is_told_once_and_files_are_written(
    tmp_path: Path, failing: dict[str, int], line: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    done = without_calls(tmp_path, failing, "-c", WRITE_TWICE_AND_LOCK, str(folder))
    assert done.returncode == 0, done.stderr
    told, result = done.stdout.splitlines()
    assert told.startswith(line.format(folder))
    assert result == "b'new' b'new'"
    assert sorted(os.listdir(folder)) == [".lock", "below", "file", "other"]


def test_a_disk_that_fails_is_no_courtesy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    program = """
import sys
from pathlib import Path
from ffgan import storage
storage.write_atomically(Path(sys.argv[1]), b"new")
"""
    failing = {"FSYNC_FILE": errno.EIO}
    done = without_calls(tmp_path, failing, "-c", program, str(tmp_path / "file"))
    assert "Input/output error" in done.stderr
    assert (tmp_path / "file").read_bytes() == b"old"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_a_data_set_is_packed_where_nothing_can_be_locked(tmp_path: Path) -> None:
    packed(tmp_path)
    (tmp_path / "faces.pack").unlink()
    command = ("-m", "ffgan", "pack", "photos", "faces.pack")
    failing = {"FLOCK": errno.ENOSYS, "FSYNC_FOLDER": errno.EINVAL}
    done = without_calls(tmp_path, failing, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "packed: faces.pack" in done.stdout
    assert len(done.stderr.splitlines()) == 2
    assert all(line.startswith("ffgan: cannot ") for line in done.stderr.splitlines())


def test_a_single_writers_file_may_have_the_longest_name(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    with storage.atomic_file(path, single_writer=True) as file:
        with pytest.raises(BlockingIOError), storage.atomic_file(path, single_writer=True):
            pass
        file.write(b"content")
    assert path.read_bytes() == b"content"


def test_left_overs_that_cannot_be_removed_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / ".folder.tmp").mkdir()
    (tmp_path / ".other.tmp").touch()
    storage.remove_temporary_files(tmp_path)
    assert os.listdir(tmp_path) == [".folder.tmp"]


# --- Digests ---


def test_the_digest_is_over_names_types_shapes_and_bytes() -> None:
    tensors = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(2, np.int64)}
    digest = hashlib.sha256(b"a int64 (2,)\n" + tensors["a"].tobytes())
    digest.update(b"b float32 (2, 3)\n" + tensors["b"].tobytes())
    assert storage.tensor_digest(tensors) == digest.hexdigest()
    transposed = np.asfortranarray(tensors["b"])
    assert storage.tensor_digest({"a": tensors["a"], "b": transposed}) == digest.hexdigest()
    for other in (
        tensors | {"b": tensors["b"].reshape(3, 2)},
        tensors | {"b": tensors["b"].view(np.int32)},
        tensors | {"b": -tensors["b"]},
        {"a": tensors["a"], "c": tensors["b"]},
        tensors | {"empty": np.zeros((0, 3), np.float32)},
    ):
        assert storage.tensor_digest(other) != digest.hexdigest()


@pytest.mark.slow
def test_equal_tensors_are_equal_files_in_every_process() -> None:
    program = """
import hashlib, numpy as np
from ffgan import storage
tensors = {"b": np.ones((2, 3), np.float32), "a": np.zeros(5, np.float16)}
metadata = {name: "x" for name in ("one", "two", "three", "four")}
print(hashlib.sha256(storage.encode_tensors(tensors, metadata)).hexdigest())
"""
    run = [sys.executable, "-c", program]
    outputs = {
        subprocess.run(run, check=True, capture_output=True, text=True).stdout for _ in range(4)
    }
    assert len(outputs) == 1


# --- What cannot be written, whoever writes ---


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file or directory; see that its folder is there"):
        Model.load().save(tmp_path / "nowhere" / "m.safetensors")


def checkpoint(path: Path) -> None:
    (path / "checkpoints").mkdir()
    RunFolder(path).save(Checkpoint(1, {"w": np.zeros(1000, np.float32)}), keep=1)


def journal(path: Path) -> None:
    with Journal(path / "out", {"photos": "x" * 1000}) as log:
        log.rewrite()


def packed(path: Path) -> None:
    (path / "photos").mkdir()
    (path / "photos" / "a.png").write_bytes(images.encode(np.zeros((9, 9, 3), np.uint8)))
    pack(path / "photos", path / "faces.pack")


WRITERS: dict[str, tuple[type[Error], str, Callable[[Path], object]]] = {
    "checkpoint": (CheckpointError, r"ulimit -f.* or choose another --runs folder", checkpoint),
    "training report": (
        CheckpointError,
        "another --runs folder",
        lambda p: write(p / "report.html", b"x" * 1000),
    ),
    "model": (
        ModelError,
        r"ulimit -f.* or give another file",
        lambda p: Model.load().save(p / "m"),
    ),
    "onnx": (
        ModelError,
        r"ulimit -f.* or give another file",
        lambda p: export_onnx(Model.load(), p / "m"),
    ),
    "dnn": (ModelError, "cannot", lambda p: export_dnn(Model.load(), p / "m")),
    "journal": (Error, r"ulimit -f.* or give another output folder", journal),
    "manifest": (
        Error,
        "or give another output folder",
        lambda p: write_extracted(p / "manifest.csv", b"x" * 1000),
    ),
    "picture": (
        Error,
        "cannot write",
        lambda p: images.save(p / "a.png", np.full((99, 99, 3), 7, np.uint8)),
    ),
    "packed images": (Error, "name a file on another disk", packed),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_that_is_too_large_is_one_line_with_the_way_out(tmp_path: Path, kind: str) -> None:
    error_class, way_out, act = WRITERS[kind]
    if kind == "onnx":
        pytest.importorskip("onnx")
    with largest_file(200), pytest.raises(error_class, match=way_out) as error:
        act(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 1  # a failure, and no bad input
    if kind != "dnn":  # which the core writes
        assert "File too large" in str(error.value)
        assert "--runs" not in str(error.value) or error_class is CheckpointError
    assert not [path for path in tmp_path.rglob(".*") if path.name != ".lock"]


def test_a_disk_that_fills_up_keeps_the_old_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        storage.write_atomically(disk / "file", b"x" * 30_000)
        with pytest.raises(OSError, match="No space left"):
            storage.write_atomically(disk / "file", b"y" * 60_000)
        assert (disk / "file").read_bytes() == b"x" * 30_000
        assert os.listdir(disk) == ["file"]


def test_the_way_out_fits_what_the_system_says(tmp_path: Path) -> None:
    """Followed, each one helps: nobody makes room where a folder is in the way."""

    def error_of(path: Path) -> OSError:
        with pytest.raises(OSError) as error:
            storage.write_atomically(path, b"content")
        return error.value

    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    in_the_way = "move away what has its name or that of its folder or give another"
    assert storage.way_out(error_of(tmp_path / "folder"), "give another") == in_the_way
    (tmp_path / "folder").rename(tmp_path / "away")
    storage.write_atomically(tmp_path / "folder", b"content")
    assert storage.way_out(error_of(tmp_path / "file" / "a"), "give another") == in_the_way
    too_long = error_of(tmp_path / ("n" * 300))
    assert storage.way_out(too_long, "give another") == "take a shorter name or give another"
    for number, what in [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EROFS, "make it writable"),
        (errno.EIO, "check the disk"),
    ]:
        assert storage.remedy(OSError(number, "")) == what
