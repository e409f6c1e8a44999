# SPDX-License-Identifier: GPL-3.0-or-later
"""Training runs on small images, with a small stand-in for the C++ trainer."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ffgan import images
from ffgan.errors import (
    ModelError,
)
from ffgan.training.run_folder import RunFolder
from ffgan.typing import Float32, UInt8

IMAGES = 130
SHORT = {
    "recipe": "original",
    "batch": 4,
    "steps": 8,
    "log_every": 2,
    "sample_every": 4,
    "checkpoint_every": 4,
}
WARM = {**SHORT, "warm_start": 5, "warm_start_batch": 4, "anchor_weight": 0.5, "flip": True}
MEASURED = {"evaluate_every": 4, "evaluate_samples": 16}


class SmallTrainer:
    """In place of the C++ trainer, with its interface.

    It adds up what it is given, so that every byte of the input shows in its state.
    """

    calls: ClassVar[list[dict[str, Any]]] = []
    during_step: ClassVar[Callable[[SmallTrainer, dict[str, float]], None] | None] = None

    def __init__(self, *, seed: int, **settings: Any) -> None:
        self.settings = settings
        self.steps = 0
        self.blur = 0.0
        self.statistics = np.zeros(1, np.float32)
        draw = np.random.default_rng(seed)
        self.networks = {
            name: {"w": draw.standard_normal(8).astype(np.float32)}
            for name in ("generator", "averaged", "discriminator")
        }

    def set_learning_rates(self, generator: float, discriminator: float) -> None:
        self.settings |= {"learning_rate_g": generator, "learning_rate_d": discriminator}

    def set_blur(self, sigma: float) -> None:
        self.blur = sigma

    def step(
        self,
        real: UInt8,
        latents: Float32,
        *,
        update_generator: bool = True,
        anchored: int = 0,
        whole: int | None = None,
    ) -> dict[str, float]:
        assert real.shape == (len(latents), 162, 162, 3)
        self.calls.append({"kind": "step", "blur": self.blur} | locals())
        d = self.networks["discriminator"]["w"]
        d += self.settings["learning_rate_d"] * (real.mean() / 255 + latents[:, :8].sum(axis=0))
        if update_generator:
            g = self.networks["generator"]["w"]
            g += self.settings["learning_rate_g"] * latents[:, 8:16].sum(axis=0)
            if anchored:
                codes = latents[:anchored, :8]
                g += np.float32(self.settings["anchor_weight"] * 1e-3) * codes.mean(axis=0)
            self._average()
        self.steps += 1
        result = {"loss_d": 0.9, "loss_g": 1.4, "accuracy_real": 0.75, "accuracy_fake": 0.5}
        if SmallTrainer.during_step is not None:
            SmallTrainer.during_step(self, result)
        return result

    def reconstruct(
        self, latents: Float32, images: UInt8, learning_rate: float, whole: int | None = None
    ) -> float:
        self.calls.append({"kind": "reconstruct", "real": images} | locals())
        self.networks["generator"]["w"] += np.float32(learning_rate) * latents[:, :8].mean(axis=0)
        self._average()
        self.steps += 1
        result = {"loss": 0.5}
        if SmallTrainer.during_step is not None:
            SmallTrainer.during_step(self, result)
        return result["loss"]

    def _average(self) -> None:
        a, g = (self.networks[name]["w"] for name in ("averaged", "generator"))
        a += np.float32(0.1) * (g - a)

    def estimate_statistics(self, latents: Float32) -> None:
        self.statistics = latents.sum(keepdims=True)[0] + self.networks["averaged"]["w"][:1]

    def sample(self, latents: Float32, averaged: bool = True) -> UInt8:
        assert averaged
        pixels = np.clip(128 + 40 * latents[:, :3], 0, 255).astype(np.uint8)
        return np.broadcast_to(pixels[:, None, None], (len(latents), 162, 162, 3))

    def parameters(self, network: str) -> dict[str, Float32]:
        return {name: array.copy() for name, array in self.networks[network].items()}

    def set_parameters(self, network: str, parameters: dict[str, Float32]) -> None:
        self.networks[network] = {name: array.copy() for name, array in parameters.items()}

    def state(self) -> dict[str, Float32]:
        return {
            **{f"{name}.w": self.networks[name]["w"].copy() for name in self.networks},
            "steps": np.array([self.steps], np.float32),
            "statistics": self.statistics,
        }

    def load_state(self, state: dict[str, Float32]) -> None:
        for name in self.networks:
            self.networks[name]["w"] = state[f"{name}.w"].copy()
        self.steps = int(state["steps"][0])
        self.statistics = state["statistics"]


class SmallModel:
    """In place of the `Model` that a run is initialised with."""

    discriminator = "program"
    parameters: ClassVar = {
        f"{network}.w": np.ones(8, np.float32) for network in ("generator", "discriminator")
    }


def save_small_model(
    path: Path, generator: dict[str, Float32], discriminator: dict[str, Float32], metadata: Any
) -> None:
    content = [{k: v.tolist() for k, v in generator.items()}, dict(metadata)]
    path.write_text(json.dumps(content, sort_keys=True))


def read_small_model(path: Path) -> tuple[dict[str, str], None]:
    try:
        return json.loads(path.read_text())[1], None
    except ValueError as error:
        raise ModelError(f"{path} is damaged") from error


def make_images(folder: Path, count: int = IMAGES) -> Path:
    folder.mkdir(parents=True)
    draw = np.random.default_rng(1)
    for i in range(count):
        picture = images.resize(draw.integers(0, 256, (12, 12, 3), dtype=np.uint8), 162)
        (folder / f"{i:03d}.jpg").write_bytes(images.encode(picture, "jpg"))
    return folder


def use_small_trainer(patch: pytest.MonkeyPatch) -> None:
    SmallTrainer.calls.clear()
    SmallTrainer.during_step = None
    patch.setattr("ffgan._core.Trainer", SmallTrainer)
    patch.setattr("ffgan.model.save_model", save_small_model)


def stop_at(step: int, number: int = signal.SIGINT) -> Callable[[Any, Any], None]:
    def stop(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == step:
            signal.raise_signal(number)
            # The watching thread sets the flag; until then the loop would go on.
            time.sleep(0.2)

    return stop


def checkpoints(run: str) -> dict[str, str]:
    paths = RunFolder(Path("runs") / run).paths()
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def log(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("runs", run, "train.jsonl").read_text().splitlines()]


def evaluations(run: str) -> dict[int, float]:
    lines = [line for line in log(run) if line["stage"] == "evaluation"]
    return {line["step"]: line["frechet_distance"] for line in lines}


def best(run: str) -> dict[str, Any]:
    metadata, _ = read_small_model(Path("runs", run, "best.safetensors"))
    return json.loads(metadata["evaluation"])


class RecordingWindow:
    """In place of the viewer's: keeps what it is shown."""

    made: ClassVar[list[RecordingWindow]] = []

    def __init__(self, title: str) -> None:
        self.shown: list[tuple[tuple[int, ...], str | None]] = []
        self.polls = 0
        self.made.append(self)

    def show(self, image: UInt8, title: str | None = None) -> None:
        self.shown.append((image.shape, title))

    def wait(self, seconds: float | None = None) -> str:
        assert seconds == 0
        self.polls += 1
        return "timeout"

    def __enter__(self) -> RecordingWindow:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True
