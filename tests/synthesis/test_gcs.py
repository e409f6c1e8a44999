# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets on a server of Google Cloud Storage's interface, written and read through gcsfs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from support.commands import SECONDS, environment
from support.s3 import Wire
from support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("gcsfs") is None or find_spec("gcp_storage_emulator") is None,
        reason="no gcsfs or no server: pip install gcsfs gcp-storage-emulator (2026.10.1, "
        "2026.7.19)",
    ),
]

Content = Callable[[Path], dict[str, bytes]]

BUCKET = "faces"


class Server:
    """The emulator, with the bucket `BUCKET`."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)

    def environment(self, port: int | None = None) -> dict[str, str]:
        """What leads gcsfs there, or to another port that leads there."""
        host = f"http://127.0.0.1:{port or self.address[1]}"
        return {
            **environment(),
            "STORAGE_EMULATOR_HOST": host,
            "FSSPEC_GS": json.dumps({"token": "anon"}),
            # Else gcsfs 2026.10.1 asks Google by gRPC, wherever the emulator is, and waits.
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }

    def content(self, prefix: str) -> dict[str, bytes]:
        """All objects below a prefix."""
        host = f"http://127.0.0.1:{self.address[1]}"
        found: dict[str, bytes] = {}
        with urlopen(f"{host}/storage/v1/b/{BUCKET}/o?prefix={prefix}/") as answer:
            names = [one["name"] for one in json.load(answer).get("items", [])]
        for name in names:
            with urlopen(f"{host}/download/storage/v1/b/{BUCKET}/o/{quote(name, '')}") as answer:
                found[name.removeprefix(f"{prefix}/")] = answer.read()
        return found


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data = str(tmp_path_factory.mktemp("gcs"))
    where = ["--host", "127.0.0.1", "--port", str(port), "--default-bucket", BUCKET]
    server = subprocess.Popen(
        [sys.executable, "-m", "gcp_storage_emulator", "--data-dir", data, "start", "-q", *where]
    )
    try:
        until(lambda: _answers(port))
        yield Server(port)
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ffgan", *arguments]


def run(gcs: Server, *arguments: str) -> None:
    done = subprocess.run(
        command(*arguments),
        env=gcs.environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("format", ["folder", "parquet", "webdataset"])
def test_a_set_has_the_bytes_of_one_in_a_folder_and_can_be_read(
    format: str, gcs: Server, tmp_path: Path, content: Content
) -> None:
    how = ("--count", "12", "--shard-size", "5", "--attributes", "none", "--format", format)
    run(gcs, "dataset", str(tmp_path / "set"), *how)
    run(gcs, "dataset", f"gs://{BUCKET}/{format}", *how)
    assert gcs.content(format) == content(tmp_path / "set")
    read = ("--include-generated",)
    part = {"folder": "train", "parquet": "data", "webdataset": "train"}[format]
    run(gcs, "pack", str(tmp_path / "set" / part), str(tmp_path / "here.pack"), *read)
    run(gcs, "pack", f"gs://{BUCKET}/{format}/{part}", str(tmp_path / "there.pack"), *read)
    assert (tmp_path / "there.pack").read_bytes() == (tmp_path / "here.pack").read_bytes()


def test_a_process_killed_in_the_middle_of_an_upload_publishes_nothing_of_it(
    gcs: Server, tmp_path: Path, content: Content
) -> None:
    # Shards of some 20 MB: gcsfs uploads what has more than 5 in a session that can be resumed.
    large = ("--format", "webdataset", "--encoding", "png", "--size", "4096")
    how = ("--count", "6", "--shard-size", "3", "--attributes", "none", *large)
    wire = Wire(gcs.address)
    process = subprocess.Popen(
        command("dataset", f"gs://{BUCKET}/killed", *how),
        env=gcs.environment(wire.port),
        stderr=subprocess.PIPE,
    )
    wire.limit = 10_000_000
    assert wire.held.wait(120), process.communicate()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wire.cut()
    assert not [name for name in gcs.content("killed") if name.endswith(".tar")]
    run(gcs, "dataset", f"gs://{BUCKET}/killed", *how)
    run(gcs, "dataset", str(tmp_path), *how)
    assert gcs.content("killed") == content(tmp_path)
