# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of random weights, for commands that need one."""

from __future__ import annotations

import pytest
from support.screen_fixtures import screen, server

from ffgan import _core
from ffgan.model import save_model

__all__ = ["model", "screen", "server"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model file of random weights."""
    trainer = _core.Trainer(seed=1)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    metadata = {"steps": "0", "data": "none, random weights"}
    save_model(path, trainer.parameters("averaged"), trainer.parameters("discriminator"), metadata)
    return str(path)
