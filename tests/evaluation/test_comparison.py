# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the figures where images are spoilt, repeated, darker, or without faces."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from support.evaluation import measured

from ffgan import evaluation, faces
from ffgan.errors import UsageError
from ffgan.evaluation import Measured, demographics, measurement, metrics
from ffgan.typing import RGB

COUNT = 48


def blurred(images: RGB) -> RGB:
    return np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in images])


def noisy(images: RGB) -> RGB:
    noise = np.random.default_rng(0).normal(0, 30, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def test_a_set_beside_itself_is_perfect(good: Measured) -> None:
    figures = evaluation.compare(good, good)
    assert figures["frechet_distance"] < 1e-6
    assert figures["kernel_distance"]["value"] < 1e-6
    assert figures["precision"] == figures["recall"] == 1
    assert set(figures["sliced_wasserstein"].values()) == {0.0}
    assert figures["sharpness"]["ratio"] == 1
    for by_side in figures["borders"]["ratio"].values():
        assert all(ratios == [1, 1, 1] for ratios in by_side.values())
    for figure in ("faces_found", "identities"):
        assert figures[figure]["samples"] == figures[figure]["real"]


@pytest.mark.parametrize("spoil", [blurred, noisy])
def test_what_spoils_the_images_spoils_the_figures(
    people: RGB, good: Measured, real: Measured, spoil: Any
) -> None:
    before = evaluation.compare(good, real)
    after = evaluation.compare(measured(spoil(people[:COUNT])), real)
    assert after["frechet_distance"] > 1.5 * before["frechet_distance"]
    worse = after["kernel_distance"]["value"] - before["kernel_distance"]["value"]
    assert worse > 3 * after["kernel_distance"]["standard_error"]
    assert after["precision"] < before["precision"]
    for level in ("162", "mean"):
        assert after["sliced_wasserstein"][level] > 1.5 * before["sliced_wasserstein"][level]
    off = [abs(np.log(figures["sharpness"]["ratio"])) for figures in (before, after)]
    assert off[1] > off[0] + 0.5


def test_few_faces_again_and_again_cost_recall_and_identities(
    people: RGB, good: Measured, real: Measured
) -> None:
    before = evaluation.compare(good, real)
    after = evaluation.compare(measured(np.repeat(people[:4], COUNT // 4, axis=0)), real)
    assert after["recall"] < 0.5 * before["recall"]
    assert after["frechet_distance"] > 1.2 * before["frechet_distance"]
    one, other = (figures["identities"]["samples"] for figures in (before, after))
    assert other["mean"] < one["mean"]
    repeated = (COUNT // 4 - 1) / (COUNT - 1)  # the share of pairs that are one face twice
    four = metrics.spread(measured(people[:4]).outputs.embeddings, faces.SAME_PERSON).below
    assert other["below"] == pytest.approx(repeated + (1 - repeated) * four)


def test_darker_pictures_count_as_darker_skin(people: RGB, good: Measured) -> None:
    found = evaluation.compare(measured((people[:COUNT] * 0.6).astype(np.uint8)), good)["groups"]
    for side in found.values():
        assert sum(side[name] for name in demographics.TONES) == pytest.approx(1)
    darker, lighter = (side["brown"] + side["dark"] for side in (found["samples"], found["real"]))
    assert darker > lighter + 0.3


def test_pictures_without_faces_are_counted(people: RGB) -> None:
    half = people[:COUNT].copy()
    half[::2] = 128
    figures = evaluation.compare(measured(half, "faces"), measured(people[COUNT:], "faces"))
    assert figures["faces_found"]["samples"] <= 0.5
    assert figures["faces_found"]["real"] > 0.9


@pytest.mark.slow
def test_quick_agrees_with_the_long_way(people: RGB, good: Measured, real: Measured) -> None:
    samples = people[:COUNT]
    long = evaluation.compare(good, real)
    for given in (people[COUNT:], evaluation.reference(people[COUNT:])):
        short = evaluation.quick(samples, given)
        assert short["frechet_distance"] == pytest.approx(long["frechet_distance"], rel=1e-5)
        assert short["kernel_distance"] == pytest.approx(long["kernel_distance"]["value"], rel=1e-4)
        assert short["kernel_distance_error"] > 0
        assert short["sharpness"] == pytest.approx(long["sharpness"]["ratio"], rel=1e-6)
    with pytest.raises(UsageError, match="5 images are too few: give at least 16"):
        evaluation.quick(samples[:5], samples)


@pytest.mark.slow
def test_all_patches_at_their_full_number(people: RGB) -> None:
    one = measured(people[:COUNT], "faces", measurement.PATCHES)
    other = measured(people[COUNT:], "faces", measurement.PATCHES)
    assert {side: len(some) for side, some in one.patches.items()} == dict.fromkeys(
        (162, 81, 41, 21), 65536
    )
    fine = evaluation.compare(one, other)["sliced_wasserstein"]
    assert all(0 < distance < 100 for distance in fine.values())
