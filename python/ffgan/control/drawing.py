# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces with what is asked for, one or many: whole batches are rendered and measured together."""

from __future__ import annotations

import functools
import itertools
import logging
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import numpy as np

from ffgan import _core
from ffgan.attributes.recognition import distance
from ffgan.control.constraints import Constraints
from ffgan.control.fitted_map import KEY, AttributeMap
from ffgan.control.measuring import measured
from ffgan.control.solver import MOST_STEPS, ControlledFace, Unscored, change, check, search
from ffgan.errors import ModelError
from ffgan.latent import first_seed
from ffgan.model import DEFAULT_TRIES, Face, Model, empty_images
from ffgan.model.candidate_search import Judged
from ffgan.typing import Float32, UInt8

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 16
"""Faces under way together."""

_MOST_WAITING: Final = 64
"""Faces under way, and those that wait for one before them."""


def attribute_map(model: Model) -> AttributeMap:
    """Return the fitted attributes that lie in the model's file; they are read once.

    Raises `ModelError` where there are none, or damaged ones.
    """
    called = "the model" if model.path is None else str(model.path)
    text = model.metadata.get(KEY)
    if text is None:
        raise ModelError(
            f"{called} has no fitted attributes: python -m ffgan fit-attributes {called}"
        )
    fitted = _decoded(text, called)
    if fitted.generator != model.generator_hash:
        raise ModelError(
            f"{called} has attributes that were fitted for another generator: "
            f"python -m ffgan fit-attributes {called}"
        )
    return fitted


@functools.lru_cache(maxsize=4)
def _decoded(text: str, called: str) -> AttributeMap:
    return AttributeMap.decode(text, called)


def face(
    model: Model,
    seed: int,
    wanted: Constraints,
    *,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    truncation: float = 1.0,
    hold: Sequence[str] = (),
    measure_all: bool = False,
    measure_distance: bool = False,
) -> ControlledFace:
    """Return the face of ``seed`` brought to what is ``wanted``; see `faces`."""
    (found,) = faces(
        model,
        1,
        seed,
        wanted,
        tries=tries,
        threshold=threshold,
        truncation=truncation,
        hold=hold,
        measure_all=measure_all,
        measure_distance=measure_distance,
    )
    return found


def faces(
    model: Model,
    n: int,
    seed: int | None,
    wanted: Constraints,
    *,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    truncation: float = 1.0,
    hold: Sequence[str] = (),
    measure_all: bool = False,
    measure_distance: bool = False,
) -> Iterator[ControlledFace]:
    """Yield n faces, face i that of seed + i, brought to what is ``wanted``.

    Each begins as `Model.face` finds it, is moved, measured and corrected; see
    `ffgan.control.search` for ``hold``, and for what happens where that does not get there.
    ``measure_all``: measure all attributes of the result, not only those asked for.
    ``measure_distance``: also tell how far the result's embedding is from the free face's. Several
    are under way at a time; each is the same as alone. Raises `UsageError` for values out of range
    and for what the model cannot do, `ModelError` for one without fitted attributes, `ExtraError`
    without the networks that measure.
    """
    first = first_seed(n, seed)
    check(wanted, attribute_map(model), hold)
    return draw(
        model,
        ((first + i, wanted) for i in range(n)),
        tries=tries,
        threshold=threshold,
        truncation=truncation,
        hold=hold,
        measure_all=measure_all,
        measure_distance=measure_distance,
    )


def draw(
    model: Model,
    asked: Iterable[tuple[int, Constraints]],
    *,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    truncation: float = 1.0,
    hold: Sequence[str] = (),
    measure_all: bool = False,
    measure_distance: bool = False,
) -> Iterator[ControlledFace]:
    """Yield the face of each seed with its own constraints, in their order; else as `faces`."""
    fitted = attribute_map(model)
    limit = model.threshold if threshold is None else float(threshold)

    def begun(seed: int, wanted: Constraints) -> _Search:
        return _Search(
            search(
                seed,
                wanted,
                fitted,
                measured,
                tries=tries,
                threshold=limit,
                truncation=truncation,
                hold=_names(hold),
                measure_all=measure_all,
            )
        )

    def advance(one: _Search, judged: Judged) -> None:
        one.send(judged)
        if one.found is not None and measure_distance:
            apart = distance(one.found.image, one.found.free.image)
            one.found = replace(one.found, distance=apart)

    return _run(model, itertools.starmap(begun, asked), advance)


