# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the training share: images, and small or real networks in an empty folder."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from support.training import (
    SmallTrainer,
    read_small_model,
    use_small_trainer,
)
from support.training_fixtures import faces as faces
from support.training_fixtures import real as real
from support.training_fixtures import strangers as strangers

from ffgan import features
from ffgan.training import loop, run_state, warm_start
from ffgan.typing import Float32, UInt8


@pytest.fixture(autouse=True)
def messages(caplog: pytest.LogCaptureFixture) -> None:
    """What a run says is in `caplog.text`."""
    caplog.set_level(logging.INFO, "ffgan.training")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[SmallTrainer]:
    use_small_trainer(monkeypatch)
    # No packaged model, unless a test makes one.
    for module in ("ffgan.model", "ffgan.model.file"):  # who asks, and who loads
        monkeypatch.setattr(f"{module}.packaged_model", lambda: tmp_path / "packaged.safetensors")
    # Large grids and exact components would take most of the time and show nothing here.
    monkeypatch.setattr(run_state, "SAMPLES", 4)
    monkeypatch.setattr(warm_start, "POWER_ITERATIONS", 0)
    monkeypatch.setattr(loop, "SAMPLES", 4)
    monkeypatch.chdir(tmp_path)
    return SmallTrainer


@pytest.fixture
def off(small: type[SmallTrainer], monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """How much too bright the samples are after how many steps; features are mean colours."""
    brightness: dict[int, int] = {}
    sample = SmallTrainer.sample

    def bright(trainer: SmallTrainer, latents: Float32, averaged: bool = True) -> UInt8:
        return sample(trainer, latents, averaged) // 2 + np.uint8(brightness.get(trainer.steps, 0))

    def colours(name: str) -> features.Network:
        return features.Network("faces", "", lambda x: x.mean(axis=(1, 2), dtype=np.float32))

    monkeypatch.setattr(SmallTrainer, "sample", bright)
    monkeypatch.setattr(features, "load", colours)
    monkeypatch.setattr("ffgan.model.read_model", read_small_model)
    return brightness
