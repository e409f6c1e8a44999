# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: `train` is a run from its start to its end, `Loop.run` the algorithm."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ffgan.dataset import Dataset
from ffgan.errors import DivergedError
from ffgan.interruption import Interrupted, Interruption
from ffgan.progress import Progress, ShowProgress, duration, show_nothing
from ffgan.training import inputs, warm_start
from ffgan.training.divergence import looks_collapsed, trouble
from ffgan.training.inputs import RealImages
from ffgan.training.pace import Pace
from ffgan.training.plan import Plan, resolve
from ffgan.training.run_state import SAMPLES, RunState
from ffgan.training.validation import Evaluations, HeldOut
from ffgan.typing import UInt8

logger = logging.getLogger("ffgan.training")


def train(directory: str | Path, *, progress: ShowProgress = show_nothing, **settings: Any) -> Path:
    """Train on the images below ``directory``; the same as `python -m ffgan train`.

    The keyword arguments are fields of `Settings`. A resumed run keeps its own settings for
    those not given. ``progress`` is called after every step, and may raise to stop; what happens on
    the way is logged to ``ffgan.training``. Returns the path of the run folder's model.safetensors.

    Raises UsageError and DatasetError for bad input, ModelError when the model to start from is not
    one, CheckpointError when the run folder cannot be read or written, DivergedError when training
    fails twice, Interrupted after SIGINT or SIGTERM.
    """
    plan = resolve(directory, settings)
    with ExitStack() as stack:
        interruption = stack.enter_context(Interruption("finishing this step, then saving"))
        dataset = stack.enter_context(
            open_dataset(plan, cache=plan.settings.cache, skipped_log=plan.folder.skipped)
        )
        window = None
        if plan.settings.window:
            from ffgan.viewer import Window

            window = stack.enter_context(Window("ffgan: training"))
        held_out = open_held_out(plan, interruption, progress)
        stack.enter_context(plan.folder.locked())
        loop = Loop(plan, dataset, interruption, progress, window, held_out)
        loop.start()
        loop.run()
        loop.finish()
    return plan.folder.model


