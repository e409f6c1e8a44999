# SPDX-License-Identifier: GPL-3.0-or-later
"""The PCA warm start: codes that look like noise, for a generator that first learns to rebuild.

A generator can be taught to map code i to image i, without any adversary, if every training image
has a code and the codes are distributed like the noise that the generator is fed with later. The
first 100 principal components, each scaled to variance 1, are nearly that: of the images, or of
vectors that are known of them (code_file.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ffgan import _core
from ffgan.errors import DatasetError
from ffgan.images import resize
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import Float32, UInt8

CODE_SIZE = LATENT_SIZE
SIZE = 54
MAX_IMAGES = 20_000
OVERSAMPLING = 28
POWER_ITERATIONS = 4
BLOCK = 1024

BYTES_OF_COMPONENTS = 4 * (CODE_SIZE + 1) * SIZE * SIZE * 3  # in a checkpoint, nearly

LEARNING_RATE = 2e-3
LAST_LEARNING_RATE = 0.05 * LEARNING_RATE


class Images(Protocol):
    """What is needed of `ffgan.dataset.Dataset`."""

    def __len__(self) -> int: ...
    def image(self, index: int) -> UInt8: ...


def learning_rate(step: int, steps: int) -> float:
    """Step `step` of `steps`: a cosine from `LEARNING_RATE` to `LAST_LEARNING_RATE`."""
    cosine = 0.5 * (1.0 + math.cos(math.pi * step / steps))
    return LAST_LEARNING_RATE + (LEARNING_RATE - LAST_LEARNING_RATE) * cosine


def reduce(images: UInt8) -> Float32:
    """(n, h, w, 3) uint8 to (n, 54 * 54 * 3) float32 in 0..1, by averaging areas."""
    reduced = np.empty((len(images), SIZE, SIZE, 3), np.float32)
    for row, image in zip(reduced, images, strict=True):
        row[:] = _core.average_areas(image, SIZE, SIZE)
    return (reduced / np.float32(255)).reshape(len(images), -1)


@dataclass(frozen=True)
class PrincipalComponents:
    """The first 100 principal components of vectors of d numbers: of images at 54x54, d = 8748.

    `mean` is (d,), `components` (100, d) with orthonormal rows, `deviation` (100,), the standard
    deviation of the vectors along each row, largest first; all float32. `explained` is their share
    of the whole variance.
    """

    mean: Float32
    components: Float32
    deviation: Float32
    explained: float

    def codes(self, images: UInt8) -> Float32:
        """The whitened codes (n, 100) float32 of images (n, h, w, 3) uint8."""
        return self.whiten(reduce(images))

    def whiten(self, rows: Float32) -> Float32:
        """The codes (n, 100) of vectors (n, d): variance 1 along each component."""
        # Not by NumPy's BLAS: its threads keep spinning for a while after each step's call.
        codes = np.einsum("np,kp->nk", rows - self.mean, self.components) / self.deviation
        return np.asarray(codes, np.float32)

    def rebuild(self, codes: Float32) -> Float32:
        """The reduced images (n, 54, 54, 3) in 0..1, nearly, that have these codes."""
        rows = (codes * self.deviation) @ self.components + self.mean
        return rows.reshape(-1, SIZE, SIZE, 3).astype(np.float32, copy=False)

    def tensors(self) -> dict[str, Float32]:
        """For a checkpoint: the basis, from which an image's code follows whenever it is needed."""
        return {
            "mean": self.mean,
            "components": self.components,
            "deviation": self.deviation,
            "explained": np.array([self.explained], np.float32),
        }

    @classmethod
    def from_tensors(
        cls, tensors: dict[str, Float32], size: int = SIZE * SIZE * 3
    ) -> PrincipalComponents:
        """The inverse of `tensors`, d = ``size``; raises ValueError or KeyError for others."""
        shapes = {"mean": (size,), "components": (CODE_SIZE, size), "deviation": (CODE_SIZE,)}
        if any(tensors[name].shape != shape for name, shape in shapes.items()):
            raise ValueError("principal components of another size")
        return cls(
            tensors["mean"],
            tensors["components"],
            tensors["deviation"],
            float(tensors["explained"].item()),
        )


