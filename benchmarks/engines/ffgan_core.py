# SPDX-License-Identifier: GPL-3.0-or-later
"""ffgan's extension, as its Python package uses it.

Timed: `Generator.generate_float` from float32 noise to new float32 images, or `generate` to uint8
ones; `Discriminator.score` from uint8 images, whose conversion is part of it, as are
`ffgan.attributes.networks.ages` and `genders`; `Trainer.step` from uint8 images, with the
conversion and the averaged generator's update.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import recipe, workload
from benchmarks.measure.computation import Computation
from benchmarks.output.rows import Task
from ffgan import _core
from ffgan.attributes import networks


class FfganCore(Computation):
    def __init__(self, folder: Path, threads: int, uint8: bool, precision: str) -> None:
        super().__init__(folder, threads)
        _core.set_threads(threads)
        self.uint8 = uint8
        self.precision = precision
        self.compute: Callable[[], Any] = lambda: None

    def versions(self) -> dict[str, str]:
        return {"ffgan": _core.__version__}

    def prepare(self, task: Task) -> None:
        if task.kind == "train":
            self.compute = self._training(task, workload.TRAINING_DROPOUT)
            return
        if task.kind == "recipe":
            self.compute = self._recipe(task, {})
            return
        if task.kind == "classifier":
            classify = networks.ages if task.network == "age" else networks.genders
            chips = workload.chips(self.folder, task.network, task.batch)
            self.compute = lambda: classify(chips)
            return
        if task.kind == "draw":
            self.compute = self._drawing(task)
            return
        parameters = workload.parameters(self.folder, task.inputs)
        if task.kind == "generator":
            generator = self._generator(parameters)
            latents = workload.latents(self.folder, task.batch)
            generate = generator.generate if self.uint8 else generator.generate_float
            self.compute = lambda: generate(latents)
        else:
            dropout = workload.info(self.folder)["dropouts"][task.network]
            discriminator = _core.Discriminator(
                task.network,  # type: ignore[arg-type]
                parameters,
                dropout,
            )
            images = workload.images(self.folder, task.batch)
            self.compute = lambda: discriminator.score(images)

    def run(self) -> Any:
        return self.compute()

    def check(self, task: Task) -> NDArray[Any]:
        if task.kind == "train":
            result = self._training(task, 0.0)()
            return np.array([result["loss_d"], result["loss_g"]])
        if task.kind == "recipe":
            result = self._recipe(task, recipe.NOT_RANDOM)()
            return np.array([result[name] for name in recipe.MEASURES])
        outputs: NDArray[Any] = self.compute()
        if self.uint8:
            return outputs.transpose(0, 3, 1, 2) / np.float32(255)
        return outputs

    def _generator(self, parameters: workload.Parameters) -> Any:
        if self.precision == "f32":
            return _core.Generator(parameters)
        make: Any = _core.Generator  # an earlier build takes no precision
        return make(parameters, precision=self.precision)

    def _drawing(self, task: Task) -> Callable[[], Any]:
        """As the candidate search: G makes images, D judges them."""
        dropout = workload.info(self.folder)["dropouts"][task.network]
        generator = self._generator(workload.parameters(self.folder, "generator"))
        discriminator = _core.Discriminator(
            task.network,  # type: ignore[arg-type]
            workload.parameters(self.folder, task.network),
            dropout,
        )
        latents = workload.latents(self.folder, task.batch)
        return lambda: discriminator.score(generator.generate(latents))

    def _training(self, task: Task, dropout: float) -> Callable[[], Any]:
        first = workload.parameters(self.folder, task.inputs)
        trainer = _core.Trainer(
            discriminator=task.network,
            seed=workload.SEED,
            dropout=dropout,
        )
        for network in ("generator", "discriminator"):
            trainer.set_parameters(
                network,
                workload.with_prefix(f"{network}.", first),
            )
        images = workload.images(self.folder, task.batch)
        latents = workload.latents(self.folder, task.batch)
        return lambda: trainer.step(images, latents)

    def _recipe(self, task: Task, changes: dict[str, Any]) -> Callable[[], Any]:
        trainer = recipe.trainer(changes)
        trainer.load_state(workload.parameters(self.folder, task.inputs))
        images = workload.images(self.folder, task.batch)
        latents = workload.latents(self.folder, task.batch)
        return lambda: trainer.step(images, latents, anchored=recipe.ANCHORED)


def create(variant: str, folder: Path, threads: int, precision: str) -> Computation:
    return FfganCore(folder, threads, variant == "uint8", precision)