class Loop:
    """The steps of one run, and what is to be done between them."""

    def __init__(
        self,
        plan: Plan,
        dataset: Dataset,
        interruption: Interruption | None = None,
        progress: ShowProgress = show_nothing,
        window: Any = None,
        held_out: HeldOut | None = None,
    ) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.folder = plan.folder
        self.dataset = dataset
        self.interruption = interruption
        self.progress = progress
        self.window = window
        self.state = RunState(plan, dataset)
        self.evaluations = Evaluations(held_out, self.state)
        self.real_images = RealImages(dataset, plan.settings)
        self.pace = Pace()
        self.last_step = self.state.last_step()
        self._saved = time.monotonic()

    # ------------------------------------------------------------------ the algorithm

    def run(self) -> None:
        """The warm start (docs/training.md), then the DCGAN's schedule (Radford et al. 2015)."""
        done = self.over()
        if not done and self.evaluations.due() and not self.evaluations.done():
            self.evaluate()
        while not done:
            step = self.state.position.step
            measures = (
                self.warm_start_step() if self.state.in_warm_start else self.adversarial_step()
            )
            if why := trouble(measures, self.state.position):
                self.go_back(why)
                continue
            suspect = looks_collapsed(measures, step, self.settings)
            self.state.position = self.state.position.after_step(suspect=suspect)
            self.show(measures)
            if self.due(self.settings.log_every):
                self.log()
            done = self.over()
            keys = self.pressed_keys()
            if done or "next" in keys or self.due(self.settings.sample_every):
                self.sample()
            if done or self.evaluations.due():
                self.evaluate()
            signal_number = None if self.interruption is None else self.interruption.received
            if done or "save" in keys or signal_number is not None or self.checkpoint_is_due():
                done = self.save() and done
            if signal_number is not None and not done:
                raise self.interrupted(signal_number)

    def adversarial_step(self) -> dict[str, float]:
        """Noise z, real images x; D learns to tell x from G(z), G to make D err."""
        settings, step = self.settings, self.state.position.step
        z = inputs.latents(settings, self.state.position)
        x = self.next_images()
        anchored = 0
        if settings.anchor_weight > 0.0:
            anchored = round(settings.anchor_share * settings.batch)
            z[:anchored] = self.state.codes.of(x[:anchored])
        self.state.trainer.set_blur(self.blur())
        warmed_up = step >= settings.warm_start + settings.discriminator_warmup
        return self.state.trainer.step(x, z, update_generator=warmed_up, anchored=anchored)

    def blur(self) -> float:
        """The blur of this step's images before D, in pixels: it falls along a straight line."""
        blur, steps = self.settings.blur, self.settings.blur_steps
        if not steps:
            return blur
        done = self.state.position.step - self.settings.warm_start
        return blur * max(0.0, 1.0 - done / steps)

    def warm_start_step(self) -> dict[str, float]:
        """G alone learns to reconstruct image i from code i; at the end its average becomes G."""
        step, steps = self.state.position.step, self.settings.warm_start
        x = self.next_images()
        rate = warm_start.learning_rate(step, steps)
        loss = self.state.trainer.reconstruct(self.state.codes.of(x), x, rate)
        if step + 1 == steps:
            self.state.end_warm_start()
        return {"loss": float(loss)}

    def next_images(self) -> UInt8:
        """x of this step; the wait for them is counted."""
        began = time.monotonic()
        images = self.real_images.next(self.state.position)
        self.pace.interval.waited += time.monotonic() - began
        return images

    # ------------------------------------------------------------------ start and end

    def start(self) -> None:
        """Bring networks and position to where the run starts or resumes."""
        for line in self.plan.notes:
            logger.warning(line)
        logger.info(
            f"{len(self.dataset)} images from {self.plan.directory} to {self.folder.path}, "
            f"starting from {self.plan.origin}"
        )
        if warning := self.dataset.size_warning:
            logger.warning(warning)
        checkpoint, seconds = self.plan.checkpoint, 0.0
        if checkpoint is not None:
            self.state.check_data(checkpoint)
            self.state.restore(checkpoint)
            seconds = self.folder.forget_after(checkpoint.step)
        elif self.plan.init != "scratch" and (note := self.state.load_model()):
            logger.warning(note)
        if self.state.in_warm_start or self.settings.anchor_weight > 0.0:
            self.find_codes()
        self.state.write_config()
        self.pace.restart(seconds)
        self._saved = time.monotonic()
        if checkpoint is None:
            # A run that cannot be saved should fail now, not after its first thousand steps.
            self.save_checkpoint()

    def find_codes(self) -> None:
        """Find what is missing of the codes of images."""
        codes = self.state.codes

        def show(stage: str, every: int) -> Callable[[int, int], None]:
            return _stage(stage, self.interruption, self.progress, every=every, whole=True)

        if codes.components is None:
            logger.info(codes.find_components(self.dataset, show("components", 1000)))
        if self.settings.identity_codes and codes.identities is None:
            logger.info(codes.find_identities(self.dataset, show("identities", 1024)))

    def over(self) -> bool:
        """Whether the steps, epochs or minutes asked for are done."""
        minutes = self.settings.minutes
        if minutes is not None and self.pace.seconds() >= minutes * 60:
            return True
        return self.state.position.step >= self.last_step

    def finish(self) -> None:
        """Say what was done, and what was found about the data set."""
        logger.info(
            f"{self.state.position.step} steps done in {duration(self.pace.seconds())}: "
            f"{self.folder.model}"
        )
        for line in self.dataset.summary.splitlines():
            logger.info(line)

    def interrupted(self, signal_number: int) -> Interrupted:
        """The error that ends an interrupted run and says how to resume it."""
        runs = "" if self.settings.runs == "runs" else f" --runs {self.settings.runs}"
        return Interrupted(
            f"stopped after step {self.state.position.step}; resume with: python -m ffgan train "
            f"{self.plan.directory} --name {self.folder.path.name}{runs}",
            signal_number,
        )

    def go_back(self, why: str) -> None:
        """Return to the last good checkpoint, once, and on with other batches and latents."""
        failed = self.state.position
        where = f"at step {failed.step + 1}: {why}"
        checkpoint, damaged = self.folder.newest(good=True)
        if failed.returns > 0 or checkpoint is None:
            raise DivergedError(
                f"training diverged {where}, after going back once; the last good checkpoint stays "
                f"in {self.folder.checkpoints}: try lower learning rates or --augment all"
            )
        for line in damaged:
            logger.warning(line)
        self.state.restore(checkpoint)
        self.state.position = failed.after_return(self.state.position)
        self.real_images.close()
        self.pace.restart(self.folder.forget_after(checkpoint.step))
        self.save_checkpoint()
        logger.warning(
            f"training diverged {where}; "
            f"back at step {checkpoint.step}, with other images and noise"
        )

    # ------------------------------------------------------------------ what the run leaves

    def due(self, every: int) -> bool:
        """Whether this step ends an interval."""
        return self.state.position.step % every == 0

    def checkpoint_is_due(self) -> bool:
        """Whether `checkpoint_every` steps or `checkpoint_minutes` are over, whichever is first."""
        late = time.monotonic() - self._saved >= self.settings.checkpoint_minutes * 60
        return late or self.due(self.settings.checkpoint_every)

    def show(self, measures: Mapping[str, float]) -> None:
        """Count the step and tell the caller."""
        notable = self.due(self.settings.log_every) or self.state.position.step == 1
        self.progress(self.pace.progress(self.state, measures, notable=notable))

    def pressed_keys(self) -> set[str]:
        """What the user asked of the window during the last step; closing it ends nothing else."""
        keys: set[str] = set()
        while self.window is not None and (action := self.window.wait(0)) != "timeout":
            keys.add(action)
            if action in ("quit", "closed"):
                self.window.close()
                self.window = None
        return keys

    def log(self) -> None:
        """One line of train.jsonl: the means since the last one."""
        if line := self.pace.line():
            self.state.write_log(line, stage=self.state.stage, seconds=self.pace.seconds())

    def sample(self) -> None:
        """The averaged generator's faces of the first seeds, as one picture."""
        grid = self.state.write_samples()
        if self.window is not None:
            step = f"{self.folder.path.name}, step {self.state.position.step}"
            self.window.show(grid, f"ffgan: {step}, seeds 0 to {SAMPLES - 1}")

    def evaluate(self) -> None:
        """Measure the averaged generator on the held-out images; keep it if none was better.

        The speed of the training does not count this.
        """
        began = time.monotonic()

        def show(done: int, total: int) -> None:
            if self.interruption is not None and self.interruption.received is not None:
                raise self.interrupted(self.interruption.received)
            self.progress(Progress("evaluation", done, total))

        try:
            lines = self.evaluations.run(seconds=self.pace.seconds, show=show)
        except Interrupted:
            # The loop saves and ends the run; the evaluation comes first when it is resumed.
            return
        for line in lines:
            logger.info(line)
        self.pace.pause(time.monotonic() - began)

    def save(self) -> bool:
        """Checkpoint, model and report; False when there was cause to go back instead."""
        from ffgan.training.report import write_report

        if broken := self.state.broken_parameter():
            self.go_back(broken)
            return False
        self.log()
        self.state.estimate_statistics()
        self.save_checkpoint()
        self.state.save_model(self.folder.model)
        write_report(self.folder)
        return True

    def save_checkpoint(self) -> None:
        """Write the checkpoint of this position."""
        self.state.save_checkpoint()
        self._saved = time.monotonic()


