# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets behind URLs: by a file system of fsspec in memory, and by a real S3 server."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.archives import files_below, tarred, zipped
from support.commands import environment
from support.hub import hub_of
from support.object_storage import s3_server, upload
from support.training_images import SMALL, jpeg, number_of, numbers, twelve

from ffgan.dataset import Dataset, ImageFiles, overlap, pack
from ffgan.errors import DatasetError, ExtraError, UnavailableError, UsageError
from ffgan.locations import RemoteFile, Url

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images, numbers 0 to 11."""
    return twelve(tmp_path / "faces")


@pytest.fixture
def memory(folder: Path) -> Iterator[Any]:
    """The file system ``memory://``, which has the images below ``faces``."""
    system = fsspec.filesystem("memory")
    for name, content in files_below(folder):
        system.pipe(f"/faces/{name}", content)
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_a_folder_behind_a_url_is_the_folder(folder: Path, memory: Any) -> None:
    memory.pipe("/faces/.hidden/x.jpg", jpeg())
    memory.pipe("/faces/notes.txt", b"text")
    data = Dataset("memory://faces")
    assert data.hash == Dataset(folder).hash
    assert numbers("memory://faces", 5, 6) == numbers(folder, 5, 6)  # type: ignore[arg-type]
    assert data.found.splitlines() == [
        "12 images in memory://faces",
        "1 other file ignored: 1 text; 1 hidden file or folder left out",
    ]


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz", "parquet"])
def test_archives_behind_urls_are_read_where_they_are(
    folder: Path, memory: Any, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"faces.{kind}"
    if kind == "zip":
        zipped(path, files_below(folder))
    elif kind == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        rows = [{"bytes": content, "path": name} for name, content in files_below(folder)]
        parquet.write_table(pyarrow.table({"image": rows}), path)
    else:
        tarred(path, files_below(folder), "w:gz" if kind == "tgz" else "w")
    memory.pipe(f"/archives/faces.{kind}", path.read_bytes())
    assert Dataset(f"memory://archives/faces.{kind}").hash == Dataset(folder).hash
    assert ImageFiles(f"memory://archives/faces.{kind}").read(7) == jpeg(7)
    if kind in ("zip", "tar"):
        for place in ("", f"/*.{kind}", f"/{{faces,faces}}.{kind}"):
            files = ImageFiles(f"memory://archives{place}")
            assert {name.rpartition(b"/")[2] for name in files.names} == set(
                ImageFiles(folder).names
            )


def test_a_file_that_is_read_forwards_needs_few_requests(
    folder: Path, memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [(f"{number:04}.jpg", jpeg(number % 50)) for number in range(500)]
    memory.pipe("/a.tar", tarred(tmp_path / "a.tar", many).read_bytes())
    requests: list[int] = []
    cat_file = memory.cat_file

    def counted(path: str, start: int | None = None, end: int | None = None) -> bytes:
        requests.append((end or 0) - (start or 0))
        return cat_file(path, start, end)

    monkeypatch.setattr(type(memory), "cat_file", lambda self, *a, **k: counted(*a, **k))
    files = ImageFiles("memory://a.tar")
    assert len(requests) < 8
    del requests[:]
    assert [files.read(k) for k in (400, 3, 77)] == [jpeg(400 % 50), jpeg(3), jpeg(27)]
    assert sum(requests) < 10_000  # single images are read without more


def test_what_fails_is_said_in_one_line(
    folder: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatasetError, match="there is nothing at memory://nowhere"):
        Dataset("memory://nowhere")
    with pytest.raises(UsageError, match="unheard-of://x: Protocol not known"):
        Dataset("unheard-of://x")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ExtraError, match=r"gs://x needs another package: .*gcsfs"):
        Dataset("gs://x")
    data = Dataset("memory://faces", patience=0)

    def lost(self: Any, *arguments: Any, **options: Any) -> bytes:
        raise RuntimeError("connection lost\nin the middle")

    monkeypatch.setattr(type(memory), "cat_file", lost)
    with pytest.raises(UnavailableError) as got:
        data.image(0)
    assert str(got.value) == "cannot read memory://faces/00.jpg: connection lost in the middle"
    find = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "fsspec":
            raise ImportError(name)
        return find(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExtraError, match=r"is a URL: pip install 'ffgan\[remote\]'"):
        Dataset("memory://faces")


def test_what_changes_meanwhile_is_no_broken_image(folder: Path, memory: Any) -> None:
    data = Dataset("memory://faces", patience=0)
    memory.pipe("/faces/03.jpg", jpeg(3) + b"more")
    memory.pipe("/faces/04.jpg", b"X" * len(jpeg(4)))
    for index in (3, 4):
        with pytest.raises(UnavailableError, match="has changed since the start"):
            data.image(index)


def test_places_overlap_where_they_are_the_same(tmp_path: Path) -> None:
    assert overlap("s3://a/b", "s3://a/b")
    assert not overlap("s3://a/b", "s3://a/c")
    assert not overlap("s3://a/b", tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_bucket_is_a_data_set(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(monkeypatch) as client:
        upload(client, folder, "images/train")
        archives = tmp_path / "archives"
        archives.mkdir()
        zipped(archives / "faces.zip", files_below(folder))
        for shard in range(3):
            some = list(files_below(folder))[4 * shard : 4 * shard + 4]
            tarred(archives / f"faces-{shard:03}.tar", some)
        upload(client, archives, "archives")
        expected = Dataset(folder).hash
        pack(folder, tmp_path / "folder.pack").close()
        for place in (
            "s3://faces/images/train",
            "s3://faces/images/train/",
            "s3://faces/archives/faces.zip",
            "s3://faces/archives/faces-{000..002}.tar",
            "s3://faces/archives/faces-*.tar",
        ):
            with Dataset(place, size=SMALL) as data:
                assert data.hash == expected
                assert number_of(data.image(7)) == 7
            pack(place, tmp_path / "place.pack").close()
            assert (tmp_path / "place.pack").read_bytes() == (tmp_path / "folder.pack").read_bytes()
            (tmp_path / "place.pack").unlink()
        file = RemoteFile(Url("s3://faces/archives/faces.zip"))
        client.put_object(Bucket="faces", Key="archives/faces.zip", Body=b"other")
        monkeypatch.setattr("ffgan.locations.remote.ASKED_EVERY", 0)
        with pytest.raises(UnavailableError, match="it has changed since it was opened"):
            file.check_unchanged()
        with pytest.raises(DatasetError, match="there is nothing at s3://faces/nothing"):
            Dataset("s3://faces/nothing")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()
        with warnings.catch_warnings(), pytest.raises(UnavailableError, match="cannot read s3://"):
            warnings.simplefilter("ignore")
            Dataset("s3://faces/images/train")


@pytest.mark.slow
def test_a_data_set_of_the_hub_is_packed(folder: Path, tmp_path: Path) -> None:
    """Its end point is read when huggingface_hub is imported, so in a process of its own."""
    pytest.importorskip("huggingface_hub")
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    export = tmp_path / "export"
    (export / "data").mkdir(parents=True)
    (export / "README.md").write_text("a card")
    rows = [{"bytes": content, "path": name} for name, content in files_below(folder)]
    for shard in range(2):
        images = rows[shard::2]
        # Behind the images and before what tells where they are: nobody needs it.
        more = [os.urandom(3_000_000) for _ in images]
        table = pyarrow.table({"image": images, "more": more})
        parquet.write_table(table, export / "data" / f"train-{shard:05}-of-00002.parquet")
    pack(folder, tmp_path / "folder.pack").close()
    with hub_of(export) as hub:
        surroundings = environment() | {"HF_ENDPOINT": hub.address, "HF_HUB_DISABLE_TELEMETRY": "1"}
        for place in ("hf://datasets/user/faces", "hf://datasets/user/faces/data/train-*.parquet"):
            subprocess.run(
                [sys.executable, "-m", "ffgan", "pack", place, str(tmp_path / "hub.pack")],
                env=surroundings,
                check=True,
                capture_output=True,
            )
            packed = (tmp_path / "hub.pack").read_bytes()
            assert packed == (tmp_path / "folder.pack").read_bytes()
            (tmp_path / "hub.pack").unlink()
            # Of 36 MB, nearly all of which is no image; not 5 MB more with each request.
            assert sum(hub.sent) < 5_000_000
            hub.sent.clear()
