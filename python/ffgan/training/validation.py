# SPDX-License-Identifier: GPL-3.0-or-later
"""Held-out images: a run is evaluated on them at intervals, and the best model is kept.

A generator may keep fitting its training images long after its faces have ceased to improve. So it
is compared with images that it is not trained on, always the same ones and with faces of the same
seeds, and the best model so far is kept in a file whose metadata hold its figures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from ffgan import evaluation, features
from ffgan.dataset import Colour, Dataset, Fit
from ffgan.errors import DatasetError, ExtraError, ModelError
from ffgan.evaluation import metrics
from ffgan.latent import noise
from ffgan.locations import GivenPlace
from ffgan.training.outputs import Outputs
from ffgan.training.run_state import RunState
from ffgan.typing import Float32, UInt8

FIGURE: Final = "frechet_distance"
"""The figure by which one model is better than another: the lower one."""

RECORD: Final = "evaluation"
"""The key of a model's metadata with its figures and what they were measured on, as JSON."""

Render = Callable[[Float32], UInt8]
Progress = Callable[[int, int], None]


def _ignore(done: int, total: int) -> None:
    """No progress is shown."""


class HeldOut:
    """Images below a folder that a generator is compared with, measured once.

    ``samples`` of them are used, which ones follows from a fixed seed; ``identity`` says which ones
    and how they were measured: figures of equal identities can be compared. ``progress`` is told
    images done and in all, and may raise to stop; once ``interrupted()`` is true, images that are
    away are not waited for. Raises `DatasetError` when the folder has not so many images,
    `ExtraError` when the extra `evaluate` is not installed.
    """

    def __init__(
        self,
        directory: GivenPlace,
        *,
        samples: int,
        fit: Fit = "crop",
        colour: Colour | None = None,
        workers: int = 2,
        progress: Progress = _ignore,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.samples = samples
        readable: list[bool] = []
        with Dataset(directory, fit=fit, colour=colour, workers=workers) as dataset:
            dataset.availability.interrupted = interrupted
            self._need(dataset, len(dataset))
            try:
                network = features.load(evaluation.DEFAULT_FEATURES)
                metrics.require()
            except ExtraError as error:
                raise ExtraError(
                    "training with --heldout measures with more packages: "
                    "pip install 'ffgan[evaluate]'"
                ) from error

            def blocks() -> Iterator[UInt8]:
                for block in evaluation.real_images(dataset, samples, readable):
                    yield block
                    progress(sum(readable), samples)

            self._reference = evaluation.summarise(blocks(), network)
            self._need(dataset, sum(readable))
        self.images = len(dataset)
        self.identity: dict[str, Any] = {
            "list_hash": dataset.hash,
            "fit": fit,
            # Runs of earlier versions, which ignored colours, do not say so.
            **({} if dataset.colour == "ignore" else {"colour": dataset.colour}),
            "samples": samples,
            "features": network.name,
        }

    def _need(self, dataset: Dataset, found: int) -> None:
        if found < self.samples:
            way_out = "give a --heldout folder with more of them"
            if found >= evaluation.MIN_IMAGES:
                way_out += f", or use --evaluate-samples {found}"
            raise DatasetError(
                f"{dataset.directory} has {found} images that can be read, too few for "
                f"--evaluate-samples {self.samples}: {way_out}"
            )

    def measure(
        self, render: Render, *, samples: int | None = None, progress: Progress = _ignore
    ) -> dict[str, float | None]:
        """Return the figures of `evaluation.quick` for the first draws of seeds 0, 1, ...

        ``render`` turns latents (n, 100) float32 into images (n, 162, 162, 3) uint8 RGB.
        ``samples``: how many faces, by default as many as there are held-out images.
        """
        count = self.samples if samples is None else samples

        def blocks() -> Iterator[UInt8]:
            for start in range(0, count, evaluation.BLOCK):
                end = min(start + evaluation.BLOCK, count)
                yield render(np.stack([noise(seed) for seed in range(start, end)]))
                progress(end, count)

        made = evaluation.summarise(blocks(), self._reference.network)
        return evaluation.quick_figures(made, self._reference)

    def record(self, step: int, figures: dict[str, float | None]) -> str:
        """Return what a model's metadata say under `RECORD`."""
        return json.dumps({"step": step, **figures, "held_out": self.identity}, sort_keys=True)

    def best(self, path: Path) -> float:
        """Return `FIGURE` of the model at ``path``; infinity where it says none of these images.

        The file is the only record of what was best, so no crash can part the two. Raises
        `ModelError` when it cannot be read.
        """
        from ffgan.model import read_model

        if not path.exists():
            return math.inf
        metadata, _ = read_model(path)
        try:
            record = json.loads(metadata[RECORD])
            same = record["held_out"] == self.identity
            return float(record[FIGURE]) if same else math.inf
        except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise ModelError(f"{path} does not say how good it is") from error


class Evaluations:
    """The evaluations of a run on images held out; without any, none is ever due."""

    def __init__(self, held_out: HeldOut | None, state: RunState, outputs: Outputs) -> None:
        self._held_out = held_out
        self._state = state
        self._outputs = outputs

    def due(self) -> bool:
        """Whether this step ends an interval of ``evaluate_every``.

        Step 0 does if it is a model: what is fine-tuned may be the best already.
        """
        every, step = self._state.settings.evaluate_every, self._state.position.step
        if self._held_out is None or not every or step % every:
            return False
        return step > 0 or self._state.plan.init != "scratch"

    def done(self) -> bool:
        """Whether this step was evaluated: a signal may have cut it short before the checkpoint."""
        return any(
            line.get("stage") == "evaluation" and line["step"] == self._state.position.step
            for line in self._state.folder.lines()
        )

    def run(self, *, seconds: Callable[[], float], show: Progress) -> list[str]:
        """Measure the averaged generator; keep it if none was better. Returns lines about it.

        Nothing in it changes the run: it draws no random numbers and touches no network but the
        averaged generator's statistics, which are estimated anew before every use. ``seconds``
        tells for the log how long the run is under way, this included; ``show`` may raise to stop.
        """
        held_out, state = self._held_out, self._state
        if held_out is None or state.broken_parameter() is not None:
            return []
        step, best_path, lines = state.position.step, state.folder.best, []
        state.estimate_statistics()
        figures = held_out.measure(state.trainer.sample, progress=show)
        distance = figures[FIGURE]
        assert distance is not None
        try:
            best = held_out.best(best_path)
            if best == math.inf and best_path.exists():
                lines.append(
                    f"{best_path} was measured on other held-out images or with another "
                    "--evaluate-samples; this evaluation's model takes its place"
                )
        except ModelError as error:
            lines.append(f"{error}; this evaluation's model takes its place")
            best = math.inf
        record = {RECORD: held_out.record(step, figures)}
        is_best = distance < best
        kept = is_best and self._outputs.attempt(
            "the best model", lambda: state.save_model(best_path, record)
        )
        rounded = {k: None if v is None else round(v, 6) for k, v in figures.items()}
        self._outputs.attempt(
            "train.jsonl", lambda: state.write_log(rounded, stage="evaluation", seconds=seconds())
        )
        verdict = f"the best was {best:.2f}"
        if is_best:
            verdict = f"best: {best_path}" if kept else "the best, which could not be written"
        lines.append(
            f"step {step}: Frechet distance {distance:.2f} on {held_out.samples} held-out images; "
            f"{verdict}"
        )
        return lines
