# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension itself: shapes, errors, determinism, and derivatives against finite differences."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from support.batches import random_images, random_latents

from ffgan import _core

SMALL_BATCH = 4


@pytest.fixture(scope="module")
def trained() -> _core.Trainer:
    """A trainer a few steps away from its start, so that no norm or bias is at its default."""
    trainer = _core.Trainer(seed=5)
    for k in range(2):
        trainer.step(random_images(SMALL_BATCH, k), random_latents(SMALL_BATCH, k))
    trainer.estimate_statistics(random_latents(16, 9))
    return trainer


# The tables of the README that the project comes from, and of the original program.
GENERATOR = [(4, 4, 512), (10, 10, 256), (20, 20, 128), (40, 40, 128), (80, 80, 64), (162, 162, 3)]
PROGRAM = [
    (80, 80, 64),
    (40, 40, 128),
    (20, 20, 128),
    (7, 7, 256),
    (3, 3, 512),
    (3, 3, 3),
    (1, 1, 1),
]
TABLE = [
    (160, 160, 3),
    (80, 80, 512),
    (78, 78, 256),
    (39, 39, 128),
    (19, 19, 128),
    (9, 9, 64),
    (1, 1, 1),
]


@pytest.mark.parametrize(
    ("network", "shapes", "convolution_weights", "giga_multiply_adds"),
    [
        ("generator", GENERATOR, 2_919_424, 0.41),
        (
            "program",
            PROGRAM,
            64 * 48 + 128 * 1024 + 128 * 2048 + 256 * 1152 + 512 * 4096 + 1536,
            0.37,
        ),
        (
            "table",
            TABLE,
            3 * 27 + 512 * 48 + 256 * 4608 + 128 * 4096 + 128 * 2048 + 64 * 2048,
            8.2,
        ),
    ],
)
def test_networks_are_those_of_the_tables(
    network: _core.Network,
    shapes: list[tuple[int, int, int]],
    convolution_weights: int,
    giga_multiply_adds: float,
) -> None:
    rows = _core.layers(network)
    weighted = [row for row in rows if not row["name"].startswith("norm")]
    assert [row["shape"] for row in weighted] == shapes
    assert sum(row["multiply_adds"] for row in rows) / 1e9 == pytest.approx(
        giga_multiply_adds, abs=0.05
    )
    parameters = _core.parameter_shapes(network)
    weights = [s for name, s in parameters.items() if name.endswith(".weight") and len(s) == 4]
    assert sum(int(np.prod(shape)) for shape in weights) == convolution_weights
    learned = {k: v for k, v in parameters.items() if ".running_" not in k}
    assert sum(row["parameters"] for row in rows) == sum(int(np.prod(s)) for s in learned.values())


def test_only_the_layers_without_a_norm_right_behind_them_have_a_bias() -> None:
    def biased(network: _core.Network) -> set[str]:
        names = _core.parameter_shapes(network)
        return {name for name in names if name.endswith(".bias") and not name.startswith("norm")}

    assert biased("generator") == {"conv6.bias"}
    assert biased("program") == {"conv1.bias", "conv6.bias", "fc.bias"}
    assert biased("table") == {f"conv{i}.bias" for i in range(1, 7)} | {"fc.bias"}


def test_folding_the_norms_changes_nothing(trained: _core.Trainer) -> None:
    parameters = trained.parameters("averaged")
    neutral = dict(parameters)
    for i in range(1, 6):
        scale = parameters[f"norm{i}.weight"] / np.sqrt(parameters[f"norm{i}.running_var"] + 1e-4)
        neutral[f"conv{i}.weight"] = (
            parameters[f"conv{i}.weight"] * scale[None, :, None, None]
        ).astype(np.float32)
        neutral[f"norm{i}.bias"] = (
            parameters[f"norm{i}.bias"] - parameters[f"norm{i}.running_mean"] * scale
        ).astype(np.float32)
        neutral[f"norm{i}.weight"] = np.ones_like(scale)
        neutral[f"norm{i}.running_mean"] = np.zeros_like(scale)
        neutral[f"norm{i}.running_var"] = np.full_like(scale, 1 - 1e-4)
    z = random_latents(2)
    np.testing.assert_allclose(
        _core.Generator(parameters).generate_float(z),
        _core.Generator(neutral).generate_float(z),
        atol=1e-5,
    )


