# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets on a real S3 server: killed, cut off, without rights."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.commands import SECONDS, environment
from support.s3 import BUCKET, Server, Wire, serving

from ffgan.locations import Url
from ffgan.synthesis.remote_store import RemoteStore

pytestmark = pytest.mark.slow

Content = Callable[[Path], dict[str, bytes]]


@pytest.fixture(scope="module")
def s3() -> Iterator[Server]:
    yield from serving()


def command(out: str, *more: str) -> list[str]:
    how = ["--count", "60", "--shard-size", "12", "--attributes", "none", *more]
    return [sys.executable, "-m", "ffgan", "dataset", out, *how]


def made(out: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(out, *more), capture_output=True, text=True, env=environment(), check=False
    )


@pytest.mark.parametrize("format", ["folder", "parquet", "webdataset"])
def test_a_set_on_s3_that_is_killed_again_and_again_has_the_bytes_of_a_folder(
    format: str, s3: Server, tmp_path: Path, content: Content
) -> None:
    done = made(str(tmp_path / "set"), "--format", format)
    assert done.returncode == 0, done.stderr
    once = content(tmp_path / "set")
    draw, prefix = random.Random(format), f"killed-{format}"
    begun = time.monotonic()
    assert made(f"s3://{BUCKET}/timed-{format}", "--format", format).returncode == 0
    duration = time.monotonic() - begun
    killed = 0
    for _ in range(6):
        process = subprocess.Popen(
            command(f"s3://{BUCKET}/{prefix}", "--format", format), stderr=subprocess.PIPE
        )
        try:
            _, said = process.communicate(timeout=draw.uniform(0.4, 1) * duration)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            # Whatever is there is whole.
            for name, there in s3.content(prefix).items():
                assert name == "README.md" or there == once[name], name
            continue
        assert process.returncode == 0, said
        break
    else:
        assert made(f"s3://{BUCKET}/{prefix}", "--format", format).returncode == 0
    assert killed
    assert s3.content(prefix) == once


def test_a_process_killed_in_the_middle_of_an_upload_publishes_nothing_of_it(s3: Server) -> None:
    out = f"s3://{BUCKET}/halfway"
    large = ("--format", "webdataset", "--encoding", "png", "--size", "600")
    wire = Wire(s3.address)
    process = subprocess.Popen(
        command(out, *large),
        env={**environment(), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}"},
        stderr=subprocess.PIPE,
    )
    wire.limit = 1_000_000  # of some four that a shard has
    assert wire.held.wait(60), process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wire.cut()
    assert not [name for name in s3.content("halfway") if name.endswith(".tar")]
    assert made(out, *large).returncode == 0
    there = s3.content("halfway")
    assert len([name for name in there if name.endswith(".tar")]) == 5


def test_an_upload_in_parts_that_is_killed_publishes_nothing_of_it(
    s3: Server, tmp_path: Path, content: Content
) -> None:
    # Shards of some 117 MB, which go there in parts of 50.
    large = ("--format", "webdataset", "--encoding", "png", "--size", "4096")
    large += ("--count", "32", "--shard-size", "16")
    out = f"s3://{BUCKET}/parts"
    wire = Wire(s3.address)
    process = subprocess.Popen(
        command(out, *large),
        env={**environment(), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}"},
        stderr=subprocess.PIPE,
    )
    wire.limit = 70_000_000
    assert wire.held.wait(120), process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wire.cut()
    assert not [name for name in s3.content("parts") if name.endswith(".tar")]
    (left,) = s3.client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert left["Key"] == "parts/train/00000.tar"  # what a lifecycle rule removes
    assert made(out, *large).returncode == 0
    assert made(str(tmp_path), *large).returncode == 0
    here, there = content(tmp_path), s3.content("parts")
    assert [len(there[f"train/0000{shard}.tar"]) > 100_000_000 for shard in (0, 1)] == [True, True]
    assert there == here


LARGE_FILE = f"""
from ffgan.locations import Url
from ffgan.synthesis.remote_store import RemoteStore
with RemoteStore(Url("s3://{BUCKET}/large")).file("shard") as file:
    for _ in range(500):
        file.write(bytes(1_000_000))
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(peak.split()[1]) // 1000)
"""


def test_of_a_large_shard_few_parts_are_in_memory(s3: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LARGE_FILE], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 450, done.stdout  # MB; with ten parts at a time some 900


def test_a_line_that_is_cut_ends_the_run_with_one_line_and_what_to_do(s3: Server) -> None:
    out = f"s3://{BUCKET}/cut"
    wire = Wire(s3.address)
    process = subprocess.Popen(
        command(out, "--format", "webdataset"),
        env={**environment(), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wire.limit = 200_000
    assert wire.held.wait(60), process.communicate()
    wire.cut()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    (line,) = said.splitlines()
    assert line.startswith(f"ffgan: error: cannot write {out}/train/0000")
    assert "check the network and the address and run the same command again" in line
    done = made(out, "--format", "webdataset")
    assert (done.returncode, len(s3.content("cut"))) == (0, 5 + 5 + 3)


def test_of_two_sets_that_begin_in_one_place_at_once_one_is_refused(s3: Server) -> None:
    out = f"s3://{BUCKET}/both"
    kinds = [("--quality", "80"), ("--quality", "90")]
    both = [
        subprocess.Popen(command(out, *kind), stderr=subprocess.PIPE, text=True) for kind in kinds
    ]
    said = [process.communicate(timeout=SECONDS)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    refused = next(text for text, one in zip(said, both, strict=True) if one.returncode)
    assert "holds a data set made otherwise (quality" in refused
    # Of two that make the same, both do.
    same = [
        subprocess.Popen(command(f"{out}-same"), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=SECONDS)[1] for process in same] == ["", ""]
    assert [process.returncode for process in same] == [0, 0]


def test_of_two_stores_only_one_creates_a_file(s3: Server) -> None:
    pytest.importorskip("s3fs")
    stores = [RemoteStore(Url(f"s3://{BUCKET}/once")) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        contents = [bytes([number]) for number in range(8)]
        created = list(pool.map(lambda one, text: one.create("file", text), stores, contents))
    assert created.count(True) == 1
    assert s3.content("once") == {"file": contents[created.index(True)]}


def test_no_bucket_no_rights_and_no_credentials_are_told_in_a_line(
    s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(out: str) -> str:
        done = made(out)
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        return line

    assert "see that nobodys is there" in refused("s3://nobodys/set")
    with s3.asking_who():
        line = refused(f"s3://{BUCKET}/forbidden")
    assert f"cannot read s3://{BUCKET}/forbidden: " in line
    assert "give credentials that may (AWS_ACCESS_KEY_ID" in line
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nowhere")
    assert "Unable to locate credentials; give credentials that may" in refused(f"s3://{BUCKET}/x")
