# SPDX-License-Identifier: GPL-3.0-or-later
"""The web application: the page, faces as images, health."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import math
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from ffgan import __version__, _core, images
from ffgan.dataset import SIZE
from ffgan.errors import UsageError
from ffgan.latent import MAX_SEED, random_seed
from ffgan.model import Face, Model
from ffgan.server.inference import Disconnected, Inference, Unavailable
from ffgan.server.middleware import HeadAsGet, SecurityHeaders
from ffgan.server.reference import reference_page

MIN_SIZE, MAX_SIZE = 16, 1024
MAX_TRIES = 100
MAX_TRUNCATION = 2.0
QUALITY = 95
RETRY_SECONDS = 1
# nginx's status for a client that hung up: nobody reads it, but the log shows what happened.
CLIENT_CLOSED_REQUEST = 499

MEDIA_TYPES: dict[images.Format, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
}
STATIC_TYPES = {
    "style.css": "text/css",
    "page.js": "text/javascript",
    "favicon.svg": "image/svg+xml",
}
REASONS = {404: "not_found", 405: "method_not_allowed"}

SEEDED = {"Cache-Control": "public, max-age=31536000, immutable"}
RANDOM = {"Cache-Control": "no-store"}
REVALIDATED = {"Cache-Control": "no-cache"}


class Problem(BaseModel):
    """The body of every answer that is not what was asked for."""

    reason: Annotated[str, Field(description="one word for programs, such as `busy`")]
    message: Annotated[str, Field(description="a line for people")]
    parameter: Annotated[str | None, Field(description="the parameter that is wrong")] = None


BUSY: dict[int | str, dict[str, Any]] = {
    503: {"model": Problem, "description": "The model is loading, or too many requests wait"}
}


class FaceParameters(BaseModel):
    """What a face's URL may say; a misspelt parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    seed: Annotated[
        int | None,
        Field(ge=0, le=MAX_SEED, description="the same seed is the same face; none: a random one"),
    ] = None
    size: Annotated[
        int, Field(ge=MIN_SIZE, le=MAX_SIZE, description="width and height in pixels")
    ] = SIZE
    truncation: Annotated[
        float,
        Field(
            ge=0,
            le=MAX_TRUNCATION,
            allow_inf_nan=False,
            description="scale of the noise: the smaller, the plainer and more alike",
        ),
    ] = 1.0
    tries: Annotated[
        int | None,
        Field(ge=1, le=MAX_TRIES, description="draws of the candidate search; none: the server's"),
    ] = None
    threshold: Annotated[
        float | None,
        Field(
            allow_inf_nan=False,
            description="discriminator score above which the search ends; none: the server's",
        ),
    ] = None
    quality: Annotated[int, Field(ge=1, le=100, description="of the JPEG or WebP")] = QUALITY


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a face file's bytes, besides the program and the model."""

    seed: int
    format: images.Format
    size: int
    truncation: float
    tries: int
    threshold: float
    quality: int

    def entity_tag(self, model: Model) -> str:
        """A strong ETag, known before the face is made."""
        decides = [__version__, model.hash, *vars(self).values()]
        return f'"{hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]}"'

    def make(self, model: Model) -> tuple[Face, bytes]:
        """The face and its file; takes a thread's time."""
        face = model.face(
            self.seed, tries=self.tries, threshold=self.threshold, truncation=self.truncation
        )
        image = face.image
        if image.shape[0] != self.size:
            image = images.resize(image, self.size)
        origin = {
            "software": "ffgan",
            "version": __version__,
            "model": model.hash,
            "truncation": f"{self.truncation:g}",
            "threshold": f"{self.threshold:g}",
            "seed": str(face.seed),
            "tries": str(face.tries),
            "score": f"{face.score:.4f}",
        }
        return face, images.encode(image, self.format, quality=self.quality, metadata=origin)


