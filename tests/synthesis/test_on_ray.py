# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets on a Ray cluster whose workers and nodes die: the bytes of one process."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import environment, only_error
from support.ray_cluster import Nodes, running, when
from support.s3 import BUCKET, serving

from ffgan import cli

Content = Callable[[Path], dict[str, bytes]]

SECONDS = 400


def arguments(out: Path | str, *more: str) -> list[str]:
    how = ["--count", "480", "--shard-size", "40", "--attributes", "none", "--format", "webdataset"]
    return ["dataset", str(out), *how, *more]


def start(out: Path | str, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ffgan", *arguments(out, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    said, warned = process.communicate(timeout=SECONDS)
    return process.returncode, said, warned


def sums(out: Path) -> str:
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=out, check=False)
    assert done.returncode == 0
    return (out / "SHA256SUMS").read_text()


def shards(out: Path) -> list[Path]:
    return list(out.glob(".ffgan/shards/*.json"))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    yield from running()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sums of the set, made by one process."""
    out = tmp_path_factory.mktemp("local") / "set"
    status, _, warned = end(start(out))
    assert status == 0, warned
    return sums(out)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["--workers", "1"], ["--cores", "1", "--workers", "3"]])
def test_any_number_of_workers_makes_the_bytes_of_one_process(
    workers: list[str], nodes: Nodes, local: str, tmp_path: Path
) -> None:
    nodes.second()
    how = ["--engine", "ray", "--address", nodes.address, *workers]
    status, said, warned = end(start(tmp_path / "set", *how))
    assert (status, warned.count("error")) == (0, 0), warned
    assert said.startswith("480 pictures in 12 shards")
    assert sums(tmp_path / "set") == local


@pytest.mark.slow
def test_a_worker_and_a_node_that_are_killed_change_nothing(
    nodes: Nodes, local: str, tmp_path: Path
) -> None:
    nodes.second()
    out = tmp_path / "set"
    process = start(out, "--engine", "ray", "--address", nodes.address)
    os.kill(when(nodes.tasks_of_node)[0], signal.SIGKILL)
    done = len(shards(out))
    when(lambda: len(shards(out)) > done + 1)
    when(nodes.tasks_of_node)
    nodes.kill_node()
    assert len(shards(out)) < 12
    status, _, warned = end(process)
    assert status == 0, warned
    assert warned.count("its worker was lost") >= 2
    assert sums(out) == local


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, "stopped with Ctrl+C"),
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_a_run_that_is_stopped_goes_on(
    number: signal.Signals, status: int, said: str, nodes: Nodes, local: str, tmp_path: Path
) -> None:
    nodes.second()
    out, how = tmp_path / "set", ["--engine", "ray", "--address", nodes.address]
    process = start(out, *how)
    when(lambda: shards(out))
    process.send_signal(number)
    code, _, warned = end(process)
    assert code == status
    if said:
        assert warned.splitlines()[-1] == f"ffgan: {said}; the same command makes what is missing"
        assert len(warned.splitlines()) == 1
        assert not list(out.rglob("*.tmp"))
    made = {path.name: path.stat().st_mtime_ns for path in shards(out)}
    assert 0 < len(made) < 12
    code, told, warned = end(start(out, *how))
    assert code == 0, warned
    assert "of them made now" in told
    if said:  # else tasks of the killed run may have ended a little after it
        after = {path.name: path.stat().st_mtime_ns for path in shards(out)}
        assert made.items() <= after.items()
    assert sums(out) == local


@pytest.mark.slow
def test_without_a_cluster_one_of_this_machine_is_made_and_ended(
    local: str, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs pip install 'ffgan[ray]'")
    status, _, warned = end(start(tmp_path / "set", "--engine", "ray", "--workers", "2"))
    assert status == 0, warned
    assert sums(tmp_path / "set") == local


@pytest.mark.slow
def test_workers_write_to_s3_themselves(local: str) -> None:
    pytest.importorskip("ray", reason="needs pip install 'ffgan[ray]'")
    for s3 in serving():
        how = ["--engine", "ray", "--workers", "2"]
        status, said, warned = end(start(f"s3://{BUCKET}/set", *how))
        assert status == 0, warned
        assert said.startswith("480 pictures in 12 shards")
        there = s3.content("set")
    assert there["SHA256SUMS"].decode() == local
    for line in local.splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(there[name]).hexdigest() == digest


@pytest.mark.slow
def test_other_versions_are_refused_in_one_line(nodes: Nodes, tmp_path: Path) -> None:
    def refused(first: str) -> str:
        how = arguments(tmp_path / "set", "--engine", "ray", "--address", nodes.address)
        program = f"{first}\nfrom ffgan import cli\nraise SystemExit(cli.main({how!r}))"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) != (0, "")
        (line,) = done.stderr.splitlines()
        return line

    line = refused("import ray; ray.__version__ = '0.0.1'")
    assert f"cannot work with the Ray cluster at {nodes.address}: Version mismatch" in line
    assert "0.0.1" in line
    line = refused("import ffgan; ffgan.__version__ = '0.0.1'")
    assert "this machine 0.0.1: install the same on all nodes, or the bytes differ" in line


@pytest.mark.slow
def test_a_node_without_ffgan_is_told_in_one_line(nodes: Nodes, tmp_path: Path) -> None:
    bare = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-c", "import ffgan.synthesis"],
        env=bare,
        cwd="/",
        capture_output=True,
        check=False,
    )
    if found.returncode == 0:
        pytest.skip("ffgan is installed for all processes of this machine")
    nodes.bare()
    try:
        status, said, warned = end(
            start(tmp_path / "set", "--engine", "ray", "--address", nodes.address)
        )
    finally:
        nodes.end_bare()
    assert (status, said) == (1, "")
    (line,) = warned.splitlines()
    assert line.startswith("ffgan: error: train-000")
    assert line.endswith("install the same packages on all nodes")


def test_no_cluster_and_no_ray_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "set"
    assert cli.main(arguments(out, "--workers", "2")) == 2
    assert only_error(capsys) == (
        "ffgan: error: workers is for engines of a cluster: give the engine ray\n".strip()
    )
    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli.main(arguments(out, "--engine", "ray")) == 2
    assert "pip install 'ffgan[ray]', or take the engine local" in only_error(capsys)
    assert not out.exists()


@pytest.mark.slow
def test_an_address_where_nothing_listens_is_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs pip install 'ffgan[ray]'")
    status, said, warned = end(
        start(tmp_path / "set", "--engine", "ray", "--address", "127.0.0.1:9")
    )
    assert (status, said) == (2, "")
    assert warned.startswith("ffgan: error: no Ray cluster at 127.0.0.1:9 (Connection refused)")
    assert len(warned.splitlines()) == 1
