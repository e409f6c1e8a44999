# SPDX-License-Identifier: GPL-3.0-or-later
"""A trained model: load it, make faces with it, judge pictures with it, save it."""

from __future__ import annotations

import functools
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np

from ffgan import _core, storage
from ffgan.errors import ModelError, UsageError
from ffgan.latent import MAX_SEED, check_seed, noise, random_seed, truncate
from ffgan.model.candidate_search import DEFAULT_TRIES, MAX_TRIES, Face, search
from ffgan.model.directions import Direction, direction_names, directions
from ffgan.shapes import IMAGE_SHAPE, LATENT_SIZE
from ffgan.typing import Float32, UInt8

__all__ = [
    "DEFAULT_TRIES",
    "MAX_TRIES",
    "Face",
    "Model",
    "packaged_model",
    "read_model",
    "save_model",
]


FORMAT = "ffgan-1"
# The models that come with the package, by their discriminator. Both have the same generator.
PACKAGED_MODELS = {"program": "ffgan-162.safetensors", "table": "ffgan-162-table.safetensors"}

# A model has some 5 million parameters; a header or a file far beyond that is no model.
_LARGEST_HEADER = 1 << 20
_LARGEST_FILE = 256 << 20


def packaged_model(discriminator: str = "program") -> Path:
    """Return the path of the model that comes with the package, with that discriminator."""
    name = PACKAGED_MODELS[discriminator]
    beside = Path(__file__).parents[1] / "weights" / name
    in_the_source_tree = Path(__file__).parents[3] / "weights" / name
    return in_the_source_tree if in_the_source_tree.exists() and not beside.exists() else beside


class Model:
    """A generator with its discriminator. Any number of threads may call one model."""

    def __init__(
        self,
        generator: Mapping[str, Float32],
        discriminator: Mapping[str, Float32],
        metadata: Mapping[str, str],
        path: Path | None = None,
    ) -> None:
        """Make a model of two parameter sets, named as `ffgan._core.parameter_shapes` names them.

        Raises `ModelError` when a parameter is missing, unknown, of another shape or not finite.
        """
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
        for name, array in self.parameters.items():
            if not np.isfinite(array).all():
                raise ModelError(f"{_called(path)}: the parameter '{name}' is not finite")
        if self.discriminator not in ("program", "table"):
            raise ModelError(
                f"{_called(path)}: the discriminator '{self.discriminator}' is unknown: "
                "this version knows 'program' and 'table'"
            )
        try:
            self._generator = _core.Generator(dict(generator))
            self._discriminator = _core.Discriminator(
                cast("_core.DiscriminatorName", self.discriminator),
                dict(discriminator),
                self.dropout,
            )
        except ValueError as error:
            raise ModelError(f"{_called(path)}: not a model of this program: {error}") from error

    @functools.cached_property
    def hash(self) -> str:
        """The SHA-256 of the parameters, as hex: equal for equal models, in whatever file."""
        return parameters_hash(self.parameters)

    def directions(self) -> tuple[Direction, ...]:
        """Return the 100 directions of the latent space, the one that changes faces most first.

        See `ffgan.directions`. Their names are those of the metadata's ``directions``.
        """
        return self._directions

    @functools.cached_property
    def _directions(self) -> tuple[Direction, ...]:
        return directions(by_network(self.parameters)["generator"], self._direction_names)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Model:
        """Load a safetensors model file; without a path the model that comes with the package.

        "table", if there is no file of that name, is the packaged model with the other
        discriminator. A file from anywhere is safe to load: names, shapes and sizes are checked
        before anything is allocated. Raises `ModelError` when the file is missing, damaged or of
        another kind.
        """
        file = packaged_model() if path is None else Path(path)
        if str(file) in PACKAGED_MODELS and not file.exists():
            file = packaged_model(str(file))
        metadata, parameters = read_model(file)
        networks = by_network(parameters)
        model = cls(networks["generator"], networks["discriminator"], metadata, file)
        if "parameters_sha256" in metadata:
            model.hash = metadata["parameters_sha256"]  # read_model has compared it
        return model

    def latents(self, n: int = 1, seed: int | None = None, *, truncation: float = 1.0) -> Float32:
        """Return (n, 100) float32 noise; row i is that of seed + i, its first draw."""
        first = _first_seed(n, seed)
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
        """Yield n faces one by one; face i is that of seed + i. Without a seed: a random one."""
        first = _first_seed(n, seed)
        for i in range(n):
            yield self.face(first + i, tries=tries, threshold=threshold, truncation=truncation)

    def generate(
        self,
        n: int = 1,
        seed: int | None = None,
        *,
        tries: int = DEFAULT_TRIES,
        threshold: float | None = None,
        truncation: float = 1.0,
    ) -> UInt8:
        """Return n faces as (n, 162, 162, 3) uint8 RGB; image i is the face of seed + i."""
        faces = self.faces(n, seed, tries=tries, threshold=threshold, truncation=truncation)
        return np.stack([face.image for face in faces])

    def save(self, path: str | os.PathLike[str], *, half: bool = False) -> Path:
        """Write the model as a safetensors file; ``half`` stores float16, half the size."""
        networks = by_network(self.parameters)
        return save_model(
            path, networks["generator"], networks["discriminator"], self.metadata, half=half
        )


