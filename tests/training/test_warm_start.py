# SPDX-License-Identifier: GPL-3.0-or-later
"""The codes of the warm start: against NumPy's exact decomposition, and as noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.training import warm_start
from ffgan.training.warm_start import CODE_SIZE, SIZE, PrincipalComponents, principal_components


class Images:
    """`count` smooth random pictures, a few of them broken."""

    def __init__(self, count: int, broken: tuple[int, ...] = (), height: int = 81) -> None:
        self._broken = broken
        generator = np.random.default_rng(5)
        x = np.linspace(0, np.pi, height)
        waves = np.cos(np.outer(np.arange(8), x))
        strength = 1.0 / (1.0 + np.arange(8)[:, None] + np.arange(8)) ** 0.7
        factors = generator.standard_normal((count, 8, 8, 3)) * strength[:, :, None]
        pictures = np.einsum("nijc,ih,jw->nhwc", factors, waves, waves)
        self.pictures = np.clip(128 + 18 * pictures, 0, 255).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.pictures)

    def image(self, index: int) -> NDArray[np.uint8]:
        if index in self._broken:
            raise DatasetError(f"{index} is broken")
        picture: NDArray[np.uint8] = self.pictures[index]
        return picture


@pytest.fixture(scope="module")
def images() -> Images:
    return Images(300)


@pytest.fixture(scope="module")
def found(images: Images) -> PrincipalComponents:
    return principal_components(images, seed=0)


def test_components_are_those_of_the_exact_decomposition(
    images: Images, found: PrincipalComponents
) -> None:
    rows = warm_start.reduce(images.pictures).astype(np.float64)
    centred = rows - rows.mean(axis=0)
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(
        found.deviation, singular[:CODE_SIZE] / np.sqrt(len(rows)), rtol=0.02
    )
    # The leading directions one by one; the trailing ones are close together and may mix.
    agreement = np.abs(np.sum(found.components[:20] * vectors[:20], axis=1))
    assert agreement.min() > 0.999
    explained = (singular[:CODE_SIZE] ** 2).sum() / (singular**2).sum()
    assert found.explained == pytest.approx(explained, abs=0.002)


def test_codes_have_mean_0_variance_1_and_no_correlation(
    images: Images, found: PrincipalComponents
) -> None:
    codes = found.codes(images.pictures)
    assert codes.shape == (300, CODE_SIZE)
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(codes.T, bias=True), np.eye(CODE_SIZE), atol=0.05)


def test_a_code_says_what_the_image_looks_like(images: Images, found: PrincipalComponents) -> None:
    reduced = warm_start.reduce(images.pictures).reshape(-1, SIZE, SIZE, 3)
    rebuilt = found.rebuild(found.codes(images.pictures))
    assert rebuilt.shape == reduced.shape
    # 95 % of the variance leaves a fifth of the deviation.
    deviation = np.abs(reduced - reduced.mean(axis=0)).mean()
    assert np.abs(rebuilt - reduced).mean() < 0.25 * deviation


def test_components_are_orthonormal(found: PrincipalComponents) -> None:
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(100), atol=1e-4)


def test_the_same_images_give_the_same_bytes(images: Images, found: PrincipalComponents) -> None:
    again = principal_components(images, seed=0)
    for name, tensor in found.tensors().items():
        assert again.tensors()[name].tobytes() == tensor.tobytes()


def test_another_seed_gives_the_same_leading_codes(
    images: Images, found: PrincipalComponents
) -> None:
    other = principal_components(images, seed=1)
    np.testing.assert_allclose(
        other.codes(images.pictures)[:, :20], found.codes(images.pictures)[:, :20], atol=0.05
    )


@pytest.mark.slow
def test_flip_counts_every_image_mirrored_too(images: Images) -> None:
    flipped = principal_components(images, seed=0, flip=True)
    mean = flipped.mean.reshape(SIZE, SIZE, 3)
    np.testing.assert_allclose(mean, mean[:, ::-1], atol=1e-6)
    # Mirroring keeps the set as it is, so a mirrored image's code has the same length.
    straight = flipped.codes(images.pictures)
    mirrored = flipped.codes(images.pictures[:, :, ::-1])
    np.testing.assert_allclose(
        np.linalg.norm(straight, axis=1), np.linalg.norm(mirrored, axis=1), rtol=0.05
    )
    assert np.abs(straight - mirrored).max() > 0.5


@pytest.mark.slow
def test_a_large_data_set_is_represented_by_a_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_start, "MAX_IMAGES", 200)
    images = Images(400)
    seen: list[tuple[int, int]] = []
    found = principal_components(
        images, seed=3, progress=lambda done, all: seen.append((done, all))
    )
    assert seen[-1] == (200, 200)
    assert len(seen) == 200
    # The others are projected: their codes are as wide, up to the noise of a small sample.
    spread = found.codes(images.pictures)[:, :20].std(axis=0)
    np.testing.assert_allclose(spread, 1.0, atol=0.25)


@pytest.mark.slow
def test_broken_images_are_left_out(images: Images) -> None:
    with_broken = Images(300, broken=(3, 50, 299))
    found = principal_components(with_broken, seed=0)
    rows = warm_start.reduce(np.delete(images.pictures, [3, 50, 299], axis=0))
    np.testing.assert_allclose(found.mean, rows.mean(axis=0), atol=0.003)


def test_too_few_images_are_an_error_with_a_way_out() -> None:
    with pytest.raises(DatasetError, match=r"only 60 of 60 .* need 101: .*--warm-start 0"):
        principal_components(Images(60), seed=0)


def test_too_few_different_images_are_an_error_with_a_way_out() -> None:
    images = Images(150)
    images.pictures[:] = images.pictures[0]
    with pytest.raises(DatasetError, match=r"fewer than 101 .* different.*--warm-start 0"):
        principal_components(images, seed=0)


def test_progress_may_stop_it(images: Images) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        principal_components(images, seed=0, progress=stop)


def test_the_basis_comes_back_from_a_checkpoint(images: Images, found: PrincipalComponents) -> None:
    again = PrincipalComponents.from_tensors(found.tensors())
    assert again.codes(images.pictures).tobytes() == found.codes(images.pictures).tobytes()
    assert again.explained == pytest.approx(found.explained)


def test_the_learning_rate_falls_along_a_cosine_to_5_percent() -> None:
    rates = [warm_start.learning_rate(step, 1000) for step in range(1001)]
    assert rates[0] == pytest.approx(2e-3)
    assert rates[500] == pytest.approx(1.05e-3)
    assert rates[1000] == pytest.approx(1e-4)
    assert all(a > b for a, b in itertools.pairwise(rates))
