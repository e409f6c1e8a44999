# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets behind URLs: the bytes of a folder, and whole files or none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.commands import SECONDS, environment
from support.disk import largest_file
from support.hub import hub_of

from ffgan import synthesis
from ffgan.errors import Error, ExtraError, UsageError
from ffgan.locations import Url
from ffgan.model import Model
from ffgan.synthesis.remote_store import RemoteStore

fsspec = pytest.importorskip("fsspec", reason="needs pip install 'ffgan[remote]'")

Content = Callable[[Path], dict[str, bytes]]

HOW: dict[str, Any] = {"shard_size": 3, "attributes": "none"}


@pytest.fixture
def memory() -> Iterator[Any]:
    """The files that `memory://` has, by path."""
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()
    yield MemoryFileSystem.store
    MemoryFileSystem.store.clear()


@pytest.mark.parametrize("format", ["folder", "webdataset"])
def test_a_set_behind_a_url_has_the_bytes_of_one_in_a_folder(
    format: Any, packaged: Model, tmp_path: Path, content: Content, memory: Any
) -> None:
    how = {**HOW, "model": packaged, "format": format}
    synthesis.make(tmp_path, 8, **how)
    made = synthesis.make("memory://sets/one", 8, **how)
    assert (str(made.folder), made.made) == ("memory://sets/one", 8)
    there = {name.removeprefix("/sets/one/"): file.getvalue() for name, file in memory.items()}
    assert there == content(tmp_path)
    lost = next(name for name in memory if name.endswith((".jpg", ".tar")))
    del memory[lost]
    assert synthesis.make("memory://sets/one", 8, **how).made == 3
    assert {name.removeprefix("/sets/one/"): one.getvalue() for name, one in memory.items()} == (
        there
    )
    with pytest.raises(UsageError, match="holds a data set made otherwise"):
        synthesis.make("memory://sets/one", 9, **how)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_a_set_on_the_hub_has_the_bytes_of_one_in_a_folder(
    format: str, tmp_path: Path, content: Content
) -> None:
    """On a stand-in; its end point is read when huggingface_hub is imported, so in processes."""
    pytest.importorskip("huggingface_hub")
    how = ("--count", "8", "--shard-size", "3", "--attributes", "none", "--format", format)
    (tmp_path / "hub").mkdir()
    with hub_of(tmp_path / "hub") as hub:
        names = {"HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_x"}
        off = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
        for out in (str(tmp_path / "set"), "hf://datasets/user/faces"):
            command = [sys.executable, "-m", "ffgan", "dataset", out, *how]
            done = subprocess.run(
                command,
                env={**environment(), **names, **off},
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""
        assert hub.files == content(tmp_path / "set")
        assert all(len(names) == 1 for names in hub.commits)
        assert len(hub.commits) == len(hub.files)
        # A shard that somebody removed is made again, and what says that the set is whole.
        lost = next(name for name in hub.files if name.endswith((".parquet", ".tar")))
        del hub.files[lost], hub.commits[:]
        subprocess.run(command, env={**environment(), **names, **off}, timeout=SECONDS, check=True)
        assert hub.files == content(tmp_path / "set")
        assert [lost] in hub.commits


def test_no_room_for_a_temporary_file_is_told_with_its_folder(
    packaged: Model, memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    how = {**HOW, "model": packaged, "format": "webdataset"}
    with largest_file(11_000), pytest.raises(Error) as caught:
        synthesis.make("memory://sets/full", 6, **how)
    assert str(caught.value).startswith(f"cannot write a file to {tmp_path}: File too large; ")
    assert str(caught.value).endswith("or give another folder for temporary files by TMPDIR")
    assert not [name for name in memory if name.endswith(".tar")]
    assert not list(tmp_path.iterdir())
    assert synthesis.make("memory://sets/full", 6, **how).made == 6


def test_a_url_of_a_file_is_a_folder(packaged: Model, tmp_path: Path) -> None:
    synthesis.make(f"file://{tmp_path}/with%20space", 1, model=packaged, format="npy", **HOW)
    assert (tmp_path / "with space" / "train-images.npy").exists()


def test_what_cannot_be_there_is_told_before_anything_is_drawn(
    packaged: Model, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(out: str, kind: type[Error], **more: Any) -> str:
        with pytest.raises(kind) as caught:
            synthesis.make(out, 5, model=packaged, **{**HOW, **more})
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "npy files are written in place" in refused("memory://set", UsageError, format="npy")
    assert "makes a commit of each file" in refused("hf://datasets/a/b", UsageError)
    assert "Protocol not known: ftq" in refused("ftq://host/set", UsageError)
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    assert "install gcsfs" in refused("gs://bucket/set", ExtraError)
    memory["/other/file"] = memory.__class__  # only its name is looked at
    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.ls", _one_file)
    assert "holds no data set" in refused("memory://other", UsageError)
    assert list(memory) == ["/other/file"]


def _one_file(self: Any, path: str, detail: bool = True, **kwargs: Any) -> list[dict[str, Any]]:
    return [{"name": "/other/file", "size": 1, "type": "file"}]


def test_an_upload_that_fails_leaves_the_old_file_where_uploads_are_seen_at_once(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

    class Streaming(MemoryFileSystem):  # type: ignore[misc]
        """What is uploaded can be seen while it comes, as on most file systems."""

        protocol = "streaming"
        fails = False

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return super()._strip_protocol(path.replace("streaming://", "memory://"))

        def put_file(self, lpath: str, rpath: str, **kwargs: Any) -> None:
            whole = Path(lpath).read_bytes()
            self.pipe_file(rpath, whole[:5])
            if self.fails:
                raise ConnectionResetError("the line is dead")
            self.pipe_file(rpath, whole)

    fsspec.register_implementation("streaming", Streaming, clobber=True)
    store = RemoteStore(Url("streaming://set"))
    store.write("a/file", b"the old content")
    monkeypatch.setattr(Streaming, "fails", True)
    with pytest.raises(Error, match=r"cannot write streaming://set/a/file: the line is dead; ch"):
        store.write("a/file", b"the new content")
    assert store.read("a/file") == b"the old content"
    assert [name for name in memory if name.startswith("/set/")] == ["/set/a/file"]
    # What a process that was killed left.
    memory["/set/a/.ffgan-0123.tmp"] = MemoryFile(None, "/set/a/.ffgan-0123.tmp", b"half")
    store.sweep()
    assert [name for name in memory if name.startswith("/set/")] == ["/set/a/file"]
