# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints for the operator: liveness, readiness and metrics."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from ffgan.server.http.caching import NO_STORE
from ffgan.server.http.errors import BUSY
from ffgan.server.inference.service import Inference
from ffgan.server.telemetry.metrics import Metrics


def add_health(app: FastAPI, inference: Inference) -> None:
    @app.get("/health/live", summary="Liveness: the process responds")
    async def live() -> Response:
        return JSONResponse({"status": "live"}, headers=NO_STORE)

    @app.get("/health/ready", responses=BUSY, summary="Readiness: a face would be drawn now")
    async def ready() -> Response:
        """503 while the model is being loaded and while the queue is full."""
        inference.check_ready()
        return JSONResponse({"status": "ready"}, headers=NO_STORE)


def add_metrics(app: FastAPI, metrics: Metrics) -> None:
    @app.get(
        "/metrics",
        summary="Metrics of this process for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format"}},
    )
    async def numbers() -> Response:
        return Response(metrics.text(), headers={**NO_STORE, "Content-Type": metrics.media_type})