def by_network(tensors: Mapping[str, Float32]) -> dict[str, dict[str, Float32]]:
    """Return the tensors grouped by the first part of their names: `a.b.c` as `["a"]["b.c"]`."""
    networks: dict[str, dict[str, Float32]] = {}
    for name, tensor in tensors.items():
        network, _, rest = name.partition(".")
        networks.setdefault(network, {})[rest] = tensor
    return networks


def parameters_hash(parameters: Mapping[str, Float32]) -> str:
    """Return the SHA-256, as hex, of the parameters: names, shapes and float32 bytes, by name."""
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in parameters.items()}
    return storage.tensor_digest(arrays, lambda name, array: f"{name}{list(array.shape)}")


def save_model(
    path: str | os.PathLike[str],
    generator: Mapping[str, Float32],
    discriminator: Mapping[str, Float32],
    metadata: Mapping[str, str],
    *,
    half: bool = False,
) -> Path:
    """Write a model file, whole or not at all.

    ``half`` rounds the parameters to float16. Raises `ModelError` when it cannot be written.
    """
    dtype = np.float16 if half else np.float32
    tensors = {
        f"{network}.{name}": np.ascontiguousarray(array, dtype=dtype)
        for network, arrays in (("generator", generator), ("discriminator", discriminator))
        for name, array in arrays.items()
    }
    stored = {name: array.astype(np.float32) for name, array in tensors.items()}
    complete = {
        "discriminator": "program",
        **metadata,
        "format": FORMAT,
        "generator": "table",
        "parameters_sha256": parameters_hash(stored),
    }
    write_file(Path(path), storage.encode_tensors(tensors, complete))
    return Path(path)


def write_file(path: Path, content: bytes) -> None:
    """Write a model's file so that it is the old or the new one at every moment.

    Raises `ModelError`.
    """
    try:
        storage.write_atomically(path, content)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be written: {storage.reason(error)}; make room or give another file"
        ) from error


def read_model(path: Path) -> tuple[dict[str, str], dict[str, Float32]]:
    """Return the metadata and the float32 parameters of a model file.

    The header is checked against the networks' own names, shapes and the file's size before the
    tensors are read. Raises `ModelError`.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        size = path.stat().st_size
        if path.is_dir():
            raise ModelError(f"{path} is a folder: give a .safetensors model file")
        with path.open("rb") as file:
            header = _header(path, file.read(8), size)
            description = json.loads(file.read(header))
            metadata = _check_header(path, description)
            file.seek(0)
            tensors = load(file.read())
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} does not exist: give a model file, or train one: python -m ffgan train DIR"
        ) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, SafetensorError, RecursionError) as error:
        raise ModelError(f"{path} is damaged or not a safetensors file: {error}") from error
    parameters = {name: array.astype(np.float32) for name, array in tensors.items()}
    stated = metadata.get("parameters_sha256")
    if stated is not None and stated != parameters_hash(parameters):
        raise ModelError(f"{path} is damaged: its parameters do not match their SHA-256")
    return metadata, parameters


def _header(path: Path, start: bytes, size: int) -> int:
    if len(start) < 8:
        raise ModelError(f"{path} is not a model file: it has {size} bytes")
    length = int(struct.unpack("<Q", start)[0])
    if length > min(_LARGEST_HEADER, size - 8) or size > _LARGEST_FILE:
        raise ModelError(f"{path} is not a model file of this program, or is truncated")
    return length


def _check_header(path: Path, description: object) -> dict[str, str]:
    if not isinstance(description, dict):
        raise ModelError(f"{path} is damaged: its header is not a table")
    metadata = description.get("__metadata__")
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ModelError(f"{path} is not a model of this program (no format '{FORMAT}')")
    name = metadata.get("discriminator", "program")
    if name not in ("program", "table"):
        raise ModelError(
            f"{path}: the discriminator '{name}' is unknown: "
            "this version knows 'program' and 'table'"
        )
    expected = {
        **{f"generator.{k}": v for k, v in _core.parameter_shapes("generator").items()},
        **{f"discriminator.{k}": v for k, v in _core.parameter_shapes(name).items()},
    }
    given = {key: value for key, value in description.items() if key != "__metadata__"}
    for key in given.keys() ^ expected.keys():
        state = "unknown" if key in given else "missing"
        raise ModelError(f"{path} is not a model of this program: the tensor '{key}' is {state}")
    for key, shape in expected.items():
        entry = given[key]
        if not isinstance(entry, dict) or entry.get("shape") != list(shape):
            raise ModelError(f"{path}: the tensor '{key}' has not the shape {list(shape)}")
        if entry.get("dtype") not in ("F32", "F16"):
            raise ModelError(f"{path}: the tensor '{key}' is neither float32 nor float16")
    return {str(key): str(value) for key, value in metadata.items()}


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


def _first_seed(n: int, seed: int | None) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise UsageError(f"the number of faces is {n!r}: give a whole number from 1 up")
    first = random_seed() if seed is None else check_seed(seed)
    if first + int(n) - 1 > MAX_SEED:
        raise UsageError(f"seed {first} is too large for {n} faces: seeds end at {MAX_SEED}")
    return first
