# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.server import (
    FakeModel,
    metric,
    ready,
)
from support.waiting import WAIT_SECONDS

from ffgan.server import Settings, create_app


def test_metrics_count_what_happened() -> None:
    client = ready(create_app(FakeModel(hash="ab" * 32), Settings(tries=3)))
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert metric(client, f'ffgan_model{{hash="{"ab" * 32}"}}') == 1
    for path in ("/face.png?seed=1", "/face.png?seed=2", "/face.png?seed=x", "/no/where", "/nor"):
        client.get(path)
    client.head("/face.png?seed=1")
    client.request("BREW", "/face.png")
    series = 'ffgan_requests_total{method="%s",path="%s",status="%s"}'
    assert metric(client, series % ("GET", "/face.png", 200)) == 2
    assert metric(client, series % ("GET", "/face.png", 422)) == 1
    assert metric(client, series % ("HEAD", "/face.png", 200)) == 1
    # Neither a path nor a method that somebody makes up makes a new series.
    assert metric(client, series % ("GET", "other", 404)) == 2
    assert metric(client, series % ("other", "/face.png", 405)) == 1
    assert metric(client, "ffgan_face_tries_sum") == 2 * 3 + 3
    assert metric(client, "ffgan_searches_remembered_total") == 1
    assert metric(client, "ffgan_batch_size_sum") == 2 * 3 + 1
    assert metric(client, 'ffgan_request_seconds_count{path="/face.png"}') == 5
    assert metric(client, "ffgan_queue_taken") == 0
    assert metric(client, "process_resident_memory_bytes") > 1e6


METRICS_ON_A_FULL_DISK = """
import os, resource
{first}
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from ffgan.server.telemetry.metrics import Metrics
metrics = Metrics()
metrics.face(3)
print(b"ffgan_face_tries_sum 3.0" in metrics.text(), os.environ["PROMETHEUS_MULTIPROC_DIR"])
"""


def run_metrics(folder: Path, first: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", METRICS_ON_A_FULL_DISK.format(first=first)],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
def test_a_folder_for_metrics_of_several_processes_is_not_used(tmp_path: Path) -> None:
    """In a file there that finds no room the process would be ended by a signal."""
    done = run_metrics(tmp_path)
    assert (done.returncode, done.stdout.split()) == (0, ["True", str(tmp_path)]), done.stderr
    assert list(tmp_path.iterdir()) == []
    # Where another part of the program has imported the client before, it is said.
    done = run_metrics(tmp_path, "import prometheus_client\nresource.setrlimit = lambda *_: None")
    assert "was imported with PROMETHEUS_MULTIPROC_DIR set" in done.stderr