def test_a_face_depends_on_its_latent_alone(trained: _core.Trainer) -> None:
    generator = _core.Generator(trained.parameters("averaged"))
    discriminator = _core.Discriminator("program", trained.parameters("discriminator"), 0.5)
    z = random_latents(19)
    together = generator.generate(z)
    alone = np.concatenate([generator.generate(z[i : i + 1]) for i in range(len(z))])
    np.testing.assert_array_equal(together, alone)
    scores = discriminator.score(together)
    np.testing.assert_array_equal(
        scores, [discriminator.score(together[i : i + 1])[0] for i in range(len(z))]
    )
    assert len(np.unique(scores)) == len(z)


def test_many_threads_get_the_bytes_of_one(trained: _core.Trainer) -> None:
    generator = _core.Generator(trained.parameters("averaged"))
    z = random_latents(6)
    expected = generator.generate(z)
    results: list[np.ndarray | None] = [None] * 12

    def run(i: int) -> None:
        results[i] = generator.generate(z[i % 6 : i % 6 + 1])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, result in enumerate(results):
        assert result is not None
        np.testing.assert_array_equal(result[0], expected[i % 6])


def test_pixels_are_the_rounded_sigmoid(trained: _core.Trainer) -> None:
    generator = _core.Generator(trained.parameters("averaged"))
    z = random_latents(3)
    planes = generator.generate_float(z)
    pixels = np.floor(planes.transpose(0, 2, 3, 1) * np.float32(255) + np.float32(0.5))
    np.testing.assert_array_equal(generator.generate(z), pixels.astype(np.uint8))


def small_run(**settings: object) -> dict[str, np.ndarray]:
    trainer = _core.Trainer(seed=3, **settings)
    for k in range(2):
        trainer.step(random_images(SMALL_BATCH, k), random_latents(SMALL_BATCH, k))
    trainer.reconstruct(random_latents(2), random_images(2), 1e-3)
    return trainer.state()


def assert_equal_states(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_two_trainers_with_one_seed_produce_the_same_bytes() -> None:
    settings = {"colour": True, "translation": 8, "cutout": 40}
    assert_equal_states(small_run(**settings), small_run(**settings))


def test_a_loaded_state_goes_on_with_the_same_bytes() -> None:
    def steps(trainer: _core.Trainer, first: int, last: int) -> None:
        for k in range(first, last):
            trainer.step(random_images(SMALL_BATCH, k), random_latents(SMALL_BATCH, k))

    through = _core.Trainer(seed=8, translation=5)
    steps(through, 0, 2)
    state = through.state()
    resumed = _core.Trainer(seed=8, translation=5)
    resumed.load_state(state)
    assert resumed.steps == 2
    steps(through, 2, 4)
    steps(resumed, 2, 4)
    assert_equal_states(through.state(), resumed.state())


def test_an_anchor_adds_its_weighted_gradient() -> None:
    def gradients(anchored: float | None, adversarial: bool = True) -> dict[str, np.ndarray]:
        settings = {"seed": 2, "learning_rate_g": 1e-9, "learning_rate_d": 1e-9}
        trainer = _core.Trainer(**settings, anchor_weight=anchored or 0.0)
        images, z = random_images(SMALL_BATCH), random_latents(SMALL_BATCH)
        if not adversarial:
            trainer.reconstruct(z, images, 1e-9)
        elif anchored is None:
            trainer.step(images, z)
        else:
            trainer.step(images, z, anchored=len(images))
        return trainer.gradients("generator")

    plain, both = gradients(None), gradients(30.0)
    alone = gradients(None, adversarial=False)
    for name, gradient in both.items():
        expected = plain[name] + 30 * alone[name]
        error = np.linalg.norm(gradient - expected) / np.linalg.norm(expected)
        assert error < 1e-4, name
        assert not np.array_equal(gradient, plain[name])


@pytest.mark.parametrize("network", ["program", pytest.param("table", marks=pytest.mark.slow)])
def test_the_gradient_penalty_does_not_take_dropout_for_a_slope(
    network: _core.DiscriminatorName,
) -> None:
    def penalty(dropout: float) -> float:
        trainer = _core.Trainer(
            seed=3,
            discriminator=network,
            discriminator_norm="fixed",
            gradient_penalty=1.0,
            dropout=dropout,
        )
        return trainer.step(random_images(SMALL_BATCH), random_latents(SMALL_BATCH))["penalty"]

    # Noise of a thousandth is lost where other masks come on top: the difference would be theirs.
    assert 0 < penalty(0.5) < 100 * penalty(0.0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("dropout", 1.0),
        ("learning_rate_g", 0.0),
        ("beta1", 1.0),
        ("label_smoothing", -0.1),
        ("ema", 1.0),
        ("translation", 200),
        ("cutout", 163),
        ("loss", "wasserstein"),
        ("loss", "relativistic"),
        ("gradient_penalty", 1.0),
        ("smooth_upsampling", 1.5),
        ("discriminator_norm", "layer"),
        ("discriminator", "resnet"),
    ],
)
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=setting):
        _core.Trainer(**{setting: value})


