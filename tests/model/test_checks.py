# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of finite nonsense are refused when they are loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ffgan import _core
from ffgan.errors import ModelError
from ffgan.model import Model, by_network, save_model
from ffgan.typing import Float32


def altered(model: Model, folder: Path, name: str, value: float | Float32) -> Path:
    """A model file, whole by its digest, with one parameter set to a value."""
    parameters = {key: array.copy() for key, array in model.parameters.items()}
    parameters[name][...] = value
    networks = by_network(parameters)
    path = folder / "altered.safetensors"
    return save_model(path, networks["generator"], networks["discriminator"], {})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("generator.norm1.running_var", -1e-3, "'generator.norm1.running_var', a variance, is neg"),
        ("discriminator.norm2.running_var", -5, "'discriminator.norm2.running_var', a variance"),
        ("generator.norm2.weight", 1e38, "pixels of its faces are no numbers"),
        ("generator.conv6.weight", 0, "its faces are of one colour"),
        ("discriminator.conv3.weight", 3e38, "its scores are no numbers"),
        ("generator.conv2.weight", np.nan, "'generator.conv2.weight' is not finite"),
        ("discriminator.fc.bias", np.inf, "'discriminator.fc.bias' is not finite"),
    ],
)
def test_nonsense_is_named(
    model: Model, tmp_path: Path, name: str, value: float, words: str
) -> None:
    path = altered(model, tmp_path, name, value)
    with pytest.raises(ModelError, match=words) as caught:
        Model.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.slow
def test_every_command_that_takes_a_model_refuses_it(model: Model, tmp_path: Path) -> None:
    path = str(altered(model, tmp_path, "generator.norm1.running_var", -1))
    for command in (
        ["gen", "1", "--model", path, "--no-window"],
        ["web", "--port", "0", "--model", path],
        ["evaluate", "--model", path, "--samples", "16", "--real", str(tmp_path)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ffgan", *command], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 2, (command, done)
        assert f"ffgan: error: {path} is damaged: " in done.stderr
    assert not list(tmp_path.glob("*.png"))


def test_a_dnn_file_of_nonsense_is_not_imported(model: Model, tmp_path: Path) -> None:
    from ffgan.model.dnn import import_dnn

    networks = by_network(model.parameters)
    networks["generator"]["norm1.running_var"] = np.full_like(
        networks["generator"]["norm1.running_var"], -1
    )
    _core.write_dnn(str(tmp_path / "x.dnn"), networks["generator"], networks["discriminator"], 0.5)
    with pytest.raises(ModelError, match="a variance, is negative"):
        import_dnn(tmp_path / "x.dnn", tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()
