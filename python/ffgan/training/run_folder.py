# SPDX-License-Identifier: GPL-3.0-or-later
"""The run folder: what a training run leaves on the disk, whole at any moment.

Every file is written under another name in its own folder, brought to the disk, and then renamed;
so whatever kills the process leaves either the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffgan import storage
from ffgan.errors import CheckpointError, ModelError

FORMAT = "ffgan-checkpoint-1"
# As this program names them. Copies of file managers and of programs that synchronise folders have
# other names, and are left alone.
CHECKPOINT = re.compile(r"step-[0-9]{8,}\.safetensors")
SAMPLES = re.compile(r"step-[0-9]{8,}\.png")


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to be resumed: tensors by name, and a JSON object for the rest.

    `step` is the number of steps done. `record` holds the settings, the data set's hash, and the
    position of the run; `good` is False while the run looked as if it was about to diverge.
    """

    step: int
    tensors: dict[str, NDArray[np.float32]]
    record: dict[str, Any] = field(default_factory=dict)
    good: bool = True


def write(path: Path, content: bytes) -> None:
    """Replace the file at once, so that a reader or a crash sees the old content or the new.

    Raises CheckpointError naming the file when the disk is full or the folder cannot be written.
    """
    try:
        storage.write_atomically(path, content)
    except OSError as error:
        raise _cannot("write", path, error) from error


def encode(checkpoint: Checkpoint) -> bytes:
    """The bytes of a checkpoint's file: equal for equal checkpoints."""
    from safetensors.numpy import save

    header = {
        "format": FORMAT,
        "step": checkpoint.step,
        "good": checkpoint.good,
        "sha256": storage.tensor_digest(checkpoint.tensors),
        "record": checkpoint.record,
    }
    header["header_sha256"] = _digest(header)
    # One entry only: the library writes several in an order that changes from process to process.
    return save(checkpoint.tensors, {"checkpoint": json.dumps(header, sort_keys=True)})


def read(path: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Raises ValueError when the file is damaged, CheckpointError when it cannot be opened or was
    written by a newer version.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["checkpoint"])
            if not isinstance(header["format"], str):
                raise ValueError("its format is no text")
            if header["format"] != FORMAT:
                raise CheckpointError(
                    f"{path} has format {header['format']}, this version reads {FORMAT}: "
                    "update ffgan or choose another --name"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            digest, record = header["sha256"], header["record"]
            step, good = header["step"], header["good"]
            # Checkpoints of older versions have a digest of their tensors only.
            its_digest = header.pop("header_sha256", None)
            same = its_digest is None or its_digest == _digest(header)
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {storage.reason(error)}; run the same command again once it can "
            "be read, or move it away to go back to the one before"
        ) from error
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not same or storage.tensor_digest(tensors) != digest:
        raise ValueError(f"{path} is damaged: its SHA-256 does not match")
    if not (
        isinstance(step, int)
        and 0 <= step < 2**63
        and isinstance(record, dict)
        and isinstance(good, bool)
        and all(tensor.dtype == np.float32 for tensor in tensors.values())
    ):
        raise ValueError(f"{path} is damaged: it holds no step, record and float32 tensors")
    return Checkpoint(int(step), tensors, record, good)


def _digest(header: Mapping[str, Any]) -> str:
    """SHA-256, as hex, of what a checkpoint says beside its tensors."""
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


