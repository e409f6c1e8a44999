# SPDX-License-Identifier: GPL-3.0-or-later
"""The losses: values by their definitions, derivatives by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray
from support.batches import random_images, random_latents

from ffgan import _core
from ffgan._core import _testing
from ffgan.typing import Float32

SMALL_BATCH = 4


@pytest.mark.parametrize("skip", [0, 2])
def test_the_pyramid_loss_is_derived_as_finite_differences_say(skip: int) -> None:
    random = np.random.default_rng(2)
    x, y = (random.random((2, 3, 21, 18), dtype=np.float32) for _ in range(2))
    loss, gradient = _testing.pyramid_loss(x, y, skip=skip)
    assert loss > 0 and _testing.pyramid_loss(x, x, skip=skip)[0] == 0
    for _ in range(5):
        direction = random.standard_normal(x.shape).astype(np.float32)
        step = 1e-4
        ahead = _testing.pyramid_loss(x + step * direction, y, skip=skip)[0]
        behind = _testing.pyramid_loss(x - step * direction, y, skip=skip)[0]
        assert (ahead - behind) / (2 * step) == pytest.approx(
            float(np.vdot(gradient, direction)), rel=2e-2, abs=2e-3
        )


def test_free_levels_compare_how_much_detail_there_is_not_which() -> None:
    random = np.random.default_rng(3)
    smooth = np.full((1, 3, 64, 64), 0.5, np.float32)
    noise = 0.2 * random.choice([-1.0, 1.0], (2, *smooth.shape)).astype(np.float32)
    one, other = smooth + noise[0], smooth + noise[1]
    alike = _testing.pyramid_loss(one, other, skip=2)[0]
    assert alike < 0.5 * _testing.pyramid_loss(one, smooth, skip=2)[0]
    assert alike < 0.5 * _testing.pyramid_loss(one, other)[0]
    with pytest.raises(ValueError, match="from 0 to 4"):
        _testing.pyramid_loss(one, other, skip=5)


def test_the_patch_distance_is_derived_as_finite_differences_say() -> None:
    random = np.random.default_rng(4)
    x, y = (random.random((3, 3, 34, 40), dtype=np.float32) for _ in range(2))
    distance, gradient = _testing.patch_distance(x, y, key=1)
    assert distance > 0
    assert _testing.patch_distance(x, x, key=1)[0] == 0
    assert _testing.patch_distance(x, y, key=1)[0] == distance
    assert _testing.patch_distance(x, y, key=2)[0] != distance
    step = 1e-4
    for _ in range(5):
        direction = random.standard_normal(x.shape).astype(np.float32)
        ahead = _testing.patch_distance(x + step * direction, y, key=1)[0]
        behind = _testing.patch_distance(x - step * direction, y, key=1)[0]
        assert (ahead - behind) / (2 * step) == pytest.approx(
            float(np.vdot(gradient, direction)), rel=5e-2, abs=5e-3
        )


def test_the_chroma_detail_is_what_opencv_says_and_derived_as_finite_differences_say() -> None:
    import cv2

    random = np.random.default_rng(6)
    x = random.random((3, 3, 34, 20), dtype=np.float32)
    detail, gradient = _testing.chroma_detail(x)
    lost = []
    for image in x.transpose(0, 2, 3, 1):
        # OpenCV's chroma is shifted and scaled; JFIF's is 0.5 / (1 - 0.299) (R - Y) and so on.
        y = image @ np.float32([0.299, 0.587, 0.114])
        for channel, weight in ((2, 0.5 / (1 - 0.114)), (0, 0.5 / (1 - 0.299))):
            plane = 255 * weight * (image[:, :, channel] - y)
            half = cv2.resize(plane, (10, 17), interpolation=cv2.INTER_AREA)
            lost.append(plane - cv2.resize(half, (20, 34), interpolation=cv2.INTER_LINEAR))
    assert detail == pytest.approx(float(np.mean(np.square(lost))), rel=1e-4)
    step = 1e-3
    for _ in range(5):
        direction = random.standard_normal(x.shape).astype(np.float32)
        ahead = _testing.chroma_detail(x + step * direction)[0]
        behind = _testing.chroma_detail(x - step * direction)[0]
        assert (ahead - behind) / (2 * step) == pytest.approx(
            float(np.vdot(gradient, direction)), rel=1e-3, abs=0.02
        )
    for shape in ((1, 3, 33, 20), (1, 3, 34, 19), (1, 1, 34, 20)):
        with pytest.raises(ValueError, match="even sides"):
            _testing.chroma_detail(np.zeros(shape, np.float32))


def test_grey_images_and_jpegs_have_next_to_no_chroma_detail() -> None:
    import cv2

    noise = np.random.default_rng(7).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    coded = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 100])[1]

    def detail(bgr: np.ndarray) -> float:
        planes = np.ascontiguousarray(bgr[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)
        return _testing.chroma_detail(planes / 255)[0]

    whole = detail(noise)
    assert detail(np.repeat(noise[:, :, :1], 3, 2)) < 1e-6 * whole
    assert detail(cv2.imdecode(coded, cv2.IMREAD_COLOR)) < 0.1 * whole


def test_the_grid_unevenness_is_what_its_definition_says_and_derived_as_differences_say() -> None:
    random = np.random.default_rng(8)
    x = random.random((3, 2, 13, 10), dtype=np.float32)
    x[:, :, ::4, ::2] *= 0.3
    unevenness, gradient = _testing.grid_unevenness(x)
    expected = 0.0
    for axis in (2, 3):
        squares = np.square(np.diff(x.astype(np.float64), axis=axis))
        cells = np.array([squares[:, :, i::4, j::4].mean() for i in range(4) for j in range(4)])
        expected += cells.var() / cells.mean() ** 2
    assert expected > 0.05
    assert unevenness == pytest.approx(expected, rel=1e-6)
    step = 1e-3
    for _ in range(5):
        direction = random.standard_normal(x.shape).astype(np.float32)
        ahead = _testing.grid_unevenness(x + step * direction)[0]
        behind = _testing.grid_unevenness(x - step * direction)[0]
        assert (ahead - behind) / (2 * step) == pytest.approx(
            float(np.vdot(gradient, direction)), rel=1e-3, abs=1e-4
        )
    flat = np.ones((1, 3, 8, 8), np.float32)
    unevenness, gradient = _testing.grid_unevenness(flat)
    assert unevenness == 0 and not gradient.any()
    with pytest.raises(ValueError, match="five by five"):
        _testing.grid_unevenness(np.zeros((1, 3, 4, 8), np.float32))


def test_enlarging_by_repetition_makes_a_grid_and_smoothing_does_not() -> None:
    small = np.random.default_rng(9).random((4, 3, 40, 40), dtype=np.float32)
    repeated = small.repeat(2, 2).repeat(2, 3)
    noise = np.random.default_rng(9).random(repeated.shape, dtype=np.float32)
    assert _testing.grid_unevenness(repeated)[0] == pytest.approx(2, rel=0.05)
    assert _testing.grid_unevenness(noise)[0] < 0.002


def test_the_grid_weight_takes_a_grid_off_that_real_images_have_not() -> None:
    trainer = _core.Trainer(seed=2, adversarial_weight=0.0, grid_weight=10.0, learning_rate_g=1e-3)
    z, noise = random_latents(SMALL_BATCH), random_images(SMALL_BATCH)
    excess = [trainer.step(noise, z)["grid_excess"] for _ in range(10)]
    assert 0 < excess[-1] < 0.8 * excess[0]
    grid = noise.copy()  # which is less even than the fakes: nothing to take off
    grid[:, ::2] = grid[:, 1::2]
    assert trainer.step(grid, z)["grid_excess"] < 0
    np.testing.assert_allclose(trainer.gradients("generator")["conv6.weight"], 0)
    assert "grid_excess" not in _core.Trainer(seed=2).step(noise, z)
    with pytest.raises(ValueError, match="grid_weight is below 0"):
        _core.Trainer(grid_weight=-1.0)


def test_the_chroma_weight_takes_detail_of_colour_off_that_real_images_have_not() -> None:
    trainer = _core.Trainer(seed=2, adversarial_weight=0.0, chroma_weight=1e4, learning_rate_g=1e-3)
    grey = np.repeat(random_images(SMALL_BATCH)[:, :, :, :1], 3, 3)
    z = random_latents(SMALL_BATCH)
    excess = [trainer.step(grey, z)["chroma_excess"] for _ in range(10)]
    assert 0 < excess[-1] < 0.8 * excess[0]
    colourful = random_images(SMALL_BATCH)  # which has more of it: nothing to take off
    assert trainer.step(colourful, z)["chroma_excess"] < 0
    np.testing.assert_allclose(trainer.gradients("generator")["conv6.weight"], 0)
    assert "chroma_excess" not in _core.Trainer(seed=2).step(grey, z)
    with pytest.raises(ValueError, match="chroma_weight is below 0"):
        _core.Trainer(chroma_weight=-1.0)


def test_the_patch_distance_does_not_ask_which_image_has_a_patch() -> None:
    images = np.random.default_rng(5).random((4, 3, 48, 48), dtype=np.float32)
    assert _testing.patch_distance(images, images[[2, 0, 3, 1]], key=1)[0] < 1e-9


def test_the_patch_distance_sees_blur_and_grids() -> None:
    import cv2

    random = np.random.default_rng(6)
    # Disks at random places: edges, and nothing that repeats.
    sets = np.zeros((2, 16, 64, 64, 3), np.float32)
    for image in sets.reshape(32, 64, 64, 3):
        for _ in range(12):
            place = tuple(int(v) for v in random.integers(0, 64, 2))
            cv2.circle(image, place, int(random.integers(3, 14)), random.random(3).tolist(), -1)

    def distance(changed: np.ndarray) -> float:
        planes = [np.ascontiguousarray(a.transpose(0, 3, 1, 2)) for a in (changed, sets[1])]
        return float(np.mean([_testing.patch_distance(*planes, key=k)[0] for k in range(4)]))

    blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 1.5) for image in sets[0]])
    grid = 0.15 * (np.indices((64, 64)).sum(0) % 2 - 0.5)[None, :, :, None]
    same = distance(sets[0])
    assert distance(blurred) > 1.1 * same
    assert distance((sets[0] + grid).astype(np.float32)) > 1.1 * same


def test_the_energy_distance_is_that_of_the_definition() -> None:
    """With the samples of the last steps, of which it remembers 512."""
    random = np.random.default_rng(4)
    size, count = 5, 100
    judge = _testing.EnergyDistance(size)
    all_real, all_fakes = np.empty((0, size)), np.empty((0, size))
    for _ in range(7):  # without fakes it remembers the real ones, and no more than ever
        real = random.standard_normal((count, size)).astype(np.float32)
        assert judge.step(real, np.empty((0, size), np.float32))[0] == 0
        all_real = np.concatenate([all_real[-512:], real])
    for _ in range(7):
        real = random.standard_normal((count, size)).astype(np.float32) * np.float32(3)
        fakes = (0.5 + random.standard_normal((count, size))).astype(np.float32)
        all_real = np.concatenate([all_real[-512:], real])
        all_fakes = np.concatenate([all_fakes[-512:], fakes])

        scale = all_real.std(axis=0) * np.sqrt(size)

        def away(
            x: Float32, y: NDArray[np.float64], scale: NDArray[np.float64] = scale
        ) -> NDArray[np.float64]:
            return (x[:, None].astype(np.float64) - y[None]) / scale

        distance = np.linalg.norm(away(fakes, all_real), axis=2).mean() * 2
        gradient = np.zeros((count, size))
        for x, y, factor in ((fakes, all_real, 2), (fakes, all_fakes, -1), (real, all_real, -1)):
            vectors = away(x, y)
            lengths = np.linalg.norm(vectors, axis=2)
            if factor < 0:  # a sample has no distance from itself
                distance -= lengths.sum() / count / (len(y) - 1)
                lengths[lengths == 0] = np.inf
            if x is fakes:
                others = len(y) if factor > 0 else len(y) - 1
                slopes = (vectors / lengths[:, :, None]).sum(axis=1) / others / scale
                gradient += 2 / count * (slopes if factor > 0 else -slopes)
        result = judge.step(real, fakes)
        assert result[0] == pytest.approx(distance, rel=1e-5)
        np.testing.assert_allclose(result[1], gradient, atol=1e-6)
    assert len(all_real) == len(all_fakes) == 612  # the last step counted all that it remembered
    with pytest.raises(ValueError, match=r"must have the shape \(n, size\)"):
        judge.step(real, fakes[:, :4].copy())


def test_descending_the_energy_distance_brings_the_missing() -> None:
    """Fakes that are all of the larger group spread over both, in their shares."""
    random = np.random.default_rng(6)

    def draw(count: int) -> Float32:
        rare = random.random((count, 1)) < 0.25
        return (4 * rare + 0.5 * random.standard_normal((count, 3))).astype(np.float32)

    def distance(samples: Float32) -> float:
        return _testing.EnergyDistance(3).step(draw(len(samples)), samples)[0]

    judge = _testing.EnergyDistance(3)
    fakes = 0.5 * random.standard_normal((64, 3)).astype(np.float32)
    assert distance(fakes) > 0.15
    for _ in range(1500):
        fakes -= 12 * judge.step(draw(64), fakes)[1]
    share = np.mean(fakes.mean(axis=1) > 2)
    assert 0.15 <= share <= 0.35
    assert np.mean([distance(fakes) for _ in range(20)]) < 0.02


def frechet_of_normals(x: Float32, y: Float32) -> float:
    """By the definition; each value in standard deviations of y, with the ridge of 0.001."""
    x, y = (a.astype(np.float64) / y.std(axis=0, dtype=np.float64) for a in (x, y))
    ridge = 1e-3 * np.eye(x.shape[1])
    a, b = (np.cov(samples.T, bias=True) + ridge for samples in (x, y))
    root = scipy.linalg.sqrtm(a @ b).real
    offset = x.mean(axis=0) - y.mean(axis=0)
    return (offset @ offset + np.trace(a + b - 2 * root)) / x.shape[1]


def correlated(random: np.random.Generator, count: int, size: int) -> tuple[Float32, Float32]:
    """Real samples and fakes: of other means and covariances."""
    mixing = random.standard_normal((2, size, size))
    real, fakes = (random.standard_normal((count, size)) @ one for one in mixing)
    return (3 * real + 1).astype(np.float32), fakes.astype(np.float32)


@pytest.mark.parametrize("count", [200, 7])
def test_the_frechet_distance_is_that_of_the_definition(count: int) -> None:
    """Of all samples so far, found anew in every sixteenth step."""
    random, size = np.random.default_rng(8), 6
    judge = _testing.FrechetDistance(size)
    real, fakes = correlated(random, count * 17, size)
    for k in range(17):
        rows = slice(k * count, (k + 1) * count)
        found, gradient = judge.step(real[rows], fakes[rows])
        if (k + 1) * count < 8 * size:
            assert found == 0 and not gradient.any()
    assert found == pytest.approx(frechet_of_normals(fakes, real), rel=2e-3)
    # The derivative is that of all samples that move alike: here, of the mean and the scale.
    for direction in (np.ones_like(fakes), fakes - fakes.mean(axis=0)):
        sides = [frechet_of_normals(fakes + step * direction, real) for step in (-1e-3, 1e-3)]
        slope = (sides[1] - sides[0]) / 2e-3
        if count == 200:
            assert (gradient * direction[rows]).sum() == pytest.approx(slope, rel=0.15)
    with pytest.raises(ValueError, match=r"must have the shape \(n, size\)"):
        judge.step(real, fakes[:, :4].copy())


def test_the_frechet_distance_of_many_values_is_that_of_their_first_components() -> None:
    """Of 160 values that lie near a subspace of 20 dimensions, hardly anything is left out."""
    random, size = np.random.default_rng(9), 160
    mixing = random.standard_normal((20, size))
    real, fakes = (
        (random.standard_normal((5000, 20)) * scale @ mixing).astype(np.float32)
        for scale in (1.0, np.linspace(0.5, 1, 20))
    )
    judge = _testing.FrechetDistance(size)
    for rows in np.split(np.arange(2048), 2):
        found, gradient = judge.step(real[rows], fakes[rows])
        if rows[0] == 0:
            assert found > 0
    assert found == pytest.approx(frechet_of_normals(fakes[:1024], real[:1024]), rel=0.02)
    # Each sample is drawn away from the mean, those of the narrowest direction most.
    inwards = np.einsum("ni,ni->n", gradient, fakes[rows] - fakes[rows].mean(axis=0))
    assert np.mean(inwards < 0) > 0.99


def test_descending_the_frechet_distance_spreads_what_is_too_much_alike() -> None:
    random, size = np.random.default_rng(10), 4
    real, fakes = correlated(random, 64 * 1500, size)
    judge, change = _testing.FrechetDistance(size), np.eye(size)
    offset = np.zeros(size)
    for k in range(1500):
        rows = slice(k * 64, (k + 1) * 64)
        moved = (fakes[rows] @ change + offset).astype(np.float32)
        gradient = judge.step(real[rows], moved)[1].astype(np.float64)
        change -= 0.02 * fakes[rows].T.astype(np.float64) @ gradient
        offset -= 0.02 * gradient.sum(axis=0)
    last = (fakes @ change + offset).astype(np.float32)
    assert frechet_of_normals(fakes, real) > 0.5
    assert frechet_of_normals(last, real) < 0.03