def create_app(
    model: Model | Callable[[], Model],
    *,
    queue: int,
    tries: int,
    threshold: float | None,
    workers: int | None,
) -> FastAPI:
    """See `ffgan.server.create_app`."""
    check(queue >= 0, f"queue {queue} is negative; use 0 or more")
    check(tries >= 1, f"tries {tries} is not positive; use 1 or more")
    check(
        threshold is None or math.isfinite(threshold),
        f"threshold {threshold} is not a finite number",
    )
    check(workers is None or workers > 0, f"workers {workers} is not positive; use 1 or more")
    load: Callable[[], Model] = model if callable(model) else lambda: model
    # The engine knows the cores that a container's quota leaves, not only how many there are.
    inference = Inference(load, workers=workers or _core.engine()["threads"], queue=queue)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        inference.close()

    app = FastAPI(
        title="ffgan",
        version=__version__,
        description="Faces of people who do not exist, drawn by a small neural network.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.inference = inference
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadAsGet)
    answer_problems(app)
    add_static(app)

    def recipe(loaded: Model, format: images.Format, wanted: FaceParameters) -> Recipe:
        if wanted.threshold is not None:
            least = wanted.threshold
        else:
            least = loaded.threshold if threshold is None else threshold
        return Recipe(
            seed=random_seed() if wanted.seed is None else wanted.seed,
            format=format,
            size=wanted.size,
            truncation=wanted.truncation,
            tries=wanted.tries or tries,
            threshold=least,
            quality=wanted.quality,
        )

    async def random_face(request: Request) -> tuple[str, dict[str, str]]:
        """A random face as a data URI, and the headers that describe it."""
        loaded = inference.loaded()
        made = recipe(loaded, "jpg", FaceParameters())
        face, body = await inference.run(request, lambda: made.make(loaded))
        uri = f"data:image/jpeg;base64,{base64.b64encode(body).decode()}"
        return uri, {**RANDOM, **describe(face)}

    def add_face(format: images.Format) -> None:
        # The docstring is the endpoint's text in /docs and /openapi.json.
        async def face(request: Request, wanted: Annotated[FaceParameters, Query()]) -> Response:
            """One face. With `seed`, the answer has an ETag and may be cached for ever; without,
            it is a random face and not stored. `X-FFGAN-Seed`, `X-FFGAN-Score` and `X-FFGAN-Tries`
            say what was made."""
            loaded = inference.loaded()
            wants = recipe(loaded, format, wanted)
            caching = RANDOM
            if wanted.seed is not None:
                caching = {**SEEDED, "ETag": wants.entity_tag(loaded)}
                if not_modified(request, caching["ETag"]):
                    return Response(status_code=304, headers=caching)
            made, body = await inference.run(request, lambda: wants.make(loaded))
            name = {"Content-Disposition": f'inline; filename="ffgan-{made.seed}.{format}"'}
            return Response(
                body,
                media_type=MEDIA_TYPES[format],
                headers={**caching, **describe(made), **name},
            )

        app.add_api_route(
            f"/face.{format}",
            face,
            methods=["GET"],
            name=f"face_{format}",
            summary=f"A face as {format.upper()}",
            response_class=Response,
            responses={
                200: {"content": {MEDIA_TYPES[format]: {}}, "description": "The face"},
                304: {"description": "The face named by If-None-Match is still right"},
                422: {"model": Problem, "description": "A wrong parameter"},
                **BUSY,
            },
        )

    for format in MEDIA_TYPES:
        add_face(format)

    page = Template(static_text("get_image.html"))

    @app.get(
        "/get_image",
        response_class=HTMLResponse,
        responses=BUSY,
        summary="A page with one face",
    )
    async def get_image(request: Request) -> Response:
        """A random face inlined as JPEG, and a Regenerate button; works without JavaScript."""
        uri, headers = await random_face(request)
        seed = headers["X-FFGAN-Seed"]
        return HTMLResponse(page.substitute(face=uri, seed=seed), headers=headers)

    @app.get(
        "/get_raw_image",
        response_class=PlainTextResponse,
        responses=BUSY,
        summary="A face as a data URI",
    )
    async def get_raw_image(request: Request) -> Response:
        """A random face as text: `data:image/jpeg;base64,...`."""
        uri, headers = await random_face(request)
        return PlainTextResponse(uri, headers=headers)

    @app.get("/health/live", summary="The process answers")
    async def live() -> Response:
        return JSONResponse({"status": "live"}, headers=RANDOM)

    @app.get("/health/ready", responses=BUSY, summary="A face would be made now")
    async def ready() -> Response:
        """503 while the model is being loaded and while the queue is full."""
        inference.check_ready()
        return JSONResponse({"status": "ready"}, headers=RANDOM)

    reference = reference_page(app.openapi(), static_text("docs.html"))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(reference, headers=REVALIDATED)

    return app


def check(right: bool, message: str) -> None:
    if not right:
        raise UsageError(message)


def describe(face: Face) -> dict[str, str]:
    """The headers that say which face an answer holds."""
    return {
        "X-FFGAN-Seed": str(face.seed),
        "X-FFGAN-Score": f"{face.score:.4f}",
        "X-FFGAN-Tries": str(face.tries),
    }


def not_modified(request: Request, entity_tag: str) -> bool:
    """RFC 9110, section 13.1.2: weak comparison with each tag of If-None-Match, or `*`."""
    known = ",".join(request.headers.getlist("If-None-Match"))
    return known.strip() == "*" or entity_tag in re.findall(r'"[^"]*"', known)


def static_text(name: str) -> str:
    return (resources.files("ffgan.server") / "static" / name).read_text("utf-8")


def add_static(app: FastAPI) -> None:
    """Serves the page and its files from memory."""

    def add(path: str, name: str, media_type: str) -> None:
        body = static_text(name).encode()
        headers = {**REVALIDATED, "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}

        async def static(request: Request) -> Response:
            if not_modified(request, headers["ETag"]):
                return Response(status_code=304, headers=headers)
            return Response(body, media_type=media_type, headers=headers)

        app.add_api_route(path, static, methods=["GET"], include_in_schema=False)

    add("/", "index.html", "text/html")
    # Browsers ask for it by themselves when an image is opened alone.
    add("/favicon.ico", "favicon.svg", STATIC_TYPES["favicon.svg"])
    for name, media_type in STATIC_TYPES.items():
        add(f"/static/{name}", name, media_type)


def answer_problems(app: FastAPI) -> None:
    """Every refusal is JSON that a program can tell apart by its `reason`."""

    def problem(
        status: int,
        reason: str,
        message: str,
        *,
        parameter: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        body = Problem(reason=reason, message=message, parameter=parameter)
        return JSONResponse(
            body.model_dump(exclude_none=True),
            status_code=status,
            headers={**RANDOM, **(headers or {})},
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = str(first["loc"][-1])[:40]
        return problem(422, "invalid_parameter", f"{name}: {first['msg']}", parameter=name)

    @app.exception_handler(UsageError)
    async def unusable(_: Request, error: UsageError) -> Response:
        return problem(422, "invalid_parameter", str(error))

    @app.exception_handler(Unavailable)
    async def unavailable(_: Request, error: Unavailable) -> Response:
        return problem(503, error.reason, str(error), headers={"Retry-After": str(RETRY_SECONDS)})

    @app.exception_handler(Disconnected)
    async def disconnected(_: Request, error: Disconnected) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        reason = REASONS.get(error.status_code, "error")
        return problem(
            error.status_code, reason, str(error.detail), headers=dict(error.headers or {})
        )

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return problem(500, "failed", "the face could not be made; see the server's log")
