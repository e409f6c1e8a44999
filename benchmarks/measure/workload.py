# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters and inputs that every engine gets, as files in a folder.

    python -m benchmarks.measure.workload FOLDER [recipe]

writes them, those of a recipe's step only where that is asked for, in a process of its own, so that
no process that measures or is measured holds another engine than its own. The generator and
`program` are the packaged model's; `table`, which that model lacks, has first weights and made-up
batch norms; training starts from first weights.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Parameters: TypeAlias = dict[str, NDArray[np.float32]]

LARGEST_BATCH = 64
SEED = 0
TABLE_DROPOUT = 0.5
TRAINING_DROPOUT = 0.5

# What dlib's networks see: pixels / 256, and a generator's output times 255 / 256.
PIXEL_SCALE = 1 / 256
SIGMOID_SCALE = 255 / 256

# Of the networks for age and gender: the side of a face, the mean that is subtracted before the
# pixels are divided by 256, and the multiply-adds of all their layers and of the first.
CHIP_SIDES = {"age": 64, "gender": 32}
CHIP_MEAN = (122.782, 117.001, 104.298)
CHIP_MACS = {
    "age": {"all": 63_376_320, "first": 7_912_128},
    "gender": {"all": 24_543_264, "first": 884_736},
}


def latents(folder: Path, batch: int) -> NDArray[np.float32]:
    """(batch, 100) float32."""
    return np.ascontiguousarray(np.load(folder / "latents.npy")[:batch])


def images(folder: Path, batch: int) -> NDArray[np.uint8]:
    """(batch, 162, 162, 3) uint8."""
    return np.ascontiguousarray(np.load(folder / "images.npy")[:batch])


def planes(folder: Path, batch: int) -> NDArray[np.float32]:
    """The same images as a discriminator's float input, (batch, 3, 162, 162) float32."""
    pixels = images(folder, batch).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pixels, np.float32) * np.float32(PIXEL_SCALE)


def chips(folder: Path, network: str, batch: int) -> NDArray[np.uint8]:
    """The same images as the network "age" or "gender" takes them, (batch, side, side, 3) uint8."""
    side = CHIP_SIDES[network]
    step = 162 // side
    return np.ascontiguousarray(images(folder, batch)[:, ::step, ::step][:, :side, :side])


def normalised(folder: Path, network: str, batch: int) -> NDArray[np.float32]:
    """Those as such a network's float input, (batch, 3, side, side) float32."""
    pixels = chips(folder, network, batch).astype(np.float32) - np.float32(CHIP_MEAN)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) * np.float32(PIXEL_SCALE)


def parameters(folder: Path, name: str) -> Parameters:
    """Of "generator", "program", "table", "train-program" or "train-table".

    The last two hold both networks, under the prefixes "generator." and "discriminator.".
    """
    with np.load(folder / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def with_prefix(prefix: str, tensors: Parameters) -> Parameters:
    """The tensors whose names begin so, without that."""
    return {
        name.removeprefix(prefix): array
        for name, array in tensors.items()
        if name.startswith(prefix)
    }


def info(folder: Path) -> dict[str, Any]:
    """What `write` found out about ffgan: macs, dropouts, threads, versions."""
    content: dict[str, Any] = json.loads((folder / "info.json").read_text(encoding="utf-8"))
    return content


def made_up_images(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Blocks of colour with some noise: neither flat nor all noise, as photographs."""
    blocks = np.kron(random.uniform(20, 235, (count, 6, 6, 3)), np.ones((1, 27, 27, 1)))
    return (blocks + random.uniform(-20, 20, blocks.shape)).astype(np.uint8)


def made_up_norms(tensors: Parameters, random: np.random.Generator) -> None:
    """Moves batch norms away from ones and zeros, so that a wrong folding shows."""
    for name, array in tensors.items():
        if name.startswith("norm"):
            array += random.uniform(-0.3, 0.3, array.shape).astype(np.float32)


def write_recipe(folder: Path) -> None:
    """The state of a recipe's training after one step that changed nothing, and its networks.

    That step measures what the later ones scale by. Where an extra is missing `info` says so.
    """
    from ffgan import Error

    try:
        _write_recipe(folder)
    except Error as error:
        content = info(folder) | {"no_recipe": str(error)}
        (folder / "info.json").write_text(json.dumps(content), encoding="utf-8")


def _write_recipe(folder: Path) -> None:
    from benchmarks.measure import recipe
    from benchmarks.measure.dlib_weights import recognition_network
    from ffgan import faces, features

    trainer = recipe.trainer(recipe.FROZEN)
    trainer.step(images(folder, 16), latents(folder, 16), anchored=recipe.ANCHORED)
    networks = {
        f"train-{recipe.NAME}": trainer.state(),
        "recognition": recognition_network(Path(faces.recognition_file(None))),
        "imagenet": features.training_network(),
    }
    for name, tensors in networks.items():
        np.savez(folder / f"{name}.npz", **tensors)


def write(folder: Path) -> None:
    import ffgan
    from ffgan import _core
    from ffgan.attributes import networks as networks_of_faces
    from ffgan.model import by_network
    from ffgan.model.onnx import export_onnx

    def save(name: str, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        np.savez(folder / f"{name}.npz", **dict(tensors))  # type: ignore[arg-type]

    random = np.random.default_rng(SEED)
    np.save(folder / "latents.npy", random.standard_normal((LARGEST_BATCH, 100)).astype(np.float32))
    np.save(folder / "images.npy", made_up_images(LARGEST_BATCH, random))

    model = ffgan.load()
    networks = by_network(model.parameters)
    save("generator", networks["generator"])
    dropouts = {"program": model.dropout, "table": TABLE_DROPOUT}
    for name in ("program", "table"):
        trainer = _core.Trainer(seed=SEED, discriminator=name)
        first = {
            f"{network}.{key}": array
            for network in ("generator", "discriminator")
            for key, array in trainer.parameters(network).items()
        }
        save(f"train-{name}", first)
        if model.discriminator == name:
            save(name, networks["discriminator"])
        else:
            tensors = trainer.parameters("discriminator")
            made_up_norms(tensors, random)
            save(name, tensors)
    for file in (networks_of_faces.AGE_FILE, networks_of_faces.GENDER_FILE):
        shutil.copy(networks_of_faces.find(file), folder / f"{file.network}.onnx")
    if importlib.util.find_spec("onnx") is not None:
        export_onnx(model, folder / "generator.onnx")

    layers = {name: _core.layers(name) for name in ("generator", "program", "table")}
    content = {
        "macs": CHIP_MACS
        | {
            name: {
                "all": sum(layer["multiply_adds"] for layer in found),
                "first": found[0]["multiply_adds"],
            }
            for name, found in layers.items()
        },
        "dropouts": dropouts,
        "model": {"path": str(model.path), "sha256": model.hash},
        "ffgan": ffgan.__version__,
        "bf16": "precision" in str(_core.Generator.__init__.__doc__),
        "engine": dict(_core.engine()),
    }
    (folder / "info.json").write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    if "recipe" in sys.argv[2:]:
        write_recipe(Path(sys.argv[1]))
