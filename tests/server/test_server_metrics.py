# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics."""

from __future__ import annotations

import pytest
from support.server import (
    FakeModel,
    metric,
    ready,
)

from ffgan.server import Settings, create_app
from ffgan.server.telemetry.metrics import Metrics


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


def test_a_folder_for_metrics_of_several_processes_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # prometheus-client has decided when it was imported, so this changes nothing here but the line.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/somewhere")
    Metrics()
    assert "PROMETHEUS_MULTIPROC_DIR is set" in caplog.text
    assert "unset it" in caplog.text
