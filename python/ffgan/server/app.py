# SPDX-License-Identifier: GPL-3.0-or-later
"""The web application, put together."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.middleware.cors import CORSMiddleware

from ffgan import __version__
from ffgan.model import Model
from ffgan.server.http import caching
from ffgan.server.http.caching import RANDOM
from ffgan.server.http.errors import BUSY, answer_problems
from ffgan.server.http.middleware import Bearer, Failures, HeadAsGet, RootPath, SecurityHeaders
from ffgan.server.http.timeouts import Patience
from ffgan.server.http.uploads import Uploads
from ffgan.server.inference.service import Inference
from ffgan.server.routes.directions import add_directions
from ffgan.server.routes.faces import add_faces
from ffgan.server.routes.interpolations import add_interpolations
from ffgan.server.routes.latents import add_latents
from ffgan.server.routes.pages import add_pages
from ffgan.server.routes.scores import add_scores
from ffgan.server.routes.several import add_several
from ffgan.server.settings import Settings
from ffgan.server.telemetry.access_log import log_access
from ffgan.server.telemetry.exchange import Observed
from ffgan.server.telemetry.metrics import Metrics

EXPOSED_HEADERS = ("ETag", "Retry-After", "X-FFGAN-Seed", "X-FFGAN-Score", "X-FFGAN-Tries")


def create_app(model: Model | Callable[[], Model], settings: Settings) -> FastAPI:
    """See `ffgan.server.create_app`."""
    metrics = Metrics()

    def load() -> Model:
        caching.program()  # imports OpenCV: not while somebody waits for a face
        return model() if callable(model) else model

    inference = Inference(
        load,
        batch=settings.batch,
        queue=settings.queue,
        wait=settings.batch_wait / 1000,
        metrics=metrics,
    )
    app = FastAPI(
        title="ffgan",
        version=__version__,
        description="Faces of people who do not exist, drawn by a small neural network.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.inference = inference
    uploads = Uploads(settings)
    answer_problems(app)
    add_faces(app, inference, settings)
    add_several(app, inference, settings)
    add_interpolations(app, inference, settings)
    add_directions(app, inference)
    add_latents(app, inference, settings, uploads)
    add_scores(app, inference, settings, uploads)
    add_health(app, inference)
    add_metrics(app, metrics)
    add_pages(app)

    # The last one added is the outermost.
    app.add_middleware(Failures)
    app.add_middleware(Patience, seconds=settings.send_seconds)
    if settings.tokens:
        app.add_middleware(Bearer, tokens=settings.tokens)
    if settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match"],
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(HeadAsGet)
    app.add_middleware(SecurityHeaders)
    if settings.root_path:
        app.add_middleware(RootPath, prefix=settings.root_path)
    observers = [metrics.exchange, *([log_access] if settings.access_log else [])]
    app.add_middleware(Observed, observers=observers)
    return app


def add_health(app: FastAPI, inference: Inference) -> None:
    @app.get("/health/live", summary="The process answers")
    async def live() -> Response:
        return JSONResponse({"status": "live"}, headers=RANDOM)

    @app.get("/health/ready", responses=BUSY, summary="A face would be made now")
    async def ready() -> Response:
        """503 while the model is being loaded and while the queue is full."""
        inference.check_ready()
        return JSONResponse({"status": "ready"}, headers=RANDOM)


def add_metrics(app: FastAPI, metrics: Metrics) -> None:
    @app.get(
        "/metrics",
        summary="Numbers for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format"}},
    )
    async def numbers() -> Response:
        return Response(metrics.text(), headers={**RANDOM, "Content-Type": metrics.media_type})
