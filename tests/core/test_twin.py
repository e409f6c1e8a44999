# SPDX-License-Identifier: GPL-3.0-or-later
"""Both networks and a whole training step against the same thing written in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from ffgan import _core

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[oracle]'")
F = torch.nn.functional

EPS = 1e-4
INPUT_SCALE = 255.0 / 256.0

pytestmark = pytest.mark.slow

# (stride, padding) of each convolution, from the tables.
GENERATOR = [(1, 0), (3, 1), (2, 1), (2, 1), (2, 1), (2, 0)]
PROGRAM = [(2, 0), (2, 1), (2, 1), (3, 1), (2, 1), (1, 0)]
TABLE = [(1, 0), (2, 1), (1, 0), (2, 1), (2, 1), (2, 1)]


@pytest.fixture(scope="module", autouse=True)
def double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def tensors(
    parameters: dict[str, np.ndarray], dtype: type[np.floating] = np.float64
) -> dict[str, torch.Tensor]:
    return {
        name: torch.tensor(array.astype(dtype), requires_grad=".running_" not in name)
        for name, array in parameters.items()
    }


def norm(p: dict[str, torch.Tensor], i: int, x: torch.Tensor, training: bool) -> torch.Tensor:
    return F.batch_norm(
        x,
        None if training else p[f"norm{i}.running_mean"],
        None if training else p[f"norm{i}.running_var"],
        p[f"norm{i}.weight"],
        p[f"norm{i}.bias"],
        training=training,
        eps=EPS,
    )


def generate(p: dict[str, torch.Tensor], z: torch.Tensor, training: bool) -> torch.Tensor:
    x = z[:, :, None, None]
    for i, (stride, padding) in enumerate(GENERATOR, start=1):
        bias = p.get(f"conv{i}.bias")
        x = F.conv_transpose2d(x, p[f"conv{i}.weight"], bias, stride, padding)
        if i < 6:
            x = F.relu(norm(p, i, x, training))
    return torch.sigmoid(x)


def judge(
    network: str, p: dict[str, torch.Tensor], x: torch.Tensor, training: bool, keep: float
) -> torch.Tensor:
    """``keep`` scales what a dropout layer passes on: 1 - rate at inference."""
    table = network == "table"
    for i, (stride, padding) in enumerate(TABLE if table else PROGRAM, start=1):
        x = F.conv2d(x, p[f"conv{i}.weight"], p.get(f"conv{i}.bias"), stride, padding)
        if table:
            x = norm(p, i, F.leaky_relu(x, 0.2), training) * keep
        elif i < 6:
            x = F.leaky_relu(x if i == 1 else norm(p, i, x, training), 0.2) * keep
    return (x.flatten(1) @ p["fc.weight"].T + p["fc.bias"])[:, 0]


def images_as_input(images: np.ndarray, dtype: type[np.floating] = np.float64) -> torch.Tensor:
    return torch.tensor((images.transpose(0, 3, 1, 2) / 256).astype(dtype))


def blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian of three deviations' reach; beyond its edge an image goes on mirrored."""
    if sigma == 0:
        return x
    reach = math.ceil(3 * sigma)
    i = np.arange(-reach, reach + 1)
    weights = torch.tensor(np.exp(-0.5 * (i / sigma) ** 2), dtype=x.dtype)
    index = np.pad(np.arange(162), reach, mode="symmetric")
    for axis in (2, 3):
        wider = x.index_select(axis, torch.tensor(index))
        views = [wider.narrow(axis, k, 162) * w for k, w in enumerate(weights / weights.sum())]
        x = torch.stack(views).sum(0)
    return x


