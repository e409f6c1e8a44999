# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application: its endpoints and its middleware."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from ffgan import __version__
from ffgan.model import Model
from ffgan.server.http import caching
from ffgan.server.http.errors import add_error_handlers
from ffgan.server.http.middleware import (
    AbsoluteTargetMiddleware,
    BearerTokenMiddleware,
    HeadMiddleware,
    InternalErrorMiddleware,
    RootPathMiddleware,
    SecurityHeadersMiddleware,
)
from ffgan.server.http.query import QueryRoute
from ffgan.server.http.ranges import RangeMiddleware
from ffgan.server.http.shares import Shares
from ffgan.server.http.timeouts import WriteTimeoutMiddleware
from ffgan.server.http.uploads import Uploads
from ffgan.server.inference.budget import Budget
from ffgan.server.inference.service import Inference
from ffgan.server.routes.archives import add_archives
from ffgan.server.routes.attributes import add_attributes
from ffgan.server.routes.directions import add_directions
from ffgan.server.routes.faces import add_faces
from ffgan.server.routes.grids import add_grids
from ffgan.server.routes.health import add_health, add_metrics
from ffgan.server.routes.interpolations import add_interpolations
from ffgan.server.routes.latents import add_latents
from ffgan.server.routes.pages import add_pages
from ffgan.server.routes.projections import add_projections
from ffgan.server.routes.scores import add_scores
from ffgan.server.routes.strips import add_strips
from ffgan.server.settings import Settings
from ffgan.server.telemetry import access_log
from ffgan.server.telemetry.exchange import ExchangeMiddleware
from ffgan.server.telemetry.metrics import Metrics

EXPOSED_HEADERS = (
    *("Accept-Ranges", "Content-Range", "ETag", "Retry-After"),
    *("X-FFGAN-Seed", "X-FFGAN-Score", "X-FFGAN-Tries", "X-FFGAN-Precision"),
    *("X-FFGAN-Attributes", "X-FFGAN-Reached", "X-FFGAN-Vary"),
)


BODY_BYTES = 64 << 20
"""Of finished responses that clients have not yet accepted."""


def loader(
    model: Model | Callable[[], Model] | str | Path | None, settings: Settings
) -> Callable[[], Model]:
    """The function that loads a model given in one of these ways, a file in the settings'
    precision."""
    if isinstance(model, Model):
        return lambda: model
    return (
        model
        if callable(model)
        else functools.partial(Model.load, model, precision=settings.precision)
    )


def create_app(load_model: Callable[[], Model], settings: Settings) -> FastAPI:
    """See ``ffgan.server.create_app``."""
    metrics = Metrics()

    def load() -> Model:
        caching.software()  # imports OpenCV here, not while a client waits for a face
        return load_model()

    inference = Inference(
        load,
        batch=settings.batch,
        queue=settings.queue,
        wait=settings.batch_wait / 1000,
        budget=Budget(settings.memory << 20, settings.memory_seconds),
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
    app.router.route_class = QueryRoute
    app.state.inference = inference
    uploads = Uploads(settings)
    bodies = Shares(BODY_BYTES, BODY_BYTES // 2)
    add_error_handlers(app)
    add_faces(app, inference, settings, bodies)
    add_grids(app, inference, settings, bodies)
    add_archives(app, inference, settings)
    add_interpolations(app, inference, settings, bodies)
    add_attributes(app, inference, settings, uploads)
    add_strips(app, inference, settings, bodies)
    add_directions(app, inference)
    add_latents(app, inference, settings, uploads, bodies)
    add_scores(app, inference, settings, uploads)
    add_projections(app, inference, settings, uploads)
    add_health(app, inference)
    add_metrics(app, metrics)
    add_pages(app)
    _add_middleware(app, settings, metrics)
    return app


def _add_middleware(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """The last one added is the outermost."""
    app.add_middleware(InternalErrorMiddleware)
    app.add_middleware(RangeMiddleware)
    app.add_middleware(WriteTimeoutMiddleware, seconds=settings.send_seconds)
    if settings.tokens:
        app.add_middleware(BearerTokenMiddleware, tokens=settings.tokens)
    if settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "If-Range", "Range"],
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(HeadMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    if settings.root_path:
        app.add_middleware(RootPathMiddleware, prefix=settings.root_path)
    observers = [metrics.exchange]
    if settings.access_log:
        access_log.enable()
        observers.append(access_log.log_access)
    app.add_middleware(ExchangeMiddleware, observers=observers)
    app.add_middleware(AbsoluteTargetMiddleware)
