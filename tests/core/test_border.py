# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences near an image's sides: by their definition, derived, remembered, and trained."""

from __future__ import annotations

import numpy as np
import pytest
from support.batches import random_images, random_latents

from ffgan import _core
from ffgan._core import _testing
from ffgan.typing import Float32, UInt8

E = 1 / 255


def border_distance(fakes: Float32, real: UInt8) -> tuple[float, Float32]:
    return _testing.generator_loss("border", fakes, real)  # type: ignore[no-any-return]


def by_definition(fakes: Float32, real: Float32) -> float:
    def means(images: Float32) -> np.ndarray:
        def mean(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
            return float((np.sqrt(np.square(a - b) + E * E) - E).mean()), float((a - b).mean())

        rgb_to_ycbcr = [
            [0.299, 0.587, 0.114],
            [-0.168736, -0.331264, 0.5],
            [0.5, -0.418688, -0.081312],
        ]
        x = np.einsum("ck,nkij->cnij", rgb_to_ycbcr, images.astype(np.float64))
        of_sides = []
        for side in (x, x[:, :, ::-1], x.transpose(0, 1, 3, 2), x[..., ::-1].transpose(0, 1, 3, 2)):
            for p in range(8):
                row = side[:, :, p]
                for channel in range(3):
                    of_sides += [
                        mean(side[channel, :, p + 1], row[channel]),
                        mean(row[channel, ..., 1:], row[channel, ..., :-1]),
                    ]
        return np.array(of_sides)

    wanted = means(real)
    return float(np.square((means(fakes) - wanted) / (wanted[:, :1] + E)).sum(axis=1).mean())


def test_the_border_distance_is_what_its_definition_says_and_derived_as_differences_say() -> None:
    random = np.random.default_rng(4)
    real = random_images(2)
    x = random.random((2, 3, 162, 162), dtype=np.float32)
    x[:, :, :2, 40:] *= 0.5
    distance, gradient = border_distance(x, real)
    planes = np.float32(real.transpose(0, 3, 1, 2)) / 255
    assert distance == pytest.approx(by_definition(x, planes), rel=1e-5)
    assert not gradient[:, :, 9:-9, 9:-9].any()
    for _ in range(3):
        direction = np.sign(gradient) * random.random(x.shape, dtype=np.float32)
        ahead, behind = (border_distance(x + step * direction, real)[0] for step in (1e-4, -1e-4))
        expected = float(np.vdot(gradient.astype(np.float64), direction))
        assert (ahead - behind) / 2e-4 == pytest.approx(expected, rel=1e-3)


def test_images_like_the_real_ones_have_no_border_distance_and_a_frame_has_one() -> None:
    real = random_images(2)
    fakes = np.ascontiguousarray(real.transpose(0, 3, 1, 2), np.float32) / 255
    assert border_distance(fakes, real)[0] == pytest.approx(0, abs=1e-9)
    framed = fakes.copy()
    framed[:, :, :, 0] = 0.5
    assert border_distance(framed, real)[0] > 0.01
    edged = np.full_like(real, 128)
    lighter, darker = edged.copy(), edged.copy()
    lighter[:, 0], darker[:, 0] = 138, 118
    either = np.concatenate([lighter, darker])
    twice = np.concatenate([darker, darker]).transpose(0, 3, 1, 2)
    always = np.ascontiguousarray(twice, np.float32) / 255
    assert border_distance(always, either)[0] > 0.003  # as different a row, always darker: a line
    flat = np.zeros_like(real)  # no differences at all: nothing is divided by nothing
    assert border_distance(np.zeros_like(fakes), flat)[0] == 0
    assert np.isfinite(border_distance(fakes, flat)[0])


def test_the_border_weight_takes_a_frame_off() -> None:
    trainer = _core.Trainer(seed=2, adversarial_weight=0.0, border_weight=1.0, learning_rate_g=1e-3)
    z, real = random_latents(4), random_images(4)
    distances = [trainer.step(real, z)["border_distance"] for _ in range(10)]
    assert 0 < distances[-1] < 0.9 * distances[0]


@pytest.mark.parametrize("averages", [64, 192], ids=["of red, green and blue", "without signs"])
def test_averages_of_earlier_versions_begin_anew(averages: int) -> None:
    def trainer() -> _core.Trainer:
        return _core.Trainer(seed=2, adversarial_weight=0.0, border_weight=1.0)

    earlier, anew = trainer(), trainer()
    earlier.step(random_images(2, 0), random_latents(2, 0))
    state = earlier.state()
    own = [name for name in state if "border" in name]
    rest = {name: values for name, values in state.items() if name not in own}
    earlier.load_state(rest | {name: state[name][:averages] for name in own})
    anew.load_state(rest)
    measured = [one.step(random_images(2, 1), random_latents(2, 1)) for one in (earlier, anew)]
    assert measured[0]["border_distance"] == measured[1]["border_distance"]
    with pytest.raises(ValueError, match="border"):
        anew.load_state(rest | {name: state[name][: averages + 1] for name in own})