def generate(
    model: Model,
    n: int,
    seed: int | None,
    wanted: Constraints,
    *,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    truncation: float = 1.0,
    hold: Sequence[str] = (),
) -> UInt8:
    """Return the images of `faces`, (n, 162, 162, 3) uint8 RGB.

    What was not reached is told in the log. Raises as `faces`.
    """
    found = faces(
        model,
        n,
        seed,
        wanted,
        tries=tries,
        threshold=threshold,
        truncation=truncation,
        hold=hold,
    )
    images = empty_images(n)
    for image, one in zip(images, found, strict=True):
        image[...] = one.image
        if not one.reached:
            logger.warning(f"seed {one.seed}: {one.missed}")
    return images


def moved(
    model: Model,
    asked: Iterable[tuple[Face, Constraints]],
    *,
    threshold: float | None = None,
    hold: Sequence[str] = (),
    most_steps: int = MOST_STEPS,
    measure_all: bool = False,
) -> Iterator[ControlledFace]:
    """Yield each face brought to what is asked of it, in their order; see `solver.change`.

    Raises as `faces`.
    """
    fitted = attribute_map(model)
    limit = model.threshold if threshold is None else float(threshold)
    searches = (
        _Search(
            change(
                free,
                wanted,
                fitted,
                measured,
                threshold=limit,
                hold=_names(hold),
                most_steps=most_steps,
                measure_all=measure_all,
            )
        )
        for free, wanted in asked
    )
    return _run(model, searches, _Search.send)


def _names(hold: Sequence[str]) -> tuple[str, ...]:
    return (hold,) if isinstance(hold, str) else tuple(hold)


class _Search:
    """One search under way: the latent that it waits for, or what it has found.

    ``image``: the latent's, where it is known.
    """

    def __init__(self, steps: Generator[Float32, Judged, ControlledFace]) -> None:
        self._steps = steps
        self._seen: dict[bytes, UInt8] = {}
        self.found: ControlledFace | None = None
        self._advance(lambda: next(steps))

    def send(self, judged: Judged) -> None:
        if isinstance(self.latent, Unscored):
            self._seen[self.latent.tobytes()] = judged[0]
        self._advance(lambda: self._steps.send(judged))

    def _advance(self, resume: Callable[[], Float32]) -> None:
        try:
            self.latent = resume()
            self.image = self._seen.get(self.latent.tobytes())
        except StopIteration as end:
            self.found = end.value


def _run(
    model: Model, searches: Iterator[_Search], advance: Callable[[_Search, Judged], None]
) -> Iterator[ControlledFace]:
    """Yield what the searches find, in their order; `_AT_ONCE` are under way."""
    waiting: deque[_Search] = deque()
    with ThreadPoolExecutor(_core.engine()["threads"]) as pool:
        while True:
            under_way = [one for one in waiting if one.found is None]
            # One that takes long is no reason to let those behind it wait.
            room = min(_AT_ONCE - len(under_way), _MOST_WAITING - len(waiting))
            fresh = list(itertools.islice(searches, room))
            waiting.extend(fresh)
            under_way += [one for one in fresh if one.found is None]
            if not waiting:
                return
            list(pool.map(advance, under_way, _judged(model, under_way)))
            while waiting and (found := waiting[0].found) is not None:
                waiting.popleft()
                yield found


def _judged(model: Model, searches: Sequence[_Search]) -> list[Judged]:
    """Render what is not rendered yet, and score what is to be scored."""
    unseen = [one for one in searches if one.image is None]
    if unseen:
        latents = np.stack([np.asarray(one.latent) for one in unseen])
        for one, image in zip(unseen, model.render(latents), strict=True):
            one.image = image
    images = [one.image for one in searches if one.image is not None]
    to_score = [i for i, one in enumerate(searches) if not isinstance(one.latent, Unscored)]
    scores = [math.nan] * len(images)
    if to_score:
        scored = model.score(np.stack([images[i] for i in to_score]))
        for i, score in zip(to_score, scored.tolist(), strict=True):
            scores[i] = score
    return list(zip(images, scores, strict=True))
