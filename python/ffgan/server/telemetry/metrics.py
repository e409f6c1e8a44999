# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of one process, which Prometheus reads at /metrics."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from ffgan.server.telemetry.exchange import Exchange

SHARED_FOLDERS = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""Environment variables of a folder where prometheus-client keeps numbers in mapped files."""

# A process that finds no room in such a file is ended by a signal. Our metrics are those of one
# process and need none. The client decides as it is imported.
_set_aside = {name: os.environ.pop(name) for name in SHARED_FOLDERS if name in os.environ}
try:
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        ProcessCollector,
        generate_latest,
        values,
    )
finally:
    os.environ.update(_set_aside)

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
TRIES = (1, 2, 3, 5, 8, 10, 15, 20, 50, 100)


logger = logging.getLogger("ffgan.server")


class Metrics:
    """The metrics of one application."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        if values.ValueClass is not values.MutexValue:
            logger.warning(
                "prometheus_client was imported with %s set: a process whose metrics find no room"
                " there is ended by a signal; unset it, or import ffgan.server.app first",
                SHARED_FOLDERS[0],
            )
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "ffgan_requests",
            "Requests answered",
            ("method", "path", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "ffgan_request_seconds",
            "From a request to the end of its response",
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
        self._searches_cached = Counter(
            "ffgan_searches_remembered",
            "Candidate searches that were not repeated",
            registry=registry,
        )
        self._waiting = Gauge(
            "ffgan_queue_waiting", "Faces that wait for the engine", registry=registry
        )
        self._reserved = Gauge(
            "ffgan_queue_taken", "Places of the queue that are taken", registry=registry
        )
        self._model = Gauge(
            "ffgan_model",
            "1 for the model that is served",
            ("hash",),
            registry=registry,
        )
        self._served: str | None = None

    def exchange(self, exchange: Exchange) -> None:
        method = exchange.method if exchange.method in METHODS else "other"
        self._requests.labels(method, exchange.route, str(exchange.status)).inc()
        self._seconds.labels(exchange.route).observe(exchange.seconds)

    def batch(self, size: int, seconds: float) -> None:
        self._batches.observe(size)
        self._batch_seconds.observe(seconds)

    def face(self, tries: int) -> None:
        self._tries.observe(tries)

    def search_cached(self) -> None:
        self._searches_cached.inc()

    def model(self, hash: str) -> None:
        if self._served not in (None, hash):
            self._model.labels(self._served).set(0)
        self._model.labels(hash).set(1)
        self._served = hash

    def watch(self, *, waiting: Callable[[], int], reserved: Callable[[], int]) -> None:
        """Sets the functions that the queue's gauges are read from."""
        self._waiting.set_function(waiting)
        self._reserved.set_function(reserved)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
