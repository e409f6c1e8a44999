# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a run: its networks and its position, and the files that hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ffgan import _core, storage
from ffgan.dataset import Dataset
from ffgan.errors import CheckpointError, ModelError, UsageError
from ffgan.latent import noise
from ffgan.model import by_network
from ffgan.ranks import Ranks
from ffgan.training import inputs, trainer
from ffgan.training.divergence import Position
from ffgan.training.plan import Plan
from ffgan.training.run_folder import Checkpoint, write
from ffgan.training.settings import Settings
from ffgan.training.warm_start import BYTES_OF_COMPONENTS
from ffgan.typing import UInt8

SAMPLES = 36


class RunState:
    """The networks and the position of a run, and how they come to and from its folder."""

    def __init__(self, plan: Plan, dataset: Dataset, ranks: Ranks | None = None) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.folder = plan.folder
        self.position = Position()
        self.codes = inputs.codes(plan.settings, dataset)
        self.weights = inputs.weights(plan.settings, dataset)
        self.trainer = trainer.make_trainer(plan.settings, ranks)
        self._data: dict[str, Any] = {"images": len(dataset), "hash": dataset.hash}
        self._ranks = 1 if ranks is None else ranks.count
        self._statistics_of: Position | None = None

    # ------------------------------------------------------------------ where it is

    @property
    def in_warm_start(self) -> bool:
        """Whether the next step is one of the warm start."""
        return self.position.step < self.settings.warm_start

    @property
    def stage(self) -> str:
        """The stage of the step before: "warm start" or "adversarial"."""
        return "warm start" if self.position.step <= self.settings.warm_start else "adversarial"

    @property
    def last_batch(self) -> int:
        """The number of images of the step before."""
        settings = self.settings
        return settings.warm_start_batch if self.stage == "warm start" else settings.batch

    def images_seen(self) -> int:
        """Training images used so far, counted each time."""
        warm = min(self.position.step, self.settings.warm_start)
        adversarial = self.position.step - warm
        return warm * self.settings.warm_start_batch + adversarial * self.settings.batch

    def last_step(self) -> float:
        """The step that ends the run; infinity where only time does."""
        settings = self.settings
        limits = []
        if settings.steps is not None:
            limits.append(settings.steps)
        if settings.epochs is not None:
            limits.append(math.ceil(settings.epochs * self._data["images"] / settings.batch))
        return settings.warm_start + min(limits) if limits else math.inf

    # ------------------------------------------------------------------ its networks

    def load_model(self) -> str | None:
        """Begin with the model that is fine-tuned; returns a line if its D cannot be used."""
        from ffgan.model import Model

        path = self.plan.init.removeprefix("model").removeprefix(":")
        model = Model.load(path or None)
        networks = by_network(model.parameters)
        for network in ("generator", "averaged"):
            self.trainer.set_parameters(network, networks["generator"])
        if self.settings.new_discriminator:
            return "the discriminator starts from scratch"
        if model.discriminator != self.settings.discriminator:
            return (
                f"the model's discriminator is {model.discriminator}: "
                f"{self.settings.discriminator} starts from scratch"
            )
        self.trainer.set_parameters("discriminator", networks["discriminator"])
        return None

    def end_warm_start(self) -> None:
        """Let the adversarial training begin with the averaged generator."""
        # The statistics of this position were estimated, if at all, before the step.
        self._statistics_of = None
        self.estimate_statistics()
        self.trainer.set_parameters("generator", self.trainer.parameters("averaged"))

    def estimate_statistics(self) -> None:
        """Batch-norm statistics of the averaged generator, always over the same latents."""
        if self._statistics_of != self.position:
            self._statistics_of = self.position
            self.trainer.estimate_statistics(trainer.statistics_latents(self.settings.seed))

    def broken_parameter(self) -> str | None:
        """What is wrong with the parameters, or None: a NaN or an infinity in one of them."""
        for network in ("generator", "averaged", "discriminator"):
            for name, tensor in self.trainer.parameters(network).items():
                if not np.isfinite(tensor).all():
                    return f"{name} of the {network} is not finite"
        return None

    def digest(self) -> str:
        """SHA-256 of all that a checkpoint holds of the networks."""
        return storage.tensor_digest(self.trainer.state())

    # ------------------------------------------------------------------ its files

    def check_data(self, checkpoint: Checkpoint) -> None:
        """Raise UsageError when the checkpoint is of a run on other images."""
        data = checkpoint.record["data"]
        if data["hash"] != self._data["hash"]:
            raise UsageError(
                f"{self.plan.directory} does not hold the images that {self.folder.path} was "
                f"trained on ({data['images']} then, {self._data['images']} now): give those, or "
                f"start a new run with {self.folder.way_on()}"
            )

    def check_room(self) -> str:
        """A line where the disk has no room for all checkpoints that are to be kept, else nothing.

        Raises CheckpointError where a new run's disk has none for the first two, with the model.
        """
        room = self.folder.room()
        if room is None:
            return ""
        one, model = self.checkpoint_bytes(), self._bytes("averaged", "discriminator")
        # A new file is written before an old one goes.
        least, whole = 2 * (one + model), (self.settings.keep_checkpoints + 1) * one + 2 * model
        if room >= whole:
            return ""
        text = (
            f"{room / 1e6:,.0f} MB are free for {self.folder.path}, whose checkpoints have "
            f"{one / 1e6:,.0f} MB each"
        )
        if room < least and self.plan.checkpoint is None:
            raise CheckpointError(
                f"{text}: make room for {least / 1e6:,.0f} MB, or choose another --runs folder"
            )
        return (
            f"warning: {text}: with less than {whole / 1e6:,.0f} MB fewer than "
            f"--keep-checkpoints {self.settings.keep_checkpoints} may be kept"
        )

    def checkpoint_bytes(self) -> int:
        """The size of a checkpoint once each solver has its two moments of each parameter."""
        state = {name: tensor.nbytes for name, tensor in self.trainer.state().items()}
        solvers = sum(size for name, size in state.items() if name.startswith("solver_"))
        networks = sum(state.values()) - solvers
        moments = 2 * (networks - self._bytes("averaged"))
        if self.settings.warm_start:
            moments += 2 * self._bytes("generator")
        if self.settings.warm_start or self.settings.anchor_weight > 0.0:
            networks += BYTES_OF_COMPONENTS
        return networks + max(solvers, moments)

    def _bytes(self, *networks: Literal["generator", "averaged", "discriminator"]) -> int:
        return sum(
            tensor.nbytes
            for network in networks
            for tensor in self.trainer.parameters(network).values()
        )

    def save_checkpoint(self) -> int:
        """Write the checkpoint of this position; returns how many went to make room for it."""
        start = Settings.names(life="start")
        record = {
            "stage": "warm start" if self.in_warm_start else "adversarial",
            "position": asdict(self.position),
            "settings": {k: v for k, v in self.settings.model_dump().items() if k not in start},
            "data": self._data,
        }
        tensors = {f"trainer.{name}": tensor for name, tensor in self.trainer.state().items()}
        tensors |= self.codes.tensors()
        good = self.position.suspect == 0
        return self.folder.save(
            Checkpoint(self.position.step, tensors, record, good), self.settings.keep_checkpoints
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to where a checkpoint was written, but with the learning rates of the settings.

        Raises CheckpointError where its tensors are not those of these settings.
        """
        tensors = by_network(checkpoint.tensors)
        try:
            self.codes.restore(tensors)
            self.trainer.load_state(tensors.get("trainer", {}))
        except (ValueError, LookupError, TypeError) as error:
            raise CheckpointError(
                f"the checkpoint of step {checkpoint.step} in {self.folder.checkpoints} holds "
                f"other networks than its settings say ({error}): move it away to go back to the "
                "one before, or choose another --name"
            ) from error
        self.trainer.set_learning_rates(
            self.settings.learning_rate_g, self.settings.learning_rate_d
        )
        self.position = Position(**checkpoint.record["position"])

    def save_model(self, path: Path, more: Mapping[str, str] | None = None) -> None:
        """Write the averaged generator and D as a model file; ``more`` is further metadata."""
        from ffgan.model import save_model

        save_model(
            path,
            self.trainer.parameters("averaged"),
            self.trainer.parameters("discriminator"),
            {
                "discriminator": self.settings.discriminator,
                "dropout": str(self.settings.dropout),
                "threshold": "0.0",
                "steps": str(self.position.step),
                "images_seen": str(self.images_seen()),
                "data": "{images} images, SHA-256 of the list {hash}".format(**self._data),
                "settings": json.dumps(self.settings.published(), sort_keys=True),
                "version": _core.__version__,
                **(more or {}),
            },
        )

    def model_is_old(self) -> bool:
        """Whether the run folder's model is none of this position."""
        from ffgan.model import read_model

        try:
            metadata, _ = read_model(self.folder.model)
        except ModelError:
            return True
        return metadata.get("steps") != str(self.position.step)

    def write_config(self) -> None:
        """Write config.json: the settings, and those that have changed on the way."""
        changes = [] if self.plan.checkpoint is None else self.folder.changes()
        if self.plan.changes:
            changes.append({"step": self.position.step, "settings": self.plan.changes})
        config = {
            "settings": {name: getattr(self.settings, name) for name in Settings.about()},
            "starts_from": self.plan.origin,
            "directory": str(self.plan.directory),
            "images": self._data["images"],
            "data_hash": self._data["hash"],
            "changes": changes,
            "version": _core.__version__,
            "engine": _core.engine(),
            "ranks": self._ranks,
        }
        write(self.folder.config, (json.dumps(config, indent=2) + "\n").encode())

    def samples(self) -> UInt8:
        """The averaged generator's faces of seeds 0 to 35, as one picture."""
        from ffgan import images

        self.estimate_statistics()
        latents = np.stack([noise(seed) for seed in range(SAMPLES)])
        return images.grid(self.trainer.sample(latents, averaged=True))

    def write_samples(self, grid: UInt8) -> None:
        """Write that picture."""
        from ffgan import images

        metadata = {
            "program": f"ffgan {_core.__version__}",
            "run": self.folder.path.name,
            "step": str(self.position.step),
            "seeds": f"0 to {SAMPLES - 1}",
        }
        path = self.folder.samples / f"step-{self.position.step:08d}.png"
        write(path, images.encode(grid, "png", metadata=metadata))

    def write_log(self, line: Mapping[str, Any], *, stage: str, seconds: float) -> None:
        """Add a line about this step to train.jsonl."""
        self.folder.append(
            {
                "step": self.position.step,
                "stage": stage,
                "images": self.images_seen(),
                "seconds": round(seconds, 3),
                **line,
            }
        )
