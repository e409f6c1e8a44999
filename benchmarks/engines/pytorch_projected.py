# SPDX-License-Identifier: GPL-3.0-or-later
"""The training step of recipe `projected` in PyTorch: the same networks, losses and updates.

The frozen networks have their norms folded in, and only the fakes are traced through them; the real
images go without. A discriminator's one backward pass gives its own gradients and, times a ratio
for each image, the generator's, as in ffgan. Left out are what takes ffgan a hundredth of the step:
the losses of pixels (anchor, chroma, grid), the averaged generator and the smoothed kernels.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.engines.pytorch_networks import Generator, Trained
from benchmarks.measure import folding, recipe, workload
from benchmarks.measure.dlib_weights import LEVELS

MEAN = torch.tensor((122.782, 117.001, 104.298))[:, None, None] / 256
REMEMBERED = 512
SMALLEST_DEVIATION = 1e-3
SMALLEST_VARIANCE = 1e-10
MOST_ADVANTAGE = 30.0
PENALISED = 4  # one image in so many
GREY = 0.5 * workload.SIGMOID_SCALE

Tensors = dict[str, Tensor]


def tensors(arrays: workload.Parameters) -> Tensors:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


class PixelDiscriminator(Trained):
    """`program` with norms on fixed statistics."""

    def forward(self, x: Tensor) -> Tensor:
        for i, (stride, padding) in enumerate(folding.PROGRAM, start=1):
            x = F.conv2d(x, self.of(f"conv{i}_weight"), self.of(f"conv{i}_bias"), stride, padding)
            if self.of(f"norm{i}_weight") is not None:
                x = F.batch_norm(
                    x,
                    self.of(f"norm{i}_running_mean"),
                    self.of(f"norm{i}_running_var"),
                    self.of(f"norm{i}_weight"),
                    self.of(f"norm{i}_bias"),
                    eps=folding.EPS,
                )
            if i < len(folding.PROGRAM):
                x = F.leaky_relu(x, folding.LEAKY_SLOPE, inplace=True)
        return F.linear(x.flatten(1), self.of("fc_weight"), self.of("fc_bias"))[:, 0]


class Head(Trained):
    """Convolutions that halve the side, each with a leaky ReLU, and a fully connected layer."""

    def forward(self, x: Tensor) -> Tensor:
        for i in (1, 2, 3):
            weight = self.of(f"conv{i}_weight")
            if weight is None:
                break
            stride, padding = {4: (2, 1), 3: (1, 1), 1: (1, 0)}[weight.shape[-1]]
            x = F.conv2d(x, weight, self.of(f"conv{i}_bias"), stride, padding)
            x = F.leaky_relu(x, folding.LEAKY_SLOPE, inplace=True)
        return F.linear(x.flatten(1), self.of("fc_weight"), self.of("fc_bias"))[:, 0]


class FaceNetwork:
    """dlib's face recognition network: three feature maps and the embedding."""

    def __init__(self, weights: Tensors, layout: torch.memory_format) -> None:
        self.weights = laid_out(weights, layout)

    def convolve(self, x: Tensor, name: str, stride: int, padding: int) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.conv2d(x, weight, bias, stride, padding)

    def block(self, x: Tensor, name: str, halve: bool) -> Tensor:
        y = self.convolve(x, f"{name}.first", 2 if halve else 1, 0 if halve else 1)
        y = self.convolve(F.relu(y, inplace=True), f"{name}.second", 1, 1)
        if halve:
            x = F.avg_pool2d(x, 2)
            rows = x.shape[2] - y.shape[2]
            missing = y.shape[1] - x.shape[1]
            y = F.pad(y, (0, rows, 0, rows)) if rows > 0 else y
            x = F.pad(x, (0, -min(rows, 0), 0, -min(rows, 0), 0, missing))
        return F.relu(x + y, inplace=True)

    def __call__(self, images: Tensor) -> tuple[list[Tensor], Tensor | None]:
        x = F.relu(self.convolve(images - MEAN, "stem", 2, 0), inplace=True)
        x = F.max_pool2d(x, 3, 2)
        maps = []
        for level, (blocks, _) in enumerate(LEVELS):
            for number in range(blocks):
                x = self.block(x, f"level{level}.{number}", level > 0 and number == 0)
            maps.append(x)
        return maps[:3], F.linear(x.mean((2, 3)), self.weights["fc.weight"])