def derivatives(of: torch.Tensor, p: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """The gradients of a scalar with respect to what is learnt of these parameters."""
    learned = [key for key in p if p[key].requires_grad]
    found = torch.autograd.grad(of, [p[key] for key in learned], retain_graph=True)
    return {key: gradient.numpy() for key, gradient in zip(learned, found, strict=True)}


def by_layer(gradients: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A layer's weights and biases together, as dlib holds them."""
    layers: dict[str, list[np.ndarray]] = {}
    for name in sorted(gradients):
        layers.setdefault(name.rpartition(".")[0], []).append(gradients[name].ravel())
    return {layer: np.concatenate(parts) for layer, parts in layers.items()}


def a_batch(n: int, which: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(n + 1000 * which)
    blocks = np.kron(random.uniform(20, 235, (n, 6, 6, 3)), np.ones((1, 27, 27, 1)))
    images = blocks + random.uniform(-20, 20, blocks.shape)
    return images.astype(np.uint8), random.standard_normal((n, 100)).astype(np.float32)


def shaken(trainer: _core.Trainer) -> _core.Trainer:
    """Norms and biases away from the ones and zeros they start at."""
    random = np.random.default_rng(7)
    for network in ("generator", "averaged", "discriminator"):
        parameters = trainer.parameters(network)  # type: ignore[arg-type]
        for array in parameters.values():
            if array.ndim == 1:
                array += random.uniform(-0.3, 0.3, array.shape).astype(np.float32)
        trainer.set_parameters(network, parameters)  # type: ignore[arg-type]
    return trainer


def relative_error(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), 1e-9))


def test_the_generator_renders_what_pytorch_renders() -> None:
    parameters = shaken(_core.Trainer(seed=1)).parameters("averaged")
    _, z = a_batch(3)
    ours = _core.Generator(parameters).generate_float(z)
    with torch.no_grad():
        theirs = generate(tensors(parameters), torch.tensor(z.astype(np.float64)), training=False)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("network", ["program", "table"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_discriminator_scores_as_pytorch_does(
    network: _core.DiscriminatorName, dropout: float
) -> None:
    parameters = shaken(_core.Trainer(seed=2, discriminator=network)).parameters("discriminator")
    images, _ = a_batch(3)
    ours = _core.Discriminator(network, parameters, dropout).score(images)
    with torch.no_grad():
        theirs = judge(
            network, tensors(parameters), images_as_input(images), False, 1 - dropout
        ).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("network", "loss", "smoothing", "batch", "sigma"),
    [
        ("program", "logistic", 0.0, 5, 0.0),
        ("program", "logistic", 0.1, 5, 0.0),
        ("program", "logistic", 0.0, 5, 1.3),
        ("program", "hinge", 0.0, 5, 0.0),
        ("table", "logistic", 0.0, 3, 0.0),
    ],
)
def test_a_whole_step_has_pytorchs_losses_and_gradients(
    network: _core.DiscriminatorName, loss: str, smoothing: float, batch: int, sigma: float
) -> None:
    tiny = 1e-12  # the updates between the passes must not matter here

    def make() -> _core.Trainer:
        trainer = shaken(
            _core.Trainer(
                seed=3,
                discriminator=network,
                loss=loss,
                label_smoothing=smoothing,
                dropout=0.0,
                learning_rate_g=tiny,
                learning_rate_d=tiny,
                joint_update=True,
            )
        )
        trainer.set_blur(sigma)
        return trainer

    def twin(
        images: np.ndarray, z: np.ndarray, dtype: type[np.floating]
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        start = make()
        g = tensors(start.parameters("generator"), dtype)
        d = tensors(start.parameters("discriminator"), dtype)
        fakes = generate(g, torch.tensor(z.astype(dtype)), training=True) * INPUT_SCALE
        x = images_as_input(images, dtype)
        real_scores = judge(network, d, blurred(x, sigma), True, 1.0)
        fake_scores = judge(network, d, blurred(fakes, sigma), True, 1.0)
        if loss == "hinge":
            loss_d = F.relu(1 - real_scores).mean() + F.relu(1 + fake_scores).mean()
            loss_g = -fake_scores.mean()
        else:
            loss_d = (
                (1 - smoothing) * F.softplus(-real_scores) + smoothing * F.softplus(real_scores)
            ).mean() + F.softplus(fake_scores).mean()
            loss_g = F.softplus(-fake_scores).mean()
        gradients = {}
        for name, of, p in (("d", loss_d, d), ("g", loss_g, g)):
            for key, gradient in derivatives(of, p).items():
                gradients[f"{name}.{key}"] = gradient
        measures = {
            "loss_d": loss_d.item(),
            "loss_g": loss_g.item(),
            "penalty": 0.0,
            "texture": 0.0,
            "anchor": 0.0,
            "accuracy_real": (real_scores > 0).double().mean().item(),
            "accuracy_fake": (fake_scores < 0).double().mean().item(),
        }
        return measures, by_layer(gradients)

    def errors(which: int) -> tuple[float, float]:
        """The largest of a layer's gradient, ours and, unless ours is small, PyTorch's in
        single precision."""
        trainer, trainer_d = make(), make()
        images, z = a_batch(batch, which)
        result = trainer.step(images, z)
        trainer_d.step(images, z, update_generator=False)  # G's pass leaves gradients in D too
        measures, theirs = twin(images, z, np.float64)
        assert result == pytest.approx(measures, rel=1e-4)

        def largest(gradients: dict[str, np.ndarray]) -> float:
            return max(relative_error(gradients[layer], theirs[layer]) for layer in theirs)

        ours = largest(
            by_layer(
                {
                    **{f"d.{name}": a for name, a in trainer_d.gradients("discriminator").items()},
                    **{f"g.{name}": a for name, a in trainer.gradients("generator").items()},
                }
            )
        )
        return ours, largest(twin(images, z, np.float32)[1]) if ours >= 1e-3 else 0.0

    batches = [errors(0)]
    if batches[0][0] >= 1e-3:
        # Near 0 a ReLU's slope hangs on the last bit. PyTorch's own float32 tells what that
        # amounts to, and how many of them fall on the other side is chance: so three batches. In
        # none is it more than one or two of them.
        batches += [errors(1), errors(2)]
        ours, rounded = (np.median(of) for of in zip(*batches, strict=True))
        assert ours < max(1e-3, min(3 * rounded, 5e-3)), batches
        assert max(ours for ours, _ in batches) < 1e-2, batches


def counter_random(seed: int, stream: int, index: int) -> int:
    """splitmix64's element ``index`` of a stream of a seed, as base/random.h of the core has it."""
    gamma, top = 0x9E3779B97F4A7C15, (1 << 64) - 1

    def mix(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & top
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & top
        return z ^ (z >> 31)

    start = mix(mix((seed + gamma) & top) ^ (stream * gamma & top))
    return mix((start + (index + 1) * gamma) & top)


def signs(seed: int, step: int, count: int) -> np.ndarray:
    """The directions in which the gradient penalty of a step looks."""
    key = counter_random(counter_random(seed, 4, 3 * step), 2, 0)
    values = count * 3 * 162 * 162
    words = [counter_random(key, 0, i) for i in range((values + 63) // 64)]
    bits = np.unpackbits(np.array(words, "<u8").view(np.uint8), bitorder="little")[:values]
    return np.where(bits, 1.0, -1.0).reshape(count, 3, 162, 162)


@pytest.mark.parametrize(
    ("network", "loss", "smoothing", "penalty", "sigma"),
    [
        ("program", "logistic", 0.1, 0.0, 0.0),
        ("program", "logistic", 0.0, 0.3, 0.0),
        ("program", "relativistic", 0.0, 0.3, 0.0),
        ("program", "relativistic", 0.0, 0.0, 0.6),
        ("table", "logistic", 0.0, 0.3, 0.0),
    ],
)
def test_with_fixed_norms_one_pass_has_pytorchs_losses_and_gradients(
    network: _core.DiscriminatorName, loss: str, smoothing: float, penalty: float, sigma: float
) -> None:
    tiny, distance = 1e-12, 0.001
    trainer = shaken(
        _core.Trainer(
            seed=3,
            discriminator=network,
            loss=loss,
            label_smoothing=smoothing,
            dropout=0.0,
            learning_rate_g=tiny,
            learning_rate_d=tiny,
            discriminator_norm="fixed",
            gradient_penalty=penalty,
        )
    )
    trainer.set_blur(sigma)
    parameters_g = trainer.parameters("generator")
    parameters_d = trainer.parameters("discriminator")
    images, z = a_batch(5)
    result = trainer.step(images, z)
    after = trainer.parameters("discriminator")
    for name, values in parameters_d.items():
        if ".running_" in name:
            np.testing.assert_array_equal(after[name], values)

    g, d = tensors(parameters_g), tensors(parameters_d)
    fakes = generate(g, torch.tensor(z.astype(np.float64)), training=True) * INPUT_SCALE
    x, fakes = blurred(images_as_input(images), sigma), blurred(fakes, sigma)
    real, fake = judge(network, d, x, False, 1.0), judge(network, d, fakes, False, 1.0)
    if loss == "relativistic":
        loss_d, loss_g = F.softplus(fake - real).mean(), F.softplus(real - fake).mean()
    else:
        loss_d = (1 - smoothing) * F.softplus(-real) + smoothing * F.softplus(real)
        loss_d, loss_g = loss_d.mean() + F.softplus(fake).mean(), F.softplus(-fake).mean()
    boundary = (fake, real) if loss == "relativistic" else (0, 0)
    looked_at = 2  # every fourth of five, rounded up
    moved = x[:looked_at] + distance * torch.tensor(signs(3, 0, looked_at))
    slope = (judge(network, d, moved, False, 1.0) - real[:looked_at]) / distance
    paid = penalty / 2 * slope.square().mean()
    measures = {
        "loss_d": (loss_d + paid).item(),
        "loss_g": loss_g.item(),
        "penalty": paid.item(),
        "accuracy_real": (real > boundary[0]).double().mean().item(),
        "accuracy_fake": (fake < boundary[1]).double().mean().item(),
        "texture": 0.0,
        "anchor": 0.0,
    }
    # The penalty is a difference of two scores in float32, divided by a thousandth. Where PyTorch's
    # own, computed so, is not within half a hundredth either, ours may be off by a whole one.
    single = tensors(parameters_d, np.float32)
    ends = [judge(network, single, at.float(), False, 1.0) for at in (moved, x[:looked_at])]
    theirs_single = ((ends[0] - ends[1]) / distance).square().mean() / slope.square().mean()
    off = 1e-2 if abs(theirs_single.item() - 1) > 5e-3 else 5e-3
    assert result.pop("penalty") == pytest.approx(measures.pop("penalty"), rel=off, abs=1e-9)
    assert result == pytest.approx(measures, rel=1e-4, abs=1e-9)
    for name, of, p in (("discriminator", loss_d + paid, d), ("generator", loss_g, g)):
        theirs = by_layer(derivatives(of, p))
        ours = by_layer(trainer.gradients(name))  # type: ignore[arg-type]
        for layer in theirs:
            # Near 0 a ReLU's slope hangs on the last bit, which the penalty's difference magnifies.
            assert relative_error(ours[layer], theirs[layer]) < 1e-2, (name, layer)


def test_fixed_norms_take_the_statistics_of_the_first_batch() -> None:
    trainer = _core.Trainer(seed=5, dropout=0.0, discriminator_norm="fixed")
    g, d = tensors(trainer.parameters("generator")), tensors(trainer.parameters("discriminator"))
    images, z = a_batch(4)
    trainer.step(images, z)
    with torch.no_grad():
        fakes = generate(g, torch.tensor(z.astype(np.float64)), True) * INPUT_SCALE
        seen = torch.cat([images_as_input(images), fakes])
        x = F.conv2d(seen, d["conv1.weight"], d["conv1.bias"], 2)
        y = F.conv2d(F.leaky_relu(x, 0.2), d["conv2.weight"], None, 2, 1)
    after = trainer.parameters("discriminator")
    np.testing.assert_allclose(after["norm2.running_mean"], y.mean((0, 2, 3)), atol=1e-5)
    trainer.step(*a_batch(5))
    again = trainer.parameters("discriminator")
    np.testing.assert_array_equal(again["norm2.running_mean"], after["norm2.running_mean"])


def test_running_statistics_are_updated_once_per_batch() -> None:
    trainer = shaken(_core.Trainer(seed=4, dropout=0.0, learning_rate_d=1e-12))
    before = trainer.parameters("discriminator")
    g, d = tensors(trainer.parameters("generator")), tensors(before)
    images, z = a_batch(4)
    trainer.step(images, z)
    with torch.no_grad():
        fakes = generate(g, torch.tensor(z.astype(np.float64)), True) * INPUT_SCALE
        means = []
        for seen in (images_as_input(images), fakes):
            x = F.conv2d(seen, d["conv1.weight"], d["conv1.bias"], 2)
            y = F.conv2d(F.leaky_relu(x, 0.2), d["conv2.weight"], None, 2, 1)
            means.append(y.mean((0, 2, 3)).numpy())
    # dlib averages the batches so far: after the real and the fake one each weighs 1/2, and the
    # pass that teaches G adds nothing.
    after = trainer.parameters("discriminator")["norm2.running_mean"]
    np.testing.assert_allclose(after, (means[0] + means[1]) / 2, atol=1e-5)


def test_adam_moves_the_generator_as_pytorchs_does() -> None:
    rate = 1e-3
    trainer = _core.Trainer(seed=6, dropout=0.0, learning_rate_g=rate)
    before = trainer.parameters("generator")
    parameter = torch.tensor(before["conv4.weight"].astype(np.float64), requires_grad=True)
    adam = torch.optim.Adam([parameter], lr=rate, betas=(0.5, 0.999))
    for k in range(3):
        images, z = a_batch(4 + k)
        trainer.step(images, z)
        # dlib adds epsilon before the second moment's bias is corrected (Kingma and Ba, section
        # 2), PyTorch after it. Some of these gradients are small enough to tell.
        adam.param_groups[0]["eps"] = 1e-8 / math.sqrt(1 - 0.999 ** (k + 1))
        parameter.grad = torch.tensor(trainer.gradients("generator")["conv4.weight"].astype(float))
        adam.step()
    moved = trainer.parameters("generator")["conv4.weight"] - before["conv4.weight"]
    expected = parameter.detach().numpy() - before["conv4.weight"]
    assert relative_error(moved, expected) < 1e-5


def test_smooth_upsampling_makes_resize_convolutions_of_the_doubling_layers() -> None:
    trainers = [_core.Trainer(seed=4, smooth_upsampling=share) for share in (0.0, 1.0)]
    batch = a_batch(3)
    for trainer in trainers:
        trainer.step(*batch)
    free, smooth = (tensors(trainer.parameters("generator")) for trainer in trainers)
    for name in ("conv1.weight", "conv2.weight", "conv6.bias", "norm3.weight"):
        assert torch.equal(free[name], smooth[name])
    x = torch.randn(2, 1, 5, 6, generator=torch.Generator().manual_seed(1))
    for i in range(3, 7):
        # A 4x4 kernel of nearest neighbours and a 3x3 kernel is the sum of four shifted ones.
        kernels, k3 = smooth[f"conv{i}.weight"].detach(), torch.zeros(9, 3, 3)
        k3.view(9, 9).fill_diagonal_(1.0)
        basis = F.conv_transpose2d(k3[:, None], torch.ones(1, 1, 2, 2)).reshape(9, 16)
        flat = kernels.reshape(-1, 16)
        small = torch.linalg.lstsq(basis.T, flat.T).solution
        assert (basis.T @ small - flat.T).abs().max() < 1e-6
        # It is the nearest of them: what was taken away is at right angles to all of them.
        assert (
            (free[f"conv{i}.weight"].detach().reshape(-1, 16) - flat) @ basis.T
        ).abs().max() < 1e-6
        enlarged = F.interpolate(x, scale_factor=2, mode="nearest")
        ours = F.conv_transpose2d(x, kernels[:1, :1], stride=2, padding=1)
        # Correlation, as PyTorch's convolution is, takes the kernel turned round.
        theirs = F.conv2d(enlarged, small[:, 0].view(1, 1, 3, 3).flip(2, 3), padding=1)
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_smooth_upsampling_removes_the_share_it_is_given() -> None:
    alternating = torch.tensor([1.0, -1.0, 1.0, -1.0])
    parts = []
    for share in (0.0, 0.25):
        trainer = _core.Trainer(seed=4, smooth_upsampling=share)
        trainer.step(*a_batch(3))
        kernels = tensors(trainer.parameters("generator"))["conv4.weight"].detach()
        parts.append(kernels.sum(2) @ alternating)  # only along rows: the sum over them is flat
    torch.testing.assert_close(parts[1], 0.75 * parts[0], atol=1e-6, rtol=1e-5)
