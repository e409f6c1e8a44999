# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications, models and server processes that the tests of the server share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.server import Client, FakeModel, ready
from support.server_process import Command, Server

from ffgan import _core
from ffgan.latent import noise
from ffgan.model import Model, save_model
from ffgan.server import Settings, create_app


@pytest.fixture(scope="module")
def module_model() -> FakeModel:
    return FakeModel()


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, module_model: FakeModel) -> Client:
    """A client of an application with the module's `SETTINGS`, or 3 tries per face."""
    return ready(create_app(module_model, getattr(request.module, "SETTINGS", Settings(tries=3))))


@pytest.fixture
def served(module_model: FakeModel) -> FakeModel:
    """The model of `client`, as if it had drawn nothing yet."""
    module_model.drawn.clear()
    return module_model


@pytest.fixture
def model() -> FakeModel:
    """A model for an application of the test's own."""
    return FakeModel()


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """An untrained model whose scores lie on both sides of the threshold."""
    trainer = _core.Trainer(seed=11)
    trainer.estimate_statistics(np.stack([noise(i) for i in range(8)]))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    discriminator = trainer.parameters("discriminator")
    save_model(path, trainer.parameters("averaged"), discriminator, {})
    model = Model.load(path)
    scores = model.score(model.render(np.stack([noise(i) for i in range(16)])))
    discriminator["fc.bias"] -= np.quantile(scores, 0.75)
    save_model(path, trainer.parameters("averaged"), discriminator, {})
    return Model.load(path)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two model files, of untrained networks."""
    folder, files = tmp_path_factory.mktemp("models"), []
    for seed in (1, 2):
        trainer = _core.Trainer(seed=seed)
        trainer.estimate_statistics(np.stack([noise(i) for i in range(4)]))
        networks = trainer.parameters("averaged"), trainer.parameters("discriminator")
        files.append(save_model(folder / f"{seed}.safetensors", *networks, {}))
    return files


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts a server with a fake model, whose options are given as a dict, and these settings."""
    servers: list[Server] = []

    def start(model: dict[str, Any] | None = None, grace: int = 10, **settings: Any) -> Server:
        servers.append(Server(model or {}, {"tries": 1} | settings, grace))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Starts `python -m ffgan web` with a model file."""
    commands: list[Command] = []

    def start(model: Path, *options: str) -> Command:
        commands.append(Command(tmp_path, model, *options))
        return commands[-1]

    yield start
    for each in commands:
        each.kill()
