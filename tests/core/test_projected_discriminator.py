# SPDX-License-Identifier: GPL-3.0-or-later
"""The discriminators that see images through networks that others trained."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ffgan import _core
from ffgan._core import _testing
from ffgan.features import efficientnet
from ffgan.model import Model

Float32 = NDArray[np.float32]
PAIRS = 4
FROZEN = 1e-30  # a learning rate that leaves float32 parameters as they are


@pytest.fixture(params=["faces", "imagenet", pytest.param("enlarged", marks=pytest.mark.slow)])
def network(request: pytest.FixtureRequest) -> str | _core.Parameters:
    """What `_testing.ProjectedDiscriminator` sees through."""
    name = "recognition" if request.param == "faces" else request.param
    return request.getfixturevalue(name)  # type: ignore[no-any-return]


@pytest.fixture
def enlarged(imagenet: _core.Parameters) -> _core.Parameters:
    return {**imagenet, "side": np.array([efficientnet.SIDE], np.float32)}


@pytest.fixture(scope="module")
def images() -> Float32:
    """Faces as real images, and the same number of blotches as fakes.

    With some noise: over even areas the largest of several equal values has no derivative.
    """
    model = Model.load()
    real = model.render(model.latents(PAIRS, 5)).transpose(0, 3, 1, 2) / np.float32(256)
    random = np.random.default_rng(2)
    blotches = np.kron(random.random((PAIRS, 3, 18, 18)), np.ones((1, 1, 9, 9)))
    fakes = 0.8 * blotches + 0.1 * random.random(blotches.shape)
    return np.concatenate([real, fakes]).astype(np.float32)


@pytest.fixture
def threads() -> Iterator[None]:
    before = _core.engine()["threads"]
    yield
    _core.set_threads(before)


@pytest.mark.parametrize(
    "details",
    [pytest.param(0.0, marks=pytest.mark.slow), 0.5, pytest.param(1.0, marks=pytest.mark.slow)],
)
def test_the_gradient_is_that_of_the_generators_loss(
    network: str | _core.Parameters, images: Float32, details: float
) -> None:
    judge = _testing.ProjectedDiscriminator(network, details=details)
    heads = len(_testing.features(network, images[:1]))
    for key in range(3):
        judge.step(images, key=key, learning_rate=1e-3)
    gradient = judge.step(images, key=9, learning_rate=FROZEN)[-1]
    assert gradient.shape == (PAIRS, 3, 162, 162)
    # So small a step changes the loss by little, and by much beside the rounding of float32.
    for seed in range(3):
        random = np.random.default_rng(seed)
        coarse = random.standard_normal((PAIRS, 3, 9, 9))
        direction = np.kron(coarse, np.ones((1, 1, 18, 18))) + gradient / gradient.std()
        step = 2e-5

        def loss(sign: float, move: NDArray[np.float64] = step * direction) -> float:
            moved = images.copy()
            moved[PAIRS:] += (sign * move).astype(np.float32)
            whole, parts = judge.step(moved, key=9, learning_rate=FROZEN)[:2]
            return whole["loss_g"] + parts["loss_g"]

        # Each loss is the mean over the heads, the gradient that of their sum.
        slope = heads * (loss(1) - loss(-1)) / (2 * step)
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("details", [pytest.param(0.0, marks=pytest.mark.slow), 0.5])
@pytest.mark.parametrize("name", ["identities", "statistics", "pairs"])
def test_the_gradient_is_that_of_the_distances(
    network: str | _core.Parameters, images: Float32, name: str, details: float
) -> None:
    """Where no earlier samples count; with that of the heads it is a sum."""

    def judge(values: Float32, heads: float, weight: float) -> tuple[float, Float32]:
        fresh = _testing.ProjectedDiscriminator(network, details=details)
        weights = {"heads": heads, name: weight}
        result = fresh.step(values, key=1, learning_rate=FROZEN, paired=3, **weights)
        return result[2][name], result[3]

    alone = judge(images, 0.0, 1.0)[1]
    # The statistics' distance is a mean over the heads, and over both sets of them.
    per_set = 2 if name == "statistics" and details else 1
    for seed in range(3):
        coarse = np.random.default_rng(seed).standard_normal((PAIRS, 3, 9, 9))
        direction = np.kron(coarse, np.ones((1, 1, 18, 18))) + alone / alone.std()
        step = 2e-5 if isinstance(network, str) else 2e-6
        moved = [images.copy(), images.copy()]
        for sign, values in zip((1, -1), moved, strict=True):
            values[PAIRS:] += (sign * step * direction).astype(np.float32)
        there, back = (judge(values, 0.0, 1.0)[0] for values in moved)
        slope = per_set * (there - back) / (2 * step)
        assert slope == pytest.approx(float((alone * direction).sum()), rel=0.02)
    distance, heads_alone = judge(images, 1.0, 0.0)
    assert distance == 0  # where it does not count it is not measured
    both = judge(images, 2.0, 3.0)[1]
    np.testing.assert_allclose(
        both, 2 * heads_alone + 3 * alone, rtol=1e-3, atol=1e-4 * np.abs(both).max()
    )
    if name != "pairs":
        # Those that have an image of their own are left to it.
        fresh = _testing.ProjectedDiscriminator(network)
        free = fresh.step(
            images, key=1, learning_rate=FROZEN, heads=0.0, pairs=1e-30, paired=2, **{name: 1.0}
        )[3]
        assert np.abs(free[:2]).max() < 1e-20
        assert np.abs(free[2:]).max() > 1e-10
    else:
        assert np.abs(alone[:3]).max() > 0
        assert not alone[3:].any()  # the fourth fake is no image's
        same = images.copy()
        same[PAIRS : PAIRS + 3] = same[:3]
        distance, gradient = judge(same, 0.0, 1.0)
        assert distance < 1e-3
        assert not gradient.any()


@pytest.mark.slow
@pytest.mark.parametrize("network", ["faces", "imagenet"], indirect=True)
def test_the_gradient_is_that_of_the_frechet_distance(
    network: str | _core.Parameters, images: Float32
) -> None:
    """Of the statistics everywhere and at the border, at the finest scale, which has the fewest
    values and so is compared first. All that is remembered is the same batch, and moves with it."""
    fewest = 8 * 64  # samples that are compared

    def judge(values: Float32) -> tuple[float, Float32]:
        fresh = _testing.ProjectedDiscriminator(network)
        for step in range(fewest // PAIRS + 1):
            _, _, distances, gradient = fresh.step(
                values, key=step, learning_rate=FROZEN, heads=0.0, frechet=1.0
            )
            assert distances["frechet"] == 0 or step >= 8 * 48 // PAIRS - 1
        return distances["frechet"], gradient

    distance, alone = judge(images)
    assert distance > 0
    coarse = np.random.default_rng(0).standard_normal((PAIRS, 3, 9, 9))
    direction = np.kron(coarse, np.ones((1, 1, 18, 18))) + alone / alone.std()
    moved = [images.copy(), images.copy()]
    for sign, values in zip((1, -1), moved, strict=True):
        values[PAIRS:] += (sign * 1e-4 * direction).astype(np.float32)
    there, back = (judge(values)[0] for values in moved)
    assert (there - back) / 2e-4 == pytest.approx(float((alone * direction).sum()), rel=0.03)


@pytest.mark.slow
def test_it_learns_to_tell_faces_from_blotches(
    network: str | _core.Parameters, images: Float32
) -> None:
    judge = _testing.ProjectedDiscriminator(network)
    first = judge.step(images, key=0, learning_rate=1e-3)[0]
    for key in range(1, 20):
        last = judge.step(images, key=key, learning_rate=1e-3)[0]
    # It begins undecided, whatever the features.
    assert first["loss_d"] == pytest.approx(np.log(2), abs=0.1)
    assert last["loss_d"] < 0.2
    assert last["accuracy_real"] == last["accuracy_fake"] == 1
    assert last["loss_g"] > first["loss_g"]


def test_details_are_seen_where_they_are(network: str | _core.Parameters, images: Float32) -> None:
    """Of the first pairs a quarter is magnified; its gradient falls into that quarter."""
    plain, judge = (_testing.ProjectedDiscriminator(network, details=d) for d in (0.0, 0.5))
    for key in range(3):
        whole = plain.step(images, key=key, learning_rate=1e-3)
        both = judge.step(images, key=key, learning_rate=1e-3)
        added = np.abs(both[-1] - whole[-1]).sum(axis=1)
        assert added[PAIRS // 2 :].max() == 0
        for gradient in added[: PAIRS // 2]:
            rows, columns = (np.flatnonzero(gradient.max(axis=a)) for a in (1, 0))
            assert 70 <= np.ptp(rows) + 1 <= 81
            assert 70 <= np.ptp(columns) + 1 <= 81


def test_every_pair_counts_for_itself(network: str | _core.Parameters, images: Float32) -> None:
    judge = _testing.ProjectedDiscriminator(network)
    judge.step(images, key=0, learning_rate=1e-3)
    whole = judge.step(images, key=1, learning_rate=FROZEN)[-1]
    half = np.concatenate([images[:2], images[PAIRS : PAIRS + 2]])
    part = judge.step(half, key=1, learning_rate=FROZEN)[-1]
    np.testing.assert_allclose(part, 2 * whole[:2], rtol=1e-3, atol=1e-6 * np.abs(part).max())


def test_the_number_of_threads_changes_nothing_to_be_seen(
    network: str | _core.Parameters, images: Float32, threads: None
) -> None:
    gradients = []
    for count in (1, 2, 3):
        _core.set_threads(count)
        judge = _testing.ProjectedDiscriminator(network)
        gradients.append(judge.step(images, key=0, learning_rate=1e-3)[-1])
    for other in gradients[1:]:
        np.testing.assert_allclose(other, gradients[0], rtol=1e-3, atol=1e-5 * np.abs(other).max())


@pytest.mark.slow
def test_the_penalty_holds_the_heads_back(recognition: str, images: Float32) -> None:
    apart = {}
    for penalty in (0.0, 10.0):
        judge = _testing.ProjectedDiscriminator(recognition, penalty=penalty)
        for key in range(15):
            last = judge.step(images, key=key, learning_rate=1e-3)[0]
        apart[penalty] = last["loss_g"]
        assert (last["penalty"] > 0) == (penalty > 0)
    assert apart[10.0] < 0.8 * apart[0.0]


# --- The ImageNet network


@pytest.mark.parametrize("side", [162, pytest.param(224, marks=pytest.mark.slow)])
def test_its_features_are_those_of_the_definition(
    imagenet: _core.Parameters, images: Float32, side: int
) -> None:
    """By OpenCV's filters, one channel at a time; padding as TensorFlow's "SAME"."""

    def convolve(x: Float32, name: str, stride: int = 1, relu: bool = True) -> Float32:
        weight, bias = imagenet[f"{name}.weight"], imagenet[f"{name}.bias"]
        k, side = weight.shape[2], x.shape[1]
        if k > 1:
            padding = max((-(-side // stride) - 1) * stride + k - side, 0)
            around = (padding // 2, padding - padding // 2)
            x = np.pad(x, ((0, 0), around, around))
            places = slice(k // 2, x.shape[1] - (k - 1) // 2, stride)

            def plane(channel: Float32, kernel: Float32) -> Float32:
                return np.asarray(cv2.filter2D(channel, -1, kernel), np.float32)[places, places]

            if "depthwise" in name:
                y = np.stack([plane(x[c], weight[c, 0]) for c in range(len(x))])
            else:
                y = np.stack([sum(map(plane, x, kernels), np.float32(0)) for kernels in weight])
        else:
            y = np.einsum("oi,irc->orc", weight[:, :, 0, 0], x)
        y = y + bias[:, None, None]
        return np.clip(y, 0, 6) if relu else y

    def reference(image: Float32) -> list[Float32]:
        if side > len(image[0]):
            planes = (cv2.resize(x, (side, side), interpolation=cv2.INTER_CUBIC) for x in image)
            image = np.stack([*planes])
        x = convolve((256 * image - 127) / np.float32(128), "stem", 2)
        ends = []
        for number, stride in enumerate(efficientnet.LITE1.strides):
            if stride == 2 and x.shape[1] < 81:
                ends.append(x)
            y = convolve(x, f"block{number}.expand") if number else x
            y = convolve(y, f"block{number}.depthwise", stride)
            y = convolve(y, f"block{number}.project", relu=False)
            x = x + y if x.shape == y.shape else y
        return [*ends, x]

    some = images[[0, PAIRS]]  # a face and blotches
    found = _testing.features(imagenet | {"side": np.array([side], np.float32)}, some)
    sides = {162: (41, 21, 11, 6), 224: (56, 28, 14, 7)}[side]
    assert [f.shape[1:] for f in found] == [
        (channels, k, k) for channels, k in zip((24, 40, 112, 320), sides, strict=True)
    ]
    for number, image in enumerate(some):
        for one, other in zip(found, reference(image), strict=True):
            scale = np.abs(other).max()
            np.testing.assert_allclose(one[number], other, rtol=1e-3, atol=1e-4 * scale)


def test_a_damaged_imagenet_network_is_named(imagenet: _core.Parameters, images: Float32) -> None:
    def without(name: str) -> _core.Parameters:
        return {n: tensor for n, tensor in imagenet.items() if n != name}

    cut = imagenet["block7.depthwise.weight"][:-1]
    for damaged, message in (
        (without("block2.project.weight"), r"lacks 'block2\.project\.weight'"),
        (without("block5.depthwise.bias"), r"lacks 'block5\.depthwise\.bias'"),
        (without("strides"), "lacks 'strides'"),
        (imagenet | {"block7.depthwise.weight": cut}, r"block7\.depthwise\.weight.* shape"),
        (imagenet | {"strides": np.full(21, 3, np.float32)}, "is not 1 or 2"),
        (imagenet | {"strides": np.ones(21, np.float32)}, "no features of 41x41 or less"),
        (imagenet | {"side": np.full(1, 81, np.float32)}, "is not 162 to 648"),
        (without("head.bias"), r"lacks 'head\.bias'"),
        (imagenet | {"strides": imagenet["strides"][:-1]}, r"head\.weight.* shape"),
        (
            imagenet
            | {
                "strides": imagenet["strides"][:-1],
                "head.weight": imagenet["head.weight"][:, :192].copy(),
            },
            "no head for features of 6x6x192",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            _testing.ProjectedDiscriminator(damaged)
    with pytest.raises(ValueError, match="images"):
        _testing.features(imagenet, images[:, :, :80].copy())


# --- In the trainer
