# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch on the CPU, each way it may be fastest.

contiguous, channels_last: eager, in that layout. bf16: parameters, input and all between are that,
the output is float32 again. compile: torch.compile, at inference with its
`freezing`, which lays out the weights beforehand as oneDNN wants them, and in training
channels_last.

Timed at inference: the folded network (benchmarks/folding.py) in torch.inference_mode, from a
float32 tensor that is there already to a new one. Timed in training: D on real images, D on G's
fakes, G through D, each forward, backward and Adam; float32 images are there already, D's weights
get no gradient in G's update, and Adam is the fused one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.engines.pytorch_networks import Generator, Trained
from benchmarks.engines.pytorch_projected import ProjectedTraining
from benchmarks.measure import folding, workload
from benchmarks.measure.computation import Computation
from benchmarks.output.rows import Task

LEARNING_RATE = 2e-4
BETAS = (0.5, 0.999)


class FoldedGenerator(nn.Module):
    def __init__(self, layers: list[folding.Layer]) -> None:
        super().__init__()
        self.geometry = [(layer.stride, layer.padding) for layer in layers]
        self.weights = nn.ParameterList(torch.from_numpy(layer.weight) for layer in layers)
        self.biases = nn.ParameterList(torch.from_numpy(layer.bias) for layer in layers)

    def forward(self, latents: Tensor) -> Tensor:
        x = latents[:, :, None, None]
        last = len(self.geometry) - 1
        for i, (stride, padding) in enumerate(self.geometry):
            x = F.conv_transpose2d(x, self.weights[i], self.biases[i], stride, padding)
            x = x.sigmoid_() if i == last else x.relu_()
        return x


class FoldedDiscriminator(nn.Module):
    def __init__(self, layers: list[folding.Layer], fc: folding.FullyConnected) -> None:
        super().__init__()
        self.geometry = [(layer.stride, layer.padding, layer.activation) for layer in layers]
        self.weights = nn.ParameterList(torch.from_numpy(layer.weight) for layer in layers)
        self.biases = nn.ParameterList(torch.from_numpy(layer.bias) for layer in layers)
        for i, layer in enumerate(layers):
            shift = None if layer.shift is None else torch.from_numpy(layer.shift)[:, None, None]
            self.register_buffer(f"shift{i}", shift)
        self.fc_weight = nn.Parameter(torch.from_numpy(fc.weight))
        self.fc_bias = nn.Parameter(torch.from_numpy(fc.bias))

    def forward(self, x: Tensor) -> Tensor:
        for i, (stride, padding, activation) in enumerate(self.geometry):
            x = F.conv2d(x, self.weights[i], self.biases[i], stride, padding)
            if activation == "leaky_relu":
                x = F.leaky_relu(x, folding.LEAKY_SLOPE, inplace=True)
            shift = getattr(self, f"shift{i}")
            if shift is not None:
                x = x.add_(shift)
        return F.linear(x.flatten(1), self.fc_weight, self.fc_bias)[:, 0]


def dropout(x: Tensor, keep: Tensor) -> Tensor:
    """dlib's: kept or zeroed, with no scale."""
    # On the CPU, F.dropout and bernoulli_ take twice as long as this.
    return x * (torch.rand_like(x) < keep)


class Discriminator(Trained):
    def __init__(self, name: str, tensors: workload.Parameters) -> None:
        super().__init__(tensors)
        self.name = name

    def forward(self, x: Tensor, keep: Tensor, update: bool) -> Tensor:
        geometry = folding.DISCRIMINATORS[self.name]
        for i, (stride, padding) in enumerate(geometry, start=1):
            weight, bias = self.of(f"conv{i}_weight"), self.of(f"conv{i}_bias")
            x = F.conv2d(x, weight, bias, stride, padding)
            if self.name == "table":
                x = F.leaky_relu(x, folding.LEAKY_SLOPE, inplace=True)
                x = dropout(self.norm(i, x, update), keep)
            elif i < len(geometry):
                x = self.norm(i, x, update) if self.of(f"norm{i}_weight") is not None else x
                x = F.leaky_relu(x, folding.LEAKY_SLOPE, inplace=True)
                x = dropout(x, keep)
        return F.linear(x.flatten(1), self.of("fc_weight"), self.of("fc_bias"))[:, 0]