def open_dataset(plan: Plan, *, cache: str | None, skipped_log: Path | None) -> Dataset:
    """The images that a run is on."""
    return Dataset(
        plan.directory,
        fit=plan.settings.fit,
        cache=cache,
        skipped_log=skipped_log,
        workers=plan.settings.workers,
    )


def open_held_out(
    plan: Plan, interruption: Interruption | None = None, progress: ShowProgress = show_nothing
) -> HeldOut | None:
    """The images that a run is evaluated on, if it is."""
    settings = plan.settings
    if settings.heldout is None or not settings.evaluate_every:
        return None
    return HeldOut(
        settings.heldout,
        samples=settings.evaluate_samples,
        fit=settings.fit,
        workers=settings.workers,
        progress=_stage("held-out images", interruption, progress),
    )


def _stage(
    stage: str,
    interruption: Interruption | None,
    progress: ShowProgress,
    *,
    every: int | None = None,
    whole: bool = False,
) -> Callable[[int, int], None]:
    """A function that tells how far a stage before the first step is, and that a signal stops.

    With ``whole`` it counts for itself in the bar.
    """

    def show(done: int, total: int) -> None:
        if interruption is not None and interruption.received is not None:
            raise Interrupted(
                "stopped before the first step; start again with the same command",
                interruption.received,
            )
        notable = done == total or (every is not None and done % every == 0)
        fraction = done / total if whole else None
        progress(Progress(stage, done, total, fraction=fraction, notable=notable))

    return show