def principal_components(
    dataset: Images,
    *,
    seed: int,
    flip: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PrincipalComponents:
    """The principal components of a data set, in bounded memory and a few passes.

    At most `MAX_IMAGES` rows are held, as bytes at 54x54 (175 MB); a larger data set is represented
    by a subset that `seed` determines. With `flip` each image also counts mirrored. Broken images
    are left out. `progress(done, total)` is called after every image and may raise to stop.
    Raises DatasetError when not more images than components can be read.
    """
    order = np.random.default_rng((seed, 3)).permutation(len(dataset))
    order = np.sort(order[: MAX_IMAGES // 2 if flip else MAX_IMAGES])
    images = np.empty((len(order), SIZE, SIZE, 3), np.uint8)
    count = 0
    for done, index in enumerate(order, 1):
        try:
            image = dataset.image(int(index))
        except DatasetError:
            continue
        else:
            images[count] = resize(image, SIZE)
            count += 1
        finally:
            if progress is not None:
                progress(done, len(order))
    images = images[:count]
    if flip:
        images = np.concatenate([images, images[:, :, ::-1]])
    if len(images) <= CODE_SIZE:
        least = CODE_SIZE // 2 + 1 if flip else CODE_SIZE + 1
        raise DatasetError(
            f"only {count} of {len(order)} images can be decoded, and the principal components of "
            f"--warm-start and --anchor-weight need {least}: add some, or use --warm-start 0 "
            "--anchor-weight 0"
        )
    return _decompose(images.reshape(len(images), -1), seed)


def fix_signs(components: NDArray[Any]) -> NDArray[Any]:
    """The rows with their signs, which are arbitrary, such that the largest entry is positive.

    So the same images give the same codes.
    """
    peaks = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    signed: NDArray[Any] = components * np.sign(peaks)[:, None]
    return signed


def _decompose(pixels: UInt8, seed: int) -> PrincipalComponents:
    """Randomised subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4) on (n, d) uint8.

    Only blocks of rows are ever in floating point.
    """
    rows, size = pixels.shape
    blocks = [slice(i, i + BLOCK) for i in range(0, rows, BLOCK)]
    mean = np.zeros(size)
    square = 0.0
    for block in blocks:
        mean += pixels[block].sum(axis=0, dtype=np.float64)
    mean /= 255.0 * rows
    centre = mean.astype(np.float32)

    def centred(block: slice) -> Float32:
        return pixels[block].astype(np.float32) / np.float32(255.0) - centre

    width = min(CODE_SIZE + OVERSAMPLING, rows, size)
    sketch = np.random.default_rng((seed, 4)).standard_normal((size, width)).astype(np.float32)
    for iteration in range(POWER_ITERATIONS + 1):
        basis = np.linalg.qr(sketch)[0]
        product = np.zeros((size, width), np.float32)
        square = 0.0
        for block in blocks:
            part = centred(block)
            product += part.T @ (part @ basis)
            square += float(np.vdot(part, part))
        if iteration < POWER_ITERATIONS:
            sketch = product
    # basis.T @ (X.T @ X) @ basis: the covariance within the subspace, times n.
    gram = (basis.T @ product).astype(np.float64)
    variance, vectors = np.linalg.eigh((gram + gram.T) / 2)
    variance, vectors = variance[::-1][:CODE_SIZE], vectors[:, ::-1][:, :CODE_SIZE]
    if variance[-1] <= 1e-9 * variance[0]:
        raise DatasetError(
            f"fewer than {CODE_SIZE + 1} of the images are different, which the principal "
            "components of --warm-start and --anchor-weight need: add some, or use --warm-start 0 "
            "--anchor-weight 0"
        )
    components = fix_signs((basis @ vectors.astype(np.float32)).T)
    deviation = np.sqrt(variance / rows).astype(np.float32)
    explained = float(variance.sum() / square)
    return PrincipalComponents(centre, np.ascontiguousarray(components), deviation, explained)