class Training:
    """The networks with their solvers and the batch: `step` is one adversarial step."""

    def __init__(self, engine: PyTorch, task: Task) -> None:
        first = workload.parameters(engine.folder, task.inputs)
        self.engine = engine
        self.g = Generator(workload.with_prefix("generator.", first))
        self.d = Discriminator(task.network, workload.with_prefix("discriminator.", first))
        for network in (self.g, self.d):
            network.to(memory_format=engine.layout)  # type: ignore[call-overload]
        self.solver_g = torch.optim.Adam(self.g.parameters(), LEARNING_RATE, BETAS, fused=True)
        self.solver_d = torch.optim.Adam(self.d.parameters(), LEARNING_RATE, BETAS, fused=True)
        real = torch.from_numpy(workload.planes(engine.folder, task.batch))
        self.real = real.contiguous(memory_format=engine.layout)
        self.latents = torch.from_numpy(workload.latents(engine.folder, task.batch))
        self.generate: Callable[..., Tensor] = self.g
        self.judge: Callable[..., Tensor] = self.d
        if engine.compiled:
            self.generate = torch.compile(self.g, dynamic=False)
            self.judge = torch.compile(self.d, dynamic=False)
        self.keep = torch.tensor(1 - workload.TRAINING_DROPOUT)

    def step(self) -> tuple[Tensor, Tensor]:
        self.d.requires_grad_(True)
        loss_real = F.softplus(-self.judge(self.real, self.keep, True)).mean()
        self.update(loss_real, self.solver_d)
        fakes = self.generate(self.latents)
        loss_fake = F.softplus(self.judge(fakes.detach(), self.keep, True)).mean()
        self.update(loss_fake, self.solver_d)
        self.d.requires_grad_(False)
        loss_g = F.softplus(-self.judge(fakes, self.keep, False)).mean()
        self.update(loss_g, self.solver_g)
        return loss_real.detach() + loss_fake.detach(), loss_g.detach()

    @staticmethod
    def update(loss: Tensor, solver: torch.optim.Optimizer) -> None:
        loss.backward()  # type: ignore[no-untyped-call]
        solver.step()
        solver.zero_grad(set_to_none=True)

    def first_losses(self) -> NDArray[Any]:
        """D's and G's loss of a step without dropout, from the first weights."""
        self.keep.fill_(1.0)
        losses = torch.stack(self.step()).numpy()
        self.keep.fill_(1 - workload.TRAINING_DROPOUT)
        return losses


class PyTorch(Computation):
    def __init__(self, folder: Path, threads: int, variant: str, precision: str) -> None:
        super().__init__(folder, threads)
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self.compiled = variant == "compile"
        self.variant = variant
        self.layout = torch.contiguous_format
        self.compute: Callable[[], Any] = lambda: None
        self.training: Training | ProjectedTraining | None = None

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def prepare(self, task: Task) -> None:
        self.training = None
        last = self.variant == "channels_last" or (self.compiled and task.kind == "train")
        self.layout = torch.channels_last if last else torch.contiguous_format
        if self.compiled:
            torch._dynamo.reset()
        if task.kind == "recipe":
            self.training = ProjectedTraining(self, task.batch)
            self.compute = self.training.step
            return
        if task.kind == "train":
            self.training = Training(self, task)
            self.compute = self.training.step
            return
        parameters = workload.parameters(self.folder, task.inputs)
        module: nn.Module
        if task.kind == "generator":
            module = FoldedGenerator(folding.generator(parameters))
            inputs = torch.from_numpy(workload.latents(self.folder, task.batch))
        else:
            dropout = workload.info(self.folder)["dropouts"][task.network]
            folded = folding.discriminator(task.network, parameters, dropout)
            module = FoldedDiscriminator(*folded)
            inputs = torch.from_numpy(workload.planes(self.folder, task.batch))
            inputs = inputs.contiguous(memory_format=self.layout)
        module.eval().requires_grad_(False).to(self.dtype, memory_format=self.layout)  # type: ignore[call-overload]
        inputs = inputs.to(self.dtype)
        if self.compiled:
            from torch._inductor import config as inductor_config  # slow to import

            inductor_config.freezing = True
            compiled: Callable[[Tensor], Tensor] = torch.compile(module, dynamic=False)
            self.compute = lambda: compiled(inputs).float()
        else:
            self.compute = lambda: module(inputs).float()

    def run(self) -> Any:
        if self.training is not None:
            return self.training.step()
        # torch.compile's freezing asks for no_grad; inference_mode is at least as fast eagerly.
        with torch.no_grad() if self.compiled else torch.inference_mode():
            return self.compute()

    def check(self, task: Task) -> NDArray[Any]:
        if self.training is not None:
            return self.training.first_losses()
        return np.ascontiguousarray(self.run().numpy())


def create(variant: str, folder: Path, threads: int, precision: str) -> Computation:
    return PyTorch(folder, threads, variant, precision)
