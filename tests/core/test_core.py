# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension itself: shapes, errors, determinism, and derivatives against finite differences."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from ffgan import _core

SMALL_BATCH = 4


def random_latents(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 100)).astype(np.float32)


def random_images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 162, 162, 3), dtype=np.uint8)


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
    trainer = _core.Trainer(seed=3, **settings)  # type: ignore[arg-type]
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
        trainer = _core.Trainer(seed=2, learning_rate_g=1e-9, learning_rate_d=1e-9)
        images, z = random_images(SMALL_BATCH), random_latents(SMALL_BATCH)
        if not adversarial:
            trainer.reconstruct(z, images, 1e-9)
        elif anchored is None:
            trainer.step(images, z)
        else:
            trainer.step(images, z, anchor_images=images, anchor_weight=anchored)
        return trainer.gradients("generator")

    plain, both = gradients(None), gradients(30.0)
    alone = gradients(None, adversarial=False)
    for name, gradient in both.items():
        expected = plain[name] + 30 * alone[name]
        error = np.linalg.norm(gradient - expected) / np.linalg.norm(expected)
        assert error < 1e-4, name
        assert not np.array_equal(gradient, plain[name])


@pytest.mark.parametrize("network", ["program", "table"])
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
        _core.Trainer(**{setting: value})  # type: ignore[arg-type]


def test_a_blur_out_of_range_is_named() -> None:
    for sigma in (-0.1, 17.0, float("nan")):
        with pytest.raises(ValueError, match="blur"):
            _core.Trainer().set_blur(sigma)


def test_arguments_of_another_shape_or_type_are_refused(trained: _core.Trainer) -> None:
    generator = _core.Generator(trained.parameters("averaged"))
    with pytest.raises(ValueError, match=r"latents has not the shape \(n, 100\)"):
        generator.generate(np.zeros((2, 99), np.float32))
    with pytest.raises(TypeError):
        generator.generate(np.zeros((2, 100), np.float64))  # type: ignore[arg-type]
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


@pytest.mark.parametrize("policy", [{"colour": True}, {"translation": 7}, {"cutout": 9}, None])
def test_augmentation_and_its_adjoint_belong_together(policy: dict[str, int] | None) -> None:
    # For an affine map A x + b, <A dx, y> = <dx, A^T y> for all dx and y.
    settings = policy or {"colour": True, "translation": 7, "cutout": 9}
    random = np.random.default_rng(1)
    x, dx, y = (random.random((5, 3, 31, 31), dtype=np.float32) for _ in range(3))
    changed = _core.augment(x + dx, key=4, **settings) - _core.augment(x, key=4, **settings)
    back = _core.augment(y, key=4, adjoint=True, **settings)
    assert np.vdot(changed, y) == pytest.approx(np.vdot(dx, back), rel=1e-4)
    assert not np.array_equal(_core.augment(x, key=4, **settings), x)
    assert not np.array_equal(
        _core.augment(x, key=4, **settings), _core.augment(x, key=5, **settings)
    )


def test_translation_brings_in_grey_and_keeps_the_rest() -> None:
    x = np.random.default_rng(0).random((64, 3, 20, 20), dtype=np.float32) / 4
    moved = _core.augment(x, key=0, translation=6)
    for before, after in zip(x, moved, strict=True):
        kept = after[:, ~(after == 0.5).all(axis=(0, 2))][:, :, ~(after == 0.5).all(axis=(0, 1))]
        rows, columns = kept.shape[1:]
        assert rows >= 14 and columns >= 14
        windows = np.lib.stride_tricks.sliding_window_view(before, (3, rows, columns))
        assert (windows == kept).all(axis=(-3, -2, -1)).any()


@pytest.mark.parametrize("skip", [0, 2])
def test_the_pyramid_loss_is_derived_as_finite_differences_say(skip: int) -> None:
    random = np.random.default_rng(2)
    x, y = (random.random((2, 3, 21, 18), dtype=np.float32) for _ in range(2))
    loss, gradient = _core.pyramid_loss(x, y, skip=skip)
    assert loss > 0 and _core.pyramid_loss(x, x, skip=skip)[0] == 0
    for _ in range(5):
        direction = random.standard_normal(x.shape).astype(np.float32)
        step = 1e-4
        ahead = _core.pyramid_loss(x + step * direction, y, skip=skip)[0]
        behind = _core.pyramid_loss(x - step * direction, y, skip=skip)[0]
        assert (ahead - behind) / (2 * step) == pytest.approx(
            float(np.vdot(gradient, direction)), rel=2e-2, abs=2e-3
        )


def test_free_levels_compare_how_much_detail_there_is_not_which() -> None:
    random = np.random.default_rng(3)
    smooth = np.full((1, 3, 64, 64), 0.5, np.float32)
    noise = 0.2 * random.choice([-1.0, 1.0], (2, *smooth.shape)).astype(np.float32)
    one, other = smooth + noise[0], smooth + noise[1]
    alike = _core.pyramid_loss(one, other, skip=2)[0]
    assert alike < 0.5 * _core.pyramid_loss(one, smooth, skip=2)[0]
    assert alike < 0.5 * _core.pyramid_loss(one, other)[0]
    with pytest.raises(ValueError, match="from 0 to 4"):
        _core.pyramid_loss(one, other, skip=5)


