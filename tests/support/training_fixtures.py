# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests that train: images, and a folder for runs of the real networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffgan.training import run_state, trainer
from support.training import make_images


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("data") / "faces")


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("data") / "strangers", 20)


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # 256 latents are for good statistics; here they would only take time.
    monkeypatch.setattr(trainer, "STATISTICS_LATENTS", 8)
    monkeypatch.setattr(run_state, "SAMPLES", 4)
    monkeypatch.chdir(tmp_path)
