# SPDX-License-Identifier: GPL-3.0-or-later
"""A trained model: a generator with its discriminator."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

import numpy as np

from ffgan import _core
from ffgan.errors import ModelError, UsageError
from ffgan.latent import first_seed, noise, truncate
from ffgan.model import file as model_file
from ffgan.model.candidate_search import DEFAULT_TRIES, Face, search, searched
from ffgan.model.checks import check_parameters, check_probe
from ffgan.model.directions import Direction, direction_names, directions
from ffgan.model.file import PACKAGED_MODELS, by_network
from ffgan.shapes import IMAGE_SHAPE, LATENT_SIZE
from ffgan.typing import Float32, UInt8

Precision: TypeAlias = Literal["float32", "bf16"]
PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "bf16")
DEFAULT_PRECISION: Final[Precision] = "float32"
BF16: Final = "bf16 is faster where the processor has it, and a seed's face differs a little"
"""For the help of options."""


class Model:
    """A generator with its discriminator. It may be shared by threads, copied and pickled."""

    precision: Precision = DEFAULT_PRECISION

    def __init__(
        self,
        generator: Mapping[str, Float32],
        discriminator: Mapping[str, Float32],
        metadata: Mapping[str, str],
        path: Path | None = None,
        *,
        precision: Precision = DEFAULT_PRECISION,
    ) -> None:
        """Make a model of two parameter sets, named as `ffgan._core.parameter_shapes` names them.

        ``precision`` "bf16" rounds the operands of the generator's products to 8 bits, where the
        processor has instructions for it: faces take about 0.6 of the time, and a seed's face
        differs a little from the one that has the same bytes everywhere. Scores stay in float32.

        Raises `InstructionSetError` where bf16 cannot be computed, and `ModelError` when a
        parameter is missing, unknown, of another shape or out of range, or when a first face or its
        score is nonsense.
        """
        if precision not in PRECISIONS:
            raise UsageError(f"precision {precision!r} is unknown: choose float32 or bf16")
        self.precision = precision
        self.path = path
        self.metadata = dict(metadata)
        self.parameters: dict[str, Float32] = {
            **{f"generator.{name}": array for name, array in generator.items()},
            **{f"discriminator.{name}": array for name, array in discriminator.items()},
        }
        self.discriminator = self.metadata.get("discriminator", "program")
        self.threshold = _number(self.metadata, "threshold", 0.0, path)
        self.dropout = _number(self.metadata, "dropout", 0.5, path)
        self._direction_names = direction_names(self.metadata.get("directions"), _called(path))
        check_parameters(self.parameters, _called(path))
        if self.discriminator not in ("program", "table"):
            raise ModelError(
                f"{_called(path)}: the discriminator '{self.discriminator}' is unknown: "
                "this version knows 'program' and 'table'"
            )
        try:
            self._set_up()
        except ValueError as error:
            raise ModelError(f"{_called(path)}: not a model of this program: {error}") from error
        check_probe(self._generator, self._discriminator, _called(path))

    def _set_up(self) -> None:
        """Make the engine's networks, which hold no more than the parameters say."""
        networks = by_network(self.parameters)
        with ThreadPoolExecutor(1) as pool:
            discriminator = pool.submit(
                _core.Discriminator,
                cast("_core.DiscriminatorName", self.discriminator),
                networks.get("discriminator", {}),
                self.dropout,
            )
            self._generator = _core.Generator(networks.get("generator", {}), self.precision)
            self._discriminator = discriminator.result()

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles, as other processes get a model; the networks are made again."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if name not in ("_generator", "_discriminator")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._set_up()

    @functools.cached_property
    def hash(self) -> str:
        """The SHA-256 of the parameters, as hex: equal for equal models, in whatever file."""
        return model_file.parameters_hash(self.parameters)

    @property
    def faces_id(self) -> str:
        """What a seed's face follows from: the hash, and the precision unless it is float32."""
        return self.hash if self.precision == DEFAULT_PRECISION else f"{self.hash}-{self.precision}"

    @property
    def origin(self) -> dict[str, str]:
        """What a picture of its faces says in its metadata: ``model``, the hash, and ``precision``
        unless it is float32."""
        if self.precision == DEFAULT_PRECISION:
            return {"model": self.hash}
        return {"model": self.hash, "precision": self.precision}

    @functools.cached_property
    def generator_hash(self) -> str:
        """The SHA-256 of the generator's parameters alone, as hex."""
        return model_file.parameters_hash(by_network(self.parameters)["generator"])

    def directions(self) -> tuple[Direction, ...]:
        """Return the 100 directions of the latent space, the one that changes faces most first.

        See `ffgan.directions`. Their names are those of the metadata's ``directions``.
        """
        return self._directions

    @functools.cached_property
    def _directions(self) -> tuple[Direction, ...]:
        return directions(by_network(self.parameters)["generator"], self._direction_names)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        precision: Precision = DEFAULT_PRECISION,
    ) -> Model:
        """Load a safetensors model file; without a path the model that comes with the package.

        "table", if there is no file of that name, is the packaged model with the other
        discriminator. A file from anywhere is safe to load: names, shapes and sizes are checked
        before anything is allocated. Raises `ModelError` when the file is missing, damaged or of
        another kind. ``precision``: as for a model that is made of parameters.
        """
        file = model_file.packaged_model() if path is None else Path(path)
        if str(file) in PACKAGED_MODELS and not file.exists():
            file = model_file.packaged_model(str(file))
        metadata, parameters = model_file.read_unverified(file)
        networks = by_network(parameters)
        with ThreadPoolExecutor(1) as pool:
            verified = pool.submit(model_file.verify, file, metadata, parameters)
            try:
                model = cls(
                    networks["generator"],
                    networks["discriminator"],
                    metadata,
                    file,
                    precision=precision,
                )
            except ModelError:
                verified.result()  # of a damaged file this is the better reason
                raise
            verified.result()
        if "parameters_sha256" in metadata:
            model.hash = metadata["parameters_sha256"]  # it has been compared
        return model

    def latents(self, n: int = 1, seed: int | None = None, *, truncation: float = 1.0) -> Float32:
        """Return (n, 100) float32 noise; row i is that of seed + i, its first draw."""
        first = first_seed(n, seed)
        return truncate(np.stack([noise(first + i) for i in range(n)]), truncation)

    def render(self, latents: Float32) -> UInt8:
        """Return the images (n, 162, 162, 3) uint8 RGB of latents (n, 100).

        Raises `UsageError` for another shape or values that are not finite.
        """
        array = np.ascontiguousarray(latents, dtype=np.float32)
        if array.ndim != 2 or array.shape[1] != LATENT_SIZE:
            raise UsageError(f"latents have the shape {array.shape}, not (n, {LATENT_SIZE})")
        if not np.isfinite(array).all():
            raise UsageError("latents are not finite")
        return self._generator.generate(array)

    def score(self, images: UInt8) -> Float32:
        """Return the discriminator's logits (n,) float32 for images (n, 162, 162, 3) uint8 RGB.

        Above 0: believed to be a photograph. Raises `UsageError` for another shape or dtype.
        """
        array = np.ascontiguousarray(images)
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != IMAGE_SHAPE:
            raise UsageError(
                f"images are {array.dtype} {array.shape}, not uint8 {('n', *IMAGE_SHAPE)}: "
                "ffgan.dataset resizes pictures"
            )
        return self._discriminator.score(array)

    def face(
        self,
        seed: int,
        *,
        tries: int = DEFAULT_TRIES,
        threshold: float | None = None,
        truncation: float = 1.0,
    ) -> Face:
        """Return the face of ``seed``: the candidate search of the original.

        Draw noise, render it, ask the discriminator; the first face that scores above
        ``threshold`` (the model's own by default) is taken, after ``tries`` draws the best of
        them. The draws follow one another in the seed's stream. Raises `UsageError` for a value
        out of range.
        """
        limit = self.threshold if threshold is None else float(threshold)
        draws = search(seed, tries=tries, threshold=limit, truncation=truncation)
        latent = next(draws)
        while True:
            image = self.render(latent[None])
            try:
                latent = draws.send((image[0], float(self.score(image)[0])))
            except StopIteration as found:
                face: Face = found.value
                return face

    def faces(
        self,
        n: int = 1,
        seed: int | None = None,
        *,
        tries: int = DEFAULT_TRIES,
        threshold: float | None = None,
        truncation: float = 1.0,
    ) -> Iterator[Face]:
        """Yield n faces one by one; face i is that of seed + i. Without a seed: a random one.

        Some faces are drawn ahead, in batches, which is faster than `face` by face.
        """
        first = first_seed(n, seed)
        limit = self.threshold if threshold is None else float(threshold)

        def judge(latents: Float32) -> tuple[UInt8, Float32]:
            images = self.render(latents)
            return images, self.score(images)

        if n == 1:
            yield self.face(first, tries=tries, threshold=threshold, truncation=truncation)
            return
        seeds = iter(range(first, first + n))
        cores = _core.engine()["threads"]
        yield from searched(
            seeds, judge, cores, tries=tries, threshold=limit, truncation=truncation
        )

    def generate(
        self,
        n: int = 1,
        seed: int | None = None,
        *,
        tries: int = DEFAULT_TRIES,
        threshold: float | None = None,
        truncation: float = 1.0,
    ) -> UInt8:
        """Return n faces as (n, 162, 162, 3) uint8 RGB; image i is the face of seed + i.

        Raises `UsageError` for a value out of range, and for more faces than the memory holds.
        """
        faces = self.faces(
            n, first_seed(n, seed), tries=tries, threshold=threshold, truncation=truncation
        )
        images = empty_images(n)
        # Each goes to its place at once, so that the memory is that of the result.
        for image, face in zip(images, faces, strict=True):
            image[...] = face.image
        return images

    def profile(self) -> dict[str, list[tuple[str, float]]]:
        """Return (layer, milliseconds) of both networks for one image on all cores, medians.

        The names are "generator" and that of the discriminator. Both are empty on a device.
        """
        return {
            "generator": self._generator.profile(),
            self.discriminator: self._discriminator.profile(),
        }

    def save(self, path: str | os.PathLike[str], *, half: bool = False) -> Path:
        """Write the model as a safetensors file; ``half`` stores float16, half the size."""
        networks = by_network(self.parameters)
        return model_file.save_model(
            path, networks["generator"], networks["discriminator"], self.metadata, half=half
        )


def empty_images(n: int) -> UInt8:
    """Return room for n images, (n, 162, 162, 3) uint8; raises `UsageError` where there is none."""
    try:
        return np.empty((n, *IMAGE_SHAPE), np.uint8)
    except (MemoryError, ValueError) as error:
        raise UsageError(
            f"{n} faces do not fit into memory: take them one by one from Model.faces"
        ) from error


def _number(metadata: Mapping[str, str], key: str, default: float, path: Path | None) -> float:
    text = metadata.get(key, str(default))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ModelError(f"{_called(path)}: the metadata's {key} is {text!r}, not a number")
    return value


def _called(path: Path | None) -> str:
    return "the model" if path is None else str(path)
