# SPDX-License-Identifier: GPL-3.0-or-later
"""The server in tests: a model without a network, and clients of an application in this process."""

from __future__ import annotations

import asyncio
import functools
import io
import re
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np

from ffgan import attributes, images
from ffgan.control import AttributeMap
from ffgan.latent import noise
from ffgan.model import Model, Precision
from support.waiting import WAIT_SECONDS, until

FORMATS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
PAGES = ["/", "/get_image", "/docs"]
# An endpoint of each kind.
PATHS = [
    *[*PAGES, "/get_raw_image", "/face.png?seed=1", "/face.webp", "/health/live", "/health/ready"],
    *["/openapi.json", "/static/page.js", "/nothing", "/face.png?seed=x"],
]


class FakeModel(Model):
    """What the server needs of a model, without a network: the latent alone decides the pixels.

    No face is a candidate, so a search takes all its tries. `gate` holds back every batch until it
    is set; `announce` prints a line when a batch begins; `drawn` has every latent there was.
    """

    def __init__(
        self,
        *,
        hash: str = "0123abcd" * 8,
        precision: Precision = "float32",
        delay: float = 0.0,
        announce: bool = False,
    ) -> None:
        made = np.random.default_rng(0)
        self.hash = hash
        self.precision = precision
        self.threshold = 0.25
        self.delay = delay
        self.announce = announce
        self.gate = threading.Event()
        self.gate.set()
        self.drawn: list[np.ndarray[Any, Any]] = []
        self.path = None
        self.metadata: dict[str, str] = {}
        self.parameters = {
            "generator.conv1.weight": made.standard_normal((100, 512, 4, 4)).astype(np.float32),
            "generator.norm1.weight": np.ones(512, np.float32),
            "generator.norm1.running_var": np.ones(512, np.float32),
        }
        self._direction_names = {1: ("dark", "light")}

    def render(self, latents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.drawn.extend(latents)
        if self.announce:
            print("drawing", flush=True)
        time.sleep(self.delay)
        assert self.gate.wait(WAIT_SECONDS)
        pixels = np.clip(latents[:, :81] * 60 + 128, 0, 255).astype(np.uint8).reshape(-1, 9, 9, 1)
        return np.kron(pixels, np.ones((1, 18, 18, 3), np.uint8))

    def score(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.full(len(images), -1.5, np.float32)


FITTED = ("brightness", "background")
"""Attributes that need neither landmarks nor a network, and that a `FakeModel` can do."""


def fitted(model: FakeModel | None = None) -> FakeModel:
    """The model, or a new one, whose faces can be asked for `FITTED`."""
    model = FakeModel() if model is None else model
    model.metadata["attributes"] = _fit(model.generator_hash)
    return model


@functools.cache
def _fit(generator: str) -> str:
    latents = np.stack([noise(i) for i in range(150)])
    table = attributes.measure(FakeModel().render(latents), FITTED)
    values = np.stack([table[name] for name in FITTED], axis=1).astype(float)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    known = np.hstack([np.ones((len(latents), 1)), latents])
    normal = known.T @ known + np.eye(101)
    found = np.linalg.solve(normal, known.T @ ((values - mean) / deviation))
    low, high = np.percentile(values, [2, 98], axis=0)
    nothing = np.zeros((0, 100))
    return AttributeMap(
        generator=generator,
        columns=FITTED,
        mean=mean,
        deviation=deviation,
        constant=found[0],
        linear=found[1:].T,
        directions=nothing,
        quadratic=np.zeros((2, 0, 0)),
        identity=nothing,
        low=low,
        high=high,
        linear_fit=np.ones(2),
        fit=np.ones(2),
        samples=len(latents),
    ).encode()


class Client:
    """Requests to an application in this process."""

    def __init__(self, app: Any, *, raise_errors: bool = True) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=raise_errors)

    def request(self, method: str, url: str | httpx.URL, **options: Any) -> httpx.Response:
        async def request() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://ffgan"
            ) as client:
                return await client.request(method, url, **options)

        return asyncio.run(request())

    def get(self, url: str | httpx.URL, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def head(self, url: str) -> httpx.Response:
        return self.request("HEAD", url)


def ready(app: Any, **options: Any) -> Client:
    """A client of the application, once its model is loaded."""
    client = Client(app, **options)
    until(lambda: client.get("/health/ready").status_code == 200)
    return client


async def is_ready(client: httpx.AsyncClient) -> None:
    """Waits until the model is loaded."""
    while (await client.get("/health/ready")).status_code != 200:
        await asyncio.sleep(0.01)


def in_loop(app: Any, story: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Runs `story` with a client whose requests may overlap."""

    async def tell() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ffgan") as client:
            await asyncio.wait_for(story(client), WAIT_SECONDS)

    asyncio.run(tell())


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, reason and parameter of an error response."""
    body = answer.json()
    return answer.status_code, body["reason"], body.get("parameter")


def reason(answer: httpx.Response) -> tuple[int, str]:
    """Status and reason of an error response."""
    return problem(answer)[:2]


def metric(client: Client, name: str) -> float:
    """The value of a metric, such as ``ffgan_queue_taken``."""
    text = client.get("/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def rendered(model: Model, latent: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The image of one latent."""
    return model.render(latent[None])[0]


def zip_files(answer: httpx.Response) -> dict[str, bytes]:
    """The files in a zip archive, by their names."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def post(client: Client, body: bytes, kind: str = "image/png") -> httpx.Response:
    """POST /score."""
    return client.request("POST", "/score", content=body, headers={"Content-Type": kind})


def photo(height: int = 200, width: int = 300) -> images.RGB:
    """An image of coloured squares."""
    drawn = np.random.default_rng(4).integers(0, 256, (height // 20, width // 20, 3))
    return np.kron(drawn, np.ones((20, 20, 1))).astype(np.uint8)