class ImagenetNetwork:
    """EfficientNet-Lite1: four feature maps, padded as TensorFlow's "SAME"."""

    def __init__(self, weights: Tensors, layout: torch.memory_format) -> None:
        self.strides = [int(stride) for stride in weights["strides"]]
        self.weights = laid_out(weights, layout)

    def convolve(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        side, kernel = x.shape[2], weight.shape[2]
        missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        if missing % 2:
            x = F.pad(x, (missing // 2, missing - missing // 2) * 2)
        groups = x.shape[1] if "depthwise" in name else 1
        return F.conv2d(x, weight, bias, stride, 0 if missing % 2 else missing // 2, 1, groups)

    def __call__(self, images: Tensor) -> tuple[list[Tensor], Tensor | None]:
        x = F.relu6(self.convolve((256 * images - 127) / 128, "stem", 2))
        maps = []
        for number, stride in enumerate(self.strides):
            if stride == 2 and x.shape[2] < 81:
                maps.append(x)
            y = F.relu6(self.convolve(x, f"block{number}.expand")) if number else x
            y = F.relu6(self.convolve(y, f"block{number}.depthwise", stride))
            y = self.convolve(y, f"block{number}.project")
            x = x + y if x.shape == y.shape else y
        return [*maps, x], None


def laid_out(weights: Tensors, layout: torch.memory_format) -> Tensors:
    return {
        name: value.contiguous(memory_format=layout) if value.ndim == 4 else value
        for name, value in weights.items()
    }


class EnergyDistance:
    """Between vectors of this step and those remembered of both kinds."""

    def __init__(self, state: Tensors, prefix: str) -> None:
        self.real, self.fakes = state[f"{prefix}real"], state[f"{prefix}fakes"]

    def __call__(self, real: Tensor, fakes: Tensor, paired: int) -> tuple[Tensor, Tensor, Tensor]:
        """The distance, what has its gradient, and the mean distance of the pairs."""
        free = fakes[paired:]
        self.real = torch.cat([self.real, real])
        self.fakes = torch.cat([self.fakes, free.detach()])
        squares = self.real.square().mean(0)
        variance = self.real.var(0, unbiased=False)
        factor = (1 / (variance * real.shape[1])).sqrt()
        factor = torch.where(variance > SMALLEST_VARIANCE * squares, factor, torch.zeros(()))

        def distances(x: Tensor, y: Tensor) -> Tensor:
            mode = "donot_use_mm_for_euclid_dist"
            return torch.cdist(x * factor, y * factor, compute_mode=mode)

        to_real = distances(free, self.real).mean()
        to_fakes = distances(free, self.fakes).sum(1).mean() / (len(self.fakes) - 1)
        among_real = distances(real, self.real).sum(1).mean() / (len(self.real) - 1)
        pairs = ((fakes[:paired] - real[:paired]) * factor).norm(dim=1).mean()
        self.real, self.fakes = self.real[-REMEMBERED:], self.fakes[-REMEMBERED:]
        return 2 * to_real - to_fakes - among_real, 2 * (to_real - to_fakes), pairs


def statistics(features: Tensor) -> Tensor:
    """The mean and the deviation of each channel, (n, 2 channels)."""
    mean = features.mean((2, 3))
    variance = features.var((2, 3), unbiased=False).clamp(min=0)
    return torch.cat([mean, (variance + SMALLEST_DEVIATION**2).sqrt()], 1)


def signs(like: Tensor) -> Tensor:
    return torch.randint(0, 2, like.shape, dtype=like.dtype) * 2 - 1


def judged(
    judge: nn.Module,
    solver: torch.optim.Optimizer,
    real: Tensor,
    fakes: Tensor,
    penalty: float,
    distance: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """An update of one discriminator: its loss, G's, and G's gradient by the fakes."""
    n = len(real)
    some = -(-n // PENALISED) if penalty > 0 else 0
    fakes = fakes.detach().requires_grad_(True)
    noisy = real[:some] + distance * signs(real[:some])
    scores = judge(torch.cat([real, fakes, noisy]))
    advantage = scores[n : 2 * n] - scores[:n]
    loss = F.softplus(advantage).mean()
    if some:
        change = (scores[2 * n :] - scores[:some]) / distance
        loss = loss + penalty / 2 * change.square().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    solver.step()
    solver.zero_grad(set_to_none=True)
    with torch.no_grad():
        bounded = advantage.clamp(-MOST_ADVANTAGE, MOST_ADVANTAGE)
        assert fakes.grad is not None
        gradient = fakes.grad * -torch.exp(-bounded)[:, None, None, None]
        return loss.detach(), F.softplus(-advantage).mean(), gradient


class Frozen:
    """A frozen network with its heads and distances."""

    def __init__(self, training: ProjectedTraining, name: str, network: Any, weight: float) -> None:
        self.training, self.network, self.weight = training, network, weight
        state, settings = training.state, training.settings
        self.heads, self.solvers, self.scales, self.distances = [], [], [], []
        while f"{name}.whole{len(self.heads) + 1}.scale" in state:
            prefix = f"{name}.whole{len(self.heads) + 1}."
            own = workload.with_prefix(prefix, training.arrays)
            head = Head({key: own[key] for key in own if key.startswith(("conv", "fc"))})
            head.to(memory_format=training.layout)  # type: ignore[call-overload]
            self.heads.append(head)
            self.solvers.append(training.adam(head, settings["learning_rate_d"]))
            self.scales.append(float(state[f"{prefix}scale"]))
            self.distances.append(EnergyDistance(state, f"{prefix}statistics."))
        embeds = f"{name}.identities.real" in state
        self.identities = EnergyDistance(state, f"{name}.identities.") if embeds else None

    def update(self, real: Tensor, fakes: Tensor) -> tuple[list[Tensor], Tensor]:
        """Measures (loss, identities, statistics, pairs), and the gradient by the fakes."""
        settings, paired = self.training.settings, recipe.ANCHORED
        with torch.no_grad():
            real_maps, real_embedding = self.network(real)
        traced = fakes.detach().requires_grad_(True)
        maps, embedding = self.network(traced)
        share = 1 / len(maps)
        loss, matching, pairs = torch.zeros(()), torch.zeros(()), torch.zeros(())
        identities = torch.zeros(())
        gradients = []
        for h, (of_real, of_fakes) in enumerate(zip(real_maps, maps, strict=True)):
            scaled = (of_fakes.detach() * self.scales[h]).requires_grad_(True)
            of_real = of_real * self.scales[h]
            between, for_fakes, of_pairs = self.distances[h](
                statistics(of_real), statistics(scaled), paired
            )
            wanted = settings["matching_weight"] * for_fakes
            wanted = share * (wanted + settings["perceptual_weight"] * of_pairs)
            wanted.backward()  # type: ignore[no-untyped-call]
            assert scaled.grad is not None
            one, _, gradient = judged(
                self.heads[h],
                self.solvers[h],
                of_real,
                scaled,
                settings["projected_penalty"],
                0.01,
            )
            gradients.append(self.scales[h] * (self.weight * gradient + scaled.grad))
            loss, matching = loss + share * one, matching + share * between.detach()
            pairs = pairs + share * of_pairs.detach()
        outputs = list(maps)
        if self.identities is not None:
            assert embedding is not None
            of_fakes = embedding.detach().requires_grad_(True)
            between, for_fakes, of_pairs = self.identities(real_embedding, of_fakes, paired)
            wanted = settings["identity_weight"] * for_fakes
            wanted = wanted + settings["perceptual_weight"] * of_pairs
            wanted.backward()  # type: ignore[no-untyped-call]
            identities, pairs = between.detach(), pairs + of_pairs.detach()
            outputs.append(embedding)
            gradients.append(of_fakes.grad)
        torch.autograd.backward(outputs, gradients)
        assert traced.grad is not None
        return [loss, identities, matching, pairs], traced.grad


class ProjectedTraining:
    """The networks with their solvers and the batch: `step` is one step of the recipe."""

    def __init__(self, engine: Any, batch: int) -> None:
        folder, self.layout = engine.folder, engine.layout
        self.settings = dict(recipe.recipe())
        self.arrays = workload.parameters(folder, "train-projected")
        self.state = tensors(self.arrays)
        self.g = Generator(workload.with_prefix("generator.", self.arrays))
        self.d = PixelDiscriminator(workload.with_prefix("discriminator.", self.arrays))
        for network in (self.g, self.d):
            network.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.solver_g = self.adam(self.g, self.settings["learning_rate_g"])
        self.solver_d = self.adam(self.d, self.settings["learning_rate_d"])
        faces = FaceNetwork(tensors(workload.parameters(folder, "recognition")), self.layout)
        imagenet = ImagenetNetwork(tensors(workload.parameters(folder, "imagenet")), self.layout)
        self.frozen = [
            Frozen(self, "projected", faces, self.settings["projected_weight"]),
            Frozen(self, "imagenet", imagenet, self.settings["imagenet_weight"]),
        ]
        real = torch.from_numpy(workload.planes(folder, batch))
        self.real = real.contiguous(memory_format=self.layout)
        self.latents = torch.from_numpy(workload.latents(folder, batch))

    def adam(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        betas = (0.5, self.settings["beta2"])
        return torch.optim.Adam(network.parameters(), rate, betas, fused=True)

    def moved(self, images: Tensor) -> Tensor:
        """Each moved by up to so many pixels in each direction."""
        most = self.settings["translation"]
        if most == 0:
            return images
        around = F.pad(images, (most,) * 4, value=GREY)
        places = torch.randint(0, 2 * most + 1, (len(images), 2)).tolist()
        side = images.shape[2]
        parts = [
            image[:, row : row + side, column : column + side]
            for image, (row, column) in zip(around, places, strict=True)
        ]
        return torch.stack(parts).contiguous(memory_format=self.layout)

    def step(self) -> list[Tensor]:
        """D's and G's loss of pixels, those of both networks, and the three distances."""
        fakes = self.moved(self.g(self.latents))
        real = self.moved(self.real)
        penalty = self.settings["gradient_penalty"]
        loss_d, loss_g, gradient = judged(self.d, self.solver_d, real, fakes, penalty, 0.001)
        faces, imagenet = (frozen.update(real, fakes) for frozen in self.frozen)
        gradient = gradient + faces[1] + imagenet[1]
        fakes.backward(self.settings["adversarial_weight"] * gradient)  # type: ignore[no-untyped-call]
        self.solver_g.step()
        self.solver_g.zero_grad(set_to_none=True)
        (of_faces, identities, *first), (of_imagenet, _, *second) = faces[0], imagenet[0]
        means = [(one + other) / 2 for one, other in zip(first, second, strict=True)]
        return [loss_d, loss_g, of_faces, of_imagenet, identities, *means]

    def first_losses(self) -> NDArray[Any]:
        """What a step measures without what is random in it."""
        kept = dict(self.settings)
        self.settings |= recipe.NOT_RANDOM
        losses = torch.stack(self.step()).numpy()
        self.settings |= kept
        return losses