class RunFolder:
    """`runs/<name>/` and the names of the files in it; nothing is created before `locked`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.log = self.path / "train.jsonl"
        self.samples = self.path / "samples"
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model.safetensors"
        self.best = self.path / "best.safetensors"
        self.report = self.path / "report.html"
        self.skipped = self.path / "skipped.log"
        self._unwritten: list[str] = []  # lines of train.jsonl

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other processes from training in it; remove left-over files.

        Raises CheckpointError when it cannot be written or another process is training in it.
        """
        made = [folder for folder in (self.path.parent, self.path) if not folder.exists()]
        try:
            for folder in (self.checkpoints, self.samples):
                folder.mkdir(parents=True, exist_ok=True)
            lock = storage.acquire_lock(self.path / ".lock")
        except BlockingIOError:
            raise CheckpointError(
                f"another process is training in {self.path}: wait for it or choose another --name"
            ) from None
        except OSError as error:
            raise _cannot("write", Path(error.filename or self.path), error) from error
        try:
            for folder in (self.path, self.checkpoints, self.samples):
                storage.remove_temporary_files(folder)
            yield
        finally:
            os.close(lock)
            self._remove_if_empty(made)

    def _remove_if_empty(self, made: list[Path]) -> None:
        """Remove what a run that failed before it left anything has made: the folders ``made``."""
        if self.path not in made:
            return
        # What anybody has put there stays, since only empty folders can be removed.
        with suppress(OSError):
            if {path.name for path in self.path.iterdir()} == {".lock", "checkpoints", "samples"}:
                for folder in (self.checkpoints, self.samples):
                    folder.rmdir()
                (self.path / ".lock").unlink()
                for folder in reversed(made):
                    folder.rmdir()

    def paths(self) -> list[Path]:
        """The checkpoints' files, oldest first; a copy with another name is none of them."""
        return _numbered(self.checkpoints, CHECKPOINT)

    def sample_paths(self) -> list[Path]:
        """The sample grids' files, oldest first; a copy with another name is none of them."""
        return _numbered(self.samples, SAMPLES)

    def newest(self, *, good: bool = False) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole checkpoint, or None, and one line for each damaged one passed over.

        With `good`, those taken while the run was about to diverge are passed over silently.
        Raises CheckpointError when there are checkpoints and none is whole.
        """
        damaged: list[str] = []
        for path in reversed(self.paths()):
            try:
                checkpoint = read(path)
            except ValueError as error:
                damaged.append(f"{error}; going back to the one before")
                continue
            if checkpoint.good or not good:
                return checkpoint, damaged
        if damaged:
            raise CheckpointError(
                f"no checkpoint in {self.checkpoints} is whole: start again with {self.way_on()}"
            )
        return None, damaged

    def way_on(self) -> str:
        """The options with which a new run goes on from this one's newest model, if it is whole."""
        from ffgan.model import read_model

        for path in (self.model, self.best):
            try:
                read_model(path)
            except ModelError:
                continue
            return f"another --name and --init {shlex.quote(f'model:{path}')}"
        return "another --name"

    def save(self, checkpoint: Checkpoint, keep: int) -> int:
        """Write a checkpoint, then drop all but the `keep` newest and the newest good one.

        On a full disk all go but the newest whole one and the newest good one. Returns how many
        went for that. Raises CheckpointError when it cannot be written.
        """
        path = self.checkpoints / f"step-{checkpoint.step:08d}.safetensors"
        content = encode(checkpoint)
        dropped = 0
        try:
            write(path, content)
        except CheckpointError as error:
            if not storage.is_full(error.__cause__) or not (dropped := self._make_room()):
                raise
            write(path, content)
        # It is written: what a fault of the disk keeps for too long goes with the next one.
        with suppress(CheckpointError):
            older = self.paths()[:-keep]
            if older and not checkpoint.good:
                best, _ = self.newest(good=True)
                older = [path for path in older if best is None or step_of(path) != best.step]
            self._remove(older)
        return dropped

    def _make_room(self) -> int:
        """Remove the checkpoints that a resumed run can do without; returns how many."""
        with suppress(CheckpointError):
            whole, good = self.newest()[0], self.newest(good=True)[0]
            needed = {found.step for found in (whole, good) if found}
            spare = [path for path in self.paths() if step_of(path) not in needed]
            self._remove(spare)
            return len(spare)
        return 0

    def _remove(self, paths: list[Path]) -> None:
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _cannot("remove", path, error) from error

    def room(self) -> int | None:
        """Bytes free for checkpoints, those included that there are; None where nobody knows."""
        try:
            disk = shutil.disk_usage(self.path)
            if not disk.total:  # as some network file systems say, which know no size
                return None
            return disk.free + sum(path.stat().st_size for path in self.paths())
        except OSError:
            return None

    def append(self, line: Mapping[str, Any]) -> None:
        """Add one JSON object to train.jsonl and bring it to the disk.

        Raises CheckpointError where that fails; the line then comes with the next one.
        """
        self._unwritten.append(json.dumps(line, allow_nan=False) + "\n")
        self.write_log()

    def write_log(self) -> None:
        """Add the lines to train.jsonl that could not be written; raises CheckpointError."""
        if not self._unwritten:
            return
        try:
            # Without a buffer, which would be written once more when the file is closed.
            with open(self.log, "ab", buffering=0) as file:
                end = file.tell()
                try:
                    content = memoryview("".join(self._unwritten).encode())
                    while content:
                        content = content[file.write(content) :]
                    storage.synchronise(file.fileno(), self.log)
                except OSError:
                    with suppress(OSError):
                        os.ftruncate(file.fileno(), end)  # no half of a line before the next one
                    raise
        except OSError as error:
            raise _cannot("write", self.log, error) from error
        self._unwritten.clear()

    def lines(self) -> list[dict[str, Any]]:
        """train.jsonl, without what is no line of it: a crash may have left half of one.

        Raises CheckpointError when the file cannot be read.
        """
        lines: list[dict[str, Any]] = []
        try:
            content = self.log.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return lines
        except OSError as error:
            raise _cannot("read", self.log, error) from error
        for text in content.splitlines():
            with suppress(ValueError, RecursionError):
                line = json.loads(text)
                if _is_line(line):
                    lines.append(line)
        return lines

    def changes(self) -> list[Any]:
        """The settings that have changed on the way, as config.json lists them.

        Raises CheckpointError when that file is damaged.
        """
        if not self.config.exists():
            return []
        try:
            return list(json.loads(self.config.read_text("utf-8")).get("changes", []))
        except OSError as error:
            raise _cannot("read", self.config, error) from error
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise CheckpointError(
                f"{self.config} is damaged: remove it to resume without its list of changes"
            ) from error

    def forget_after(self, step: int) -> float:
        """Drop log lines and checkpoints after `step`, which will be done again.

        Returns the seconds of training up to there.
        """
        self._remove([path for path in self.paths() if step_of(path) > step])
        self._unwritten.clear()
        lines = [line for line in self.lines() if line["step"] <= step]
        if self.log.exists():
            write(self.log, "".join(json.dumps(line) + "\n" for line in lines).encode())
        return float(lines[-1].get("seconds", 0.0)) if lines else 0.0


def _is_line(line: object) -> bool:
    """Whether it says at which step it is, and numbers where a resumed run needs them."""
    if not isinstance(line, dict) or not isinstance(line.get("step"), int):
        return False
    seconds = line.get("seconds", 0.0)
    return isinstance(seconds, (int, float)) and 0 <= seconds < 1e12


def step_of(path: Path) -> int:
    """The number of steps in the name of a checkpoint or of a sample grid."""
    return int(path.stem.removeprefix("step-"))


def _numbered(folder: Path, names: re.Pattern[str]) -> list[Path]:
    try:
        found = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _cannot("read", folder, error) from error
    return sorted((path for path in found if names.fullmatch(path.name)), key=step_of)


def _cannot(do: str, path: Path, error: OSError) -> CheckpointError:
    elsewhere = "choose another " + ("--name" if do == "read" else "--runs folder")
    return CheckpointError(
        f"cannot {do} {path}: {storage.reason(error)}; {storage.way_out(error, elsewhere)}"
    )
