# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity codes: dimensions of the latent code that encode the face embedding instead of pixels.

The principal components of the pixels hardly encode age, sex or beard, which are no linear function
of pixels. So noise that is drawn independently for each component gives faces that are a little of
everything. The embeddings of dlib's face recognition network do encode them. Their residual after a
linear prediction from the first pixel components is decomposed in turn, and its principal
components replace the last pixel components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ffgan import features
from ffgan.errors import DatasetError
from ffgan.training.warm_start import CODE_SIZE, Images, PrincipalComponents, fix_signs
from ffgan.typing import Float32, UInt8

MAX_IMAGES = 4096
BLOCK = 64


def embed(images: UInt8, recognition: str | None = None) -> Float32:
    """The embeddings (n, 128) float32 of images (n, h, w, 3) uint8 that are faces as they are.

    ``recognition``: the network's file instead of that of the extra `faces`. Raises as
    `ffgan.faces.embed` does.
    """
    return features.load("faces", recognition=recognition).extract(images)


@dataclass(frozen=True)
class IdentityCodes:
    """The first principal components of the embeddings' residual, given the pixels' components.

    With k of these and n = 100 - k of the pixels': `mean` (128,) and `slope` (n, 128) predict an
    embedding from the pixels' codes; `components` (k, 128) has orthonormal rows, along which what
    remains has the standard deviations `deviation` (k,); all float32. `explained` is the share of
    the embeddings' variance that the n + k codes hold.
    """

    mean: Float32
    slope: Float32
    components: Float32
    deviation: Float32
    explained: float

    def __len__(self) -> int:
        return len(self.components)

    def replace(self, codes: Float32, embeddings: Float32) -> None:
        """Put these codes in the place of the last ones of (m, 100), given (m, 128)."""
        kept = len(self.slope)
        rest = embeddings - self.mean - codes[:, :kept] @ self.slope
        codes[:, kept:] = rest @ self.components.T / self.deviation

    def tensors(self) -> dict[str, Float32]:
        """For a checkpoint."""
        return {
            "mean": self.mean,
            "slope": self.slope,
            "components": self.components,
            "deviation": self.deviation,
            "explained": np.array([self.explained], np.float32),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Float32]) -> IdentityCodes:
        """The inverse of `tensors`; raises ValueError or KeyError for others."""
        count, size = len(tensors["components"]), len(tensors["mean"])
        shapes = {
            "mean": (size,),
            "slope": (CODE_SIZE - count, size),
            "components": (count, size),
            "deviation": (count,),
        }
        if any(tensors[name].shape != shape for name, shape in shapes.items()):
            raise ValueError("identity codes of another size")
        return cls(
            tensors["mean"],
            tensors["slope"],
            tensors["components"],
            tensors["deviation"],
            float(tensors["explained"].item()),
        )


def identity_codes(
    dataset: Images,
    pixels: PrincipalComponents,
    count: int,
    *,
    seed: int,
    flip: bool = False,
    recognition: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> IdentityCodes:
    """Find `count` identity codes for a data set, from at most `MAX_IMAGES` of its images.

    `seed` determines which. With `flip` every other one counts mirrored. Broken images are left
    out. `progress(done, total)` is called after every block and may raise to stop. Raises
    DatasetError when there are not enough different images, and as `ffgan.faces.embed` does.
    """
    order = np.sort(np.random.default_rng((seed, 5)).permutation(len(dataset))[:MAX_IMAGES])
    all_codes, all_embeddings = [], []
    for begin in range(0, len(order), BLOCK):
        block: list[UInt8] = []
        for index in order[begin : begin + BLOCK]:
            try:
                image = dataset.image(int(index))
            except DatasetError:
                continue
            block.append(image[:, ::-1] if flip and len(block) % 2 else image)
        if block:
            images = np.stack(block)
            all_codes.append(pixels.codes(images))
            all_embeddings.append(embed(images, recognition))
        if progress is not None:
            progress(min(begin + BLOCK, len(order)), len(order))
    codes = np.concatenate(all_codes) if all_codes else np.empty((0, CODE_SIZE), np.float32)
    if len(codes) <= CODE_SIZE + 1:
        raise DatasetError(
            f"only {len(codes)} of {len(order)} images can be decoded, and --identity-codes needs "
            f"{CODE_SIZE + 2}: add some, or use --identity-codes 0"
        )
    return _decompose(codes[:, : CODE_SIZE - count], np.concatenate(all_embeddings), count)


def _decompose(codes: Float32, embeddings: Float32, count: int) -> IdentityCodes:
    known = np.column_stack([codes, np.ones(len(codes))]).astype(np.float64)
    weights = np.linalg.lstsq(known, embeddings.astype(np.float64), rcond=None)[0]
    rest = embeddings - known @ weights
    variance, vectors = np.linalg.eigh(rest.T @ rest / len(rest))
    variance, vectors = variance[::-1][:count], vectors[:, ::-1][:, :count]
    whole = float(embeddings.astype(np.float64).var(axis=0).sum())
    if variance[-1] <= 1e-9 * float(np.square(embeddings).mean()):
        raise DatasetError(
            f"the images show fewer different faces than --identity-codes {count} needs: use a "
            "smaller number, or 0"
        )
    components = fix_signs(vectors.T)
    left = float(np.square(rest).sum() / len(rest)) - float(variance.sum())
    return IdentityCodes(
        weights[-1].astype(np.float32),
        weights[:-1].astype(np.float32),
        np.ascontiguousarray(components, np.float32),
        np.sqrt(variance).astype(np.float32),
        1.0 - left / whole,
    )
