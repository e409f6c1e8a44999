# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import cv2
import numpy as np
import pytest

from ffgan.errors import UsageError
from ffgan.extraction import Settings
from ffgan.extraction.quality import GREY, Appearance, appearance, fault
from ffgan.faces.pose import Pose

GOOD = Appearance(sharpness=2.3, light=130, contrast=35, colour=60)
FRONTAL = Pose(0, 0, 0)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """150 pixels with detail of every size, in the colours of skin."""
    random = np.random.default_rng(0)
    luma = np.zeros((150, 150), np.float32)
    for side, levels in ((5, 15), (10, 15), (25, 12), (50, 9), (150, 4)):
        noise = random.standard_normal((side, side)).astype(np.float32)
        luma += cv2.resize(noise, (150, 150), interpolation=cv2.INTER_CUBIC) * levels
    return np.clip(luma[..., None] * (1, 0.9, 0.8) + (160, 120, 100), 0, 255).astype(np.uint8)


def test_the_more_a_face_is_blurred_the_less_sharp_it_is(face: np.ndarray) -> None:
    values = [appearance(face).sharpness] + [
        appearance(cv2.GaussianBlur(face, (0, 0), sigma)).sharpness for sigma in (0.7, 1, 1.5, 2, 4)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > 2.1
    assert values[2] > Settings().min_sharpness > values[4]


def test_sharpness_does_not_depend_on_light_and_contrast(face: np.ndarray) -> None:
    flat = (face * 0.5 + 80).astype(np.uint8)
    assert appearance(flat).sharpness == pytest.approx(appearance(face).sharpness, rel=0.1)


def test_an_enlarged_face_is_less_sharp(face: np.ndarray) -> None:
    small = cv2.resize(face, (50, 50), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (150, 150), interpolation=cv2.INTER_LINEAR)
    assert appearance(large).sharpness < appearance(face).sharpness - 0.3


def test_light_contrast_and_colour_are_those_of_the_pixels() -> None:
    face = np.full((150, 150, 3), (200, 100, 50), np.uint8)
    assert appearance(face) == Appearance(0.0, 124.2, 0.0, 150.0)
    face[:, 75:] = 0
    half = appearance(face)
    assert half.light == pytest.approx(62.1)
    assert half.contrast == pytest.approx(62.1)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, ""),
        ({"side": 99.0}, "too small"),
        ({"outside": 0.02}, "cut by the border"),
        ({"pose": Pose(-40, 0, 0)}, "turned away"),
        ({"pose": Pose(0, 31, 0)}, "turned away"),
        ({"pose": Pose(0, 0, 90)}, ""),
        ({"appearance": GOOD._replace(sharpness=1.2)}, "blurred"),
        ({"appearance": GOOD._replace(light=30)}, "badly lit"),
        ({"appearance": GOOD._replace(light=230)}, "badly lit"),
        ({"appearance": GOOD._replace(contrast=5)}, "badly lit"),
        ({"appearance": GOOD._replace(colour=2)}, ""),
        ({"settings": Settings(grey=False), "appearance": GOOD._replace(colour=2)}, "grey"),
        ({"settings": Settings(min_size=300)}, "too small"),
        ({"side": 50.0, "appearance": GOOD._replace(light=5)}, "too small"),
    ],
)
def test_each_fault_has_its_reason(given: dict[str, object], reason: str) -> None:
    sound = {"side": 100.0, "outside": 0.0, "pose": FRONTAL, "appearance": GOOD,
             "settings": Settings()}  # fmt: skip
    assert fault(**(sound | given)) == reason  # type: ignore[arg-type]


@pytest.mark.parametrize("light", ["min_light", "max_light"])
def test_a_face_at_every_threshold_passes(light: str) -> None:
    limit = Settings(min_size=100, max_yaw=40, max_pitch=30, grey=False)
    seen = Appearance(limit.min_sharpness, getattr(limit, light), limit.min_contrast, GREY)
    pose = Pose(limit.max_yaw, -limit.max_pitch, 0)
    assert fault(limit.min_size, limit.max_outside, pose, seen, limit) == ""


def test_every_threshold_has_limits() -> None:
    thresholds = {name: about for name, about in Settings.about().items()
                  if name.startswith(("min_", "max_"))}  # fmt: skip
    assert len(thresholds) == 8
    for name, about in thresholds.items():
        for value in (-1, 100_001, float("nan")):
            with pytest.raises(UsageError, match=f"{about.flag} must be "):
                Settings(**{name: value})
        assert getattr(Settings(**{name: 1}), name) == 1
