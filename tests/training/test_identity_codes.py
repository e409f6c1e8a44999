# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes that encode the face embedding: as noise, beside those of the pixels, and in a run."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pytest

from ffgan import faces
from ffgan.errors import DatasetError, ExtraError
from ffgan.model import Model
from ffgan.training import identity_codes
from ffgan.training.identity_codes import IdentityCodes
from ffgan.training.warm_start import CODE_SIZE, PrincipalComponents, principal_components
from ffgan.typing import RGB, Float32

FACES = 300
pytestmark = pytest.mark.slow  # the codes take ten seconds

COUNT = 20


@functools.cache
def pictures() -> faces.RGB:
    model = Model.load()
    return model.render(model.latents(FACES, 9000))


class Faces:
    """Faces of the packaged model, a few of them broken."""

    def __init__(self, count: int, broken: tuple[int, ...] = ()) -> None:
        self._broken = broken
        self.pictures = pictures()[:count].copy()

    def __len__(self) -> int:
        return len(self.pictures)

    def image(self, index: int) -> RGB:
        if index in self._broken:
            raise DatasetError(f"{index} is broken")
        return self.pictures[index]


@pytest.fixture(scope="module", autouse=True)
def each_image_is_embedded_once() -> Iterator[None]:
    """The network takes most of the time, and its result depends on the image alone."""
    compute = identity_codes.embed
    known: dict[bytes, Float32] = {}

    def embed(images: faces.RGB, recognition: str | None = None) -> Float32:
        new = {image.tobytes(): image for image in images if image.tobytes() not in known}
        if new:
            known.update(zip(new, compute(np.stack(list(new.values())), recognition), strict=True))
        return np.stack([known[image.tobytes()] for image in images])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity_codes, "embed", embed)
        yield


@pytest.fixture(scope="module")
def images() -> Faces:
    try:
        faces.recognition_file()
    except ExtraError as error:
        pytest.skip(str(error))
    return Faces(FACES)


@pytest.fixture(scope="module")
def pixels(images: Faces) -> PrincipalComponents:
    return principal_components(images, seed=0)


@pytest.fixture(scope="module")
def found(images: Faces, pixels: PrincipalComponents) -> IdentityCodes:
    return identity_codes.identity_codes(images, pixels, COUNT, seed=0)


@pytest.fixture(scope="module")
def embeddings(images: Faces) -> Float32:
    return identity_codes.embed(images.pictures)


def test_the_codes_are_white(
    images: Faces,
    pixels: PrincipalComponents,
    found: IdentityCodes,
    embeddings: Float32,
) -> None:
    """Variance 1 in each, none related to another, neither among them nor with the pixels'."""
    before = pixels.codes(images.pictures)
    codes = before.copy()
    found.replace(codes, embeddings)
    kept = CODE_SIZE - COUNT
    np.testing.assert_array_equal(codes[:, :kept], before[:, :kept])
    covariance = codes.T.astype(np.float64) @ codes / FACES
    np.testing.assert_allclose(covariance, np.eye(CODE_SIZE), atol=0.02)


def test_they_tell_who_somebody_is(
    images: Faces,
    pixels: PrincipalComponents,
    found: IdentityCodes,
    embeddings: Float32,
) -> None:
    """As much of the embeddings follows from all codes as `explained` says, by least squares."""
    codes = pixels.codes(images.pictures)
    found.replace(codes, embeddings)

    def unexplained(known: Float32) -> float:
        known = np.column_stack([known, np.ones(FACES, np.float32)])
        weights = np.linalg.lstsq(known, embeddings, rcond=None)[0]
        return float((embeddings - known @ weights).var(axis=0).sum())

    whole = float(embeddings.var(axis=0).sum())
    assert 1 - unexplained(codes) / whole == pytest.approx(found.explained, abs=1e-3)
    # The 20 components of the identities say more than those of the pixels in whose place they are.
    assert unexplained(codes) < 0.5 * unexplained(pixels.codes(images.pictures))


def test_the_same_images_give_the_same_bytes(
    images: Faces, pixels: PrincipalComponents, found: IdentityCodes
) -> None:
    again = identity_codes.identity_codes(images, pixels, COUNT, seed=0)
    for name, tensor in found.tensors().items():
        assert again.tensors()[name].tobytes() == tensor.tobytes()
    back = IdentityCodes.from_tensors(found.tensors())
    codes = np.random.default_rng(1).standard_normal((3, CODE_SIZE)).astype(np.float32)
    other = codes.copy()
    people = np.random.default_rng(2).standard_normal((3, 128)).astype(np.float32)
    found.replace(codes, people)
    back.replace(other, people)
    assert codes.tobytes() == other.tobytes()
    assert len(back) == COUNT


def test_mirrored_images_count_too(images: Faces, pixels: PrincipalComponents) -> None:
    class Mirrored(Faces):
        def __init__(self) -> None:
            self._broken = ()
            self.pictures = images.pictures.copy()
            self.pictures[1::2] = self.pictures[1::2, :, ::-1]

    plain = identity_codes.identity_codes(Mirrored(), pixels, COUNT, seed=0)
    flipped = identity_codes.identity_codes(images, pixels, COUNT, seed=0, flip=True)
    np.testing.assert_array_equal(plain.components, flipped.components)


def test_broken_images_are_left_out_and_progress_is_told(pixels: PrincipalComponents) -> None:
    told: list[tuple[int, int]] = []
    broken = Faces(FACES, broken=(3, 70, 71))
    found = identity_codes.identity_codes(
        broken, pixels, COUNT, seed=0, progress=lambda *how_far: told.append(how_far)
    )
    assert found.explained > 0.5
    assert told == [(min(64 * i, FACES), FACES) for i in range(1, 6)]


def test_too_few_images_are_refused(pixels: PrincipalComponents) -> None:
    few = Faces(101)
    with pytest.raises(DatasetError, match=r"only 101 of 101 .* needs 102: .*--identity-codes 0"):
        identity_codes.identity_codes(few, pixels, COUNT, seed=0)
    few.pictures = np.repeat(few.pictures[:1], FACES, axis=0)
    with pytest.raises(DatasetError, match="fewer different faces than --identity-codes 20 needs"):
        identity_codes.identity_codes(few, pixels, COUNT, seed=0)
    few._broken = tuple(range(FACES))
    with pytest.raises(DatasetError, match="only 0 of"):
        identity_codes.identity_codes(few, pixels, COUNT, seed=0)