def test_the_patch_distance_is_derived_as_finite_differences_say() -> None:
    random = np.random.default_rng(4)
    x, y = (random.random((3, 3, 34, 40), dtype=np.float32) for _ in range(2))
    distance, gradient = _core.patch_distance(x, y, key=1)
    assert distance > 0
    assert _core.patch_distance(x, x, key=1)[0] == 0
    assert _core.patch_distance(x, y, key=1)[0] == distance
    assert _core.patch_distance(x, y, key=2)[0] != distance
    step = 1e-4
    for _ in range(5):
        direction = random.standard_normal(x.shape).astype(np.float32)
        ahead = _core.patch_distance(x + step * direction, y, key=1)[0]
        behind = _core.patch_distance(x - step * direction, y, key=1)[0]
        assert (ahead - behind) / (2 * step) == pytest.approx(
            float(np.vdot(gradient, direction)), rel=5e-2, abs=5e-3
        )


def test_the_chroma_detail_is_what_opencv_says_and_derived_as_finite_differences_say() -> None:
    import cv2

    random = np.random.default_rng(6)
    x = random.random((3, 3, 34, 20), dtype=np.float32)
    detail, gradient = _core.chroma_detail(x)
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
        ahead = _core.chroma_detail(x + step * direction)[0]
        behind = _core.chroma_detail(x - step * direction)[0]
        assert (ahead - behind) / (2 * step) == pytest.approx(
            float(np.vdot(gradient, direction)), rel=1e-3, abs=0.02
        )
    for shape in ((1, 3, 33, 20), (1, 3, 34, 19), (1, 1, 34, 20)):
        with pytest.raises(ValueError, match="even sides"):
            _core.chroma_detail(np.zeros(shape, np.float32))


def test_grey_images_and_jpegs_have_next_to_no_chroma_detail() -> None:
    import cv2

    noise = np.random.default_rng(7).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    coded = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 100])[1]

    def detail(bgr: np.ndarray) -> float:
        planes = np.ascontiguousarray(bgr[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)
        return _core.chroma_detail(planes / 255)[0]

    whole = detail(noise)
    assert detail(np.repeat(noise[:, :, :1], 3, 2)) < 1e-6 * whole
    assert detail(cv2.imdecode(coded, cv2.IMREAD_COLOR)) < 0.1 * whole


def test_the_grid_unevenness_is_what_its_definition_says_and_derived_as_differences_say() -> None:
    random = np.random.default_rng(8)
    x = random.random((3, 2, 13, 10), dtype=np.float32)
    x[:, :, ::4, ::2] *= 0.3
    unevenness, gradient = _core.grid_unevenness(x)
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
        ahead = _core.grid_unevenness(x + step * direction)[0]
        behind = _core.grid_unevenness(x - step * direction)[0]
        assert (ahead - behind) / (2 * step) == pytest.approx(
            float(np.vdot(gradient, direction)), rel=1e-3, abs=1e-4
        )
    flat = np.ones((1, 3, 8, 8), np.float32)
    unevenness, gradient = _core.grid_unevenness(flat)
    assert unevenness == 0 and not gradient.any()
    with pytest.raises(ValueError, match="five by five"):
        _core.grid_unevenness(np.zeros((1, 3, 4, 8), np.float32))


def test_enlarging_by_repetition_makes_a_grid_and_smoothing_does_not() -> None:
    small = np.random.default_rng(9).random((4, 3, 40, 40), dtype=np.float32)
    repeated = small.repeat(2, 2).repeat(2, 3)
    noise = np.random.default_rng(9).random(repeated.shape, dtype=np.float32)
    assert _core.grid_unevenness(repeated)[0] == pytest.approx(2, rel=0.05)
    assert _core.grid_unevenness(noise)[0] < 0.002


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
    assert _core.patch_distance(images, images[[2, 0, 3, 1]], key=1)[0] < 1e-9


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
        return float(np.mean([_core.patch_distance(*planes, key=k)[0] for k in range(4)]))

    blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 1.5) for image in sets[0]])
    grid = 0.15 * (np.indices((64, 64)).sum(0) % 2 - 0.5)[None, :, :, None]
    same = distance(sets[0])
    assert distance(blurred) > 1.1 * same
    assert distance((sets[0] + grid).astype(np.float32)) > 1.1 * same


def test_without_an_adversary_the_discriminator_stays_as_it_is() -> None:
    trainer = _core.Trainer(seed=2, adversarial_weight=0.0, texture_weight=1.0)
    before = trainer.parameters("discriminator"), trainer.parameters("generator")
    images, z = random_images(SMALL_BATCH), random_latents(SMALL_BATCH)
    result = trainer.step(images, z, anchor_images=images[:2], anchor_weight=1.0)
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