def test_a_blur_out_of_range_is_named() -> None:
    for sigma in (-0.1, 17.0, float("nan")):
        with pytest.raises(ValueError, match="blur"):
            _core.Trainer().set_blur(sigma)


def test_arguments_of_another_shape_or_type_are_refused(trained: _core.Trainer) -> None:
    generator = _core.Generator(trained.parameters("averaged"))
    with pytest.raises(ValueError, match=r"latents has not the shape \(n, 100\)"):
        generator.generate(np.zeros((2, 99), np.float32))
    with pytest.raises(TypeError):
        generator.generate(np.zeros((2, 100), np.float64))
    with pytest.raises(ValueError, match="differ in number"):
        trained.step(random_images(3), random_latents(4))
    with pytest.raises(ValueError, match="at least two"):
        trained.step(random_images(1), random_latents(1))
    parameters = trained.parameters("averaged")
    parameters.pop("conv3.weight")
    with pytest.raises(ValueError, match=r"conv3\.weight"):
        _core.Generator(parameters)
    parameters["conv3.weight"] = np.zeros((1, 2, 3, 4), np.float32)
    with pytest.raises(ValueError, match=r"conv3\.weight.*another shape"):
        _core.Generator(parameters)


def test_no_face_is_asked_for(trained: _core.Trainer) -> None:
    generator = _core.Generator(trained.parameters("averaged"))
    assert generator.generate(np.zeros((0, 100), np.float32)).shape == (0, 162, 162, 3)


def test_without_an_adversary_the_discriminator_stays_as_it_is() -> None:
    trainer = _core.Trainer(seed=2, adversarial_weight=0.0, texture_weight=1.0, anchor_weight=1.0)
    before = trainer.parameters("discriminator"), trainer.parameters("generator")
    images, z = random_images(SMALL_BATCH), random_latents(SMALL_BATCH)
    result = trainer.step(images, z, anchored=2)
    assert result["loss_d"] == result["loss_g"] == 0
    assert result["texture"] > 0 and result["anchor"] > 0
    for name, array in trainer.parameters("discriminator").items():
        np.testing.assert_array_equal(array, before[0][name])
    moved = trainer.parameters("generator")["conv1.weight"] - before[1]["conv1.weight"]
    assert np.abs(moved).max() > 0


def test_the_engine_tells_what_runs() -> None:
    engine = _core.engine()
    assert engine["dlib"].split(".")[0].isdigit()
    assert engine["threads"] >= 1
    assert isinstance(engine["cuda"], bool)
    with pytest.raises(ValueError, match="thread"):
        _core.set_threads(0)
