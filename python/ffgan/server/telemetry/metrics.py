# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus reads at /metrics.

With several worker processes each writes its numbers into a folder in memory that the supervisor
names, and whichever is asked adds up those of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from ffgan.server.telemetry.exchange import Exchange

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
TRIES = (1, 2, 3, 5, 8, 10, 15, 20, 50, 100)

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The numbers of one application."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._several = bool(os.environ.get(MULTIPROCESS_FOLDER))
        registry = self._registry = CollectorRegistry()
        if not self._several:
            ProcessCollector(registry=registry)
        self._requests = Counter(
            "ffgan_requests",
            "Requests answered",
            ("method", "path", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "ffgan_request_seconds",
            "From a request to the end of its answer",
            ("path",),
            buckets=SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "ffgan_batch_size", "Faces per call of the engine", buckets=SIZES, registry=registry
        )
        self._batch_seconds = Histogram(
            "ffgan_batch_seconds", "A call of the engine", buckets=SECONDS, registry=registry
        )
        self._tries = Histogram(
            "ffgan_face_tries", "Draws per candidate search", buckets=TRIES, registry=registry
        )
        self._remembered = Counter(
            "ffgan_searches_remembered",
            "Candidate searches that were not repeated",
            registry=registry,
        )
        self._waiting = self._gauge("ffgan_queue_waiting", "Faces that wait for the engine")
        self._taken = self._gauge("ffgan_queue_taken", "Places of the queue that are taken")
        self._model = Gauge(
            "ffgan_model",
            "1 for the model that is served",
            ("hash",),
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._served: str | None = None
        self._look: Callable[[], None] = lambda: None

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, multiprocess_mode="livesum", registry=self._registry)

    def exchange(self, exchange: Exchange) -> None:
        method = exchange.method if exchange.method in METHODS else "other"
        self._requests.labels(method, exchange.route, str(exchange.status)).inc()
        self._seconds.labels(exchange.route).observe(exchange.seconds)
        if self._several:
            self._look()  # somebody may ask another process

    def batch(self, size: int, seconds: float) -> None:
        self._batches.observe(size)
        self._batch_seconds.observe(seconds)

    def face(self, tries: int) -> None:
        self._tries.observe(tries)

    def remembered(self) -> None:
        self._remembered.inc()

    def model(self, hash: str) -> None:
        if self._served not in (None, hash):
            self._model.labels(self._served).set(0)
        self._model.labels(hash).set(1)
        self._served = hash

    def watch(self, *, waiting: Callable[[], int], taken: Callable[[], int]) -> None:
        """Gauges that are read when somebody looks."""

        def look() -> None:
            self._waiting.set(waiting())
            self._taken.set(taken())

        self._look = look

    def text(self) -> bytes:
        self._look()
        registry = self._registry
        if self._several:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
