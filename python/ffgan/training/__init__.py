# SPDX-License-Identifier: GPL-3.0-or-later
"""Training: `train` is the whole of it, and `_Run.loop` is the algorithm on one page."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ffgan import _core, faces, features
from ffgan.dataset import Batches, Dataset
from ffgan.errors import DivergedError, ModelError, UsageError
from ffgan.interruption import Interrupted as Interrupted
from ffgan.interruption import Interruption
from ffgan.latent import noise
from ffgan.model import by_network
from ffgan.progress import Progress, describe, duration
from ffgan.shapes import LATENT_SIZE
from ffgan.training import identity_codes, warm_start
from ffgan.training.identity_codes import IdentityCodes
from ffgan.training.run_folder import Checkpoint, write
from ffgan.training.settings import EVALUATION, LIMITS, WHERE, Plan, resolve
from ffgan.training.settings import Settings as Settings
from ffgan.training.validation import FIGURE, RECORD, HeldOut
from ffgan.training.warm_start import PrincipalComponents
from ffgan.typing import Float32, UInt8

SAMPLES = 36
STATISTICS_LATENTS = 256
# Of the measurement that tells how long an evaluation takes.
TIMED_SAMPLES = 32

# A discriminator that has won or given up: see `_Run.looks_collapsed`.
COLLAPSE_LOSS = 1e-4
COLLAPSE_STEPS = 500

# First entries of the seeds that separate the streams of random numbers (3 to 5: warm_start.py,
# identity_codes.py).
LATENT_STREAM = 1
STATISTICS_STREAM = 2


@dataclass(frozen=True)
class Position:
    """Where a run is. With settings and images it determines every batch and latent to come.

    `offset` is added to the step's number to get that of its batch and latents: the draws that a
    return to an earlier checkpoint, of which `returns` is the number, has passed over. `suspect`
    counts the steps in a row that `looks_collapsed`.
    """

    step: int = 0
    offset: int = 0
    returns: int = 0
    suspect: int = 0


def train(directory: str | Path, **settings: Any) -> Path:
    """Train on the images below `directory`; the same as `python -m ffgan train`.

    The keyword arguments are fields of `Settings`. A run that goes on keeps its own settings for
    those not given. Returns the path of the run folder's model.safetensors.

    Raises UsageError and DatasetError for bad input, ModelError when the model to start from is not
    one, CheckpointError when the run folder cannot be read or written, DivergedError when training
    fails twice, Interrupted after SIGINT or SIGTERM.
    """
    plan = resolve(directory, settings)
    with ExitStack() as stack:
        interruption = stack.enter_context(Interruption("finishing this step, then saving"))
        dataset = stack.enter_context(
            _dataset(plan, cache=plan.settings.cache, skipped_log=plan.folder.skipped)
        )
        window = None
        if plan.settings.window:
            from ffgan.viewer import Window

            window = stack.enter_context(Window("ffgan: training"))
        progress = stack.enter_context(Progress())
        held_out = _held_out(plan, interruption, progress)
        stack.enter_context(plan.folder.locked())
        run = _Run(plan, dataset, interruption, progress, window, held_out)
        run.start()
        run.loop()
        run.finish()
    return plan.folder.model


def dry_run(directory: str | Path, **settings: Any) -> str:
    """What `train` would do with these settings, and how long it would take.

    The time is measured on two real steps of each stage; nothing is written. Raises what `train`
    raises.
    """
    plan = resolve(directory, settings)
    # Without the cache, which would be written.
    with _dataset(plan, cache=None, skipped_log=None) as dataset, Progress() as progress:
        held_out = _held_out(plan, None, progress)
        run = _Run(plan, dataset, None, progress, None, held_out)
        seconds = run.seconds_per_step()
        settled = plan.settings
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in asdict(settled).items()]
        lines.append(f"images: {len(dataset)} in {plan.directory}")
        lines.append(f"run folder: {plan.folder.path}")
        lines.append(f"starts from: {run.origin()}")
        lines.append(f"seconds per step: {seconds['adversarial']:.3f}")
        done = plan.checkpoint.step if plan.checkpoint else 0
        if warm := max(0, settled.warm_start - done):
            lines.append(f"seconds per warm-start step: {seconds['warm start']:.3f}")
        if held_out is not None:
            lines.append(f"held-out images: {held_out.samples} of {held_out.images}")
            lines.append(f"seconds per evaluation: {seconds['evaluation']:.1f}")
        if math.isfinite(run.last_step):
            rest = max(0, int(run.last_step) - max(done, settled.warm_start))
            estimate = warm * seconds["warm start"] + rest * seconds["adversarial"]
            if held_out is not None and settled.evaluate_every:
                measured = math.ceil((warm + rest) / settled.evaluate_every)
                estimate += measured * seconds["evaluation"]
            lines.append(f"steps: {warm} warm start, {rest} adversarial")
        else:
            estimate = math.inf
        if settled.minutes is not None:
            estimate = min(estimate, settled.minutes * 60)
        lines.append(f"estimated time: {duration(estimate)}")
        lines += plan.notes
    return "\n".join(lines)


def statistics_latents(seed: int) -> Float32:
    """The latents (n, 100) that a run with this seed estimates batch-norm statistics over."""
    generator = np.random.default_rng((seed, STATISTICS_STREAM))
    return generator.standard_normal((STATISTICS_LATENTS, LATENT_SIZE)).astype(np.float32)


def make_trainer(settings: Settings) -> _core.Trainer:
    """The engine's trainer of these settings, before its first step."""
    if settings.threads is not None:
        _core.set_threads(settings.threads)
    chosen = settings.augmentations
    resources: dict[str, Any] = {}
    if settings.projected_weight > 0.0:
        resources["recognition"] = str(faces.recognition_file(settings.recognition))
    if settings.imagenet_weight > 0.0:
        resources["imagenet"] = features.training_network()
    own = {"colour", "translation", "cutout", "recognition", "imagenet"}
    shared = _core.trainer_settings().keys() - own
    return _core.Trainer(
        **{name: getattr(settings, name) for name in shared},
        colour="colour" in chosen,
        translation=settings.translation if "translation" in chosen else 0,
        cutout=settings.cutout if "cutout" in chosen else 0,
        **resources,
    )


class _Run:
    """One run of `train`: the networks, the position, and the run folder."""

    def __init__(
        self,
        plan: Plan,
        dataset: Dataset,
        interruption: Interruption | None,
        progress: Progress,
        window: Any,
        held_out: HeldOut | None = None,
    ) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.folder = plan.folder
        self.dataset = dataset
        self.interruption = interruption
        self.progress = progress
        self.window = window
        self.held_out = held_out
        self.position = Position()
        self.components: PrincipalComponents | None = None
        self.identities: IdentityCodes | None = None
        self.trainer = make_trainer(self.settings)
        self.last_step = self._last_step()
        self._real: Batches | None = None
        self._seconds_before = 0.0
        self._began = time.monotonic()
        self._interval = _Interval(self._began)
        self._saved = self._began
        self._statistics_of: Position | None = None

    # ------------------------------------------------------------------ the algorithm

    def loop(self) -> None:
        """The warm start (docs/training.md), then the DCGAN's schedule (Radford et al. 2015)."""
        done = self.over()
        if not done and self.evaluation_is_due() and not self.evaluated():
            self.evaluate()
        while not done:
            if self.position.step < self.settings.warm_start:
                measures = self.warm_start_step()
            else:
                measures = self.adversarial_step()
            if trouble := self.trouble(measures):
                self.go_back(trouble)
                continue
            self.position = replace(
                self.position,
                step=self.position.step + 1,
                suspect=self.position.suspect + 1 if self.looks_collapsed(measures) else 0,
            )
            self.show(measures)
            if self.due(self.settings.log_every):
                self.log()
            done = self.over()
            keys = self.pressed_keys()
            if done or "next" in keys or self.due(self.settings.sample_every):
                self.sample()
            if done or self.evaluation_is_due():
                self.evaluate()
            signal_number = None if self.interruption is None else self.interruption.received
            if done or "save" in keys or signal_number is not None or self.checkpoint_is_due():
                done = self.save() and done
            if signal_number is not None and not done:
                raise self.interrupted(signal_number)

    def adversarial_step(self) -> dict[str, float]:
        """Noise z, real images x; D learns to tell x from G(z), G to make D err."""
        settings, step = self.settings, self.position.step
        z = self.latents()
        x = self.next_images(settings.batch)
        anchored = 0
        if settings.anchor_weight > 0.0:
            anchored = round(settings.anchor_share * settings.batch)
            z[:anchored] = self.codes(x[:anchored])
        self.trainer.set_blur(self.blur())
        warmed_up = step >= settings.warm_start + settings.discriminator_warmup
        return self.trainer.step(x, z, update_generator=warmed_up, anchored=anchored)

    def blur(self) -> float:
        """The blur of this step's images before D, in pixels: it falls along a straight line."""
        blur, steps = self.settings.blur, self.settings.blur_steps
        if not steps:
            return blur
        done = self.position.step - self.settings.warm_start
        return blur * max(0.0, 1.0 - done / steps)

    def warm_start_step(self) -> dict[str, float]:
        """G alone learns to rebuild image i from code i; the averaged weights go on from there."""
        settings, step = self.settings, self.position.step
        x = self.next_images(settings.warm_start_batch)
        rate = warm_start.learning_rate(step, settings.warm_start)
        loss = self.trainer.reconstruct(self.codes(x), x, rate)
        if step + 1 == settings.warm_start:
            # Those of this position were estimated, if at all, before the step.
            self._statistics_of = None
            self.estimate_statistics()
            self.trainer.set_parameters("generator", self.trainer.parameters("averaged"))
        return {"loss": float(loss)}

    def codes(self, images: UInt8) -> Float32:
        """The codes (n, 100) of images (n, 162, 162, 3)."""
        assert self.components is not None
        codes = self.components.codes(images)
        if self.identities is not None and len(images):
            embeddings = identity_codes.embed(images, self.settings.recognition)
            self.identities.replace(codes, embeddings)
        return codes

    def latents(self) -> Float32:
        """z of this step, (batch, 100) from N(0, I): a function of the seed and the position."""
        draw = self.position.step + self.position.offset
        generator = np.random.default_rng((self.settings.seed, LATENT_STREAM, draw))
        return generator.standard_normal((self.settings.batch, LATENT_SIZE)).astype(np.float32)

    def next_images(self, batch: int) -> UInt8:
        """x of this step, (batch, 162, 162, 3): likewise a function of seed and position."""
        if self._real is None or self.position.step == self.settings.warm_start:
            if self._real is not None:
                self._real.close()
            self._real = self.dataset.batches(
                batch,
                seed=self.settings.seed,
                start=self.position.step + self.position.offset,
                flip=self.settings.flip,
            )
        began = time.monotonic()
        images = next(self._real)
        self._interval.waited += time.monotonic() - began
        return images

    # ------------------------------------------------------------------ start and end

    def origin(self) -> str:
        """What the run starts from, for people."""
        if self.plan.checkpoint is not None:
            return f"step {self.plan.checkpoint.step} of {self.folder.path}"
        if self.plan.init == "scratch":
            warm = self.settings.warm_start
            return f"scratch, after a warm start of {warm} steps" if warm else "scratch"
        return "the packaged model" if self.plan.init == "model" else self.plan.init[6:]

    def start(self) -> None:
        """Bring networks and position to where the run goes on."""
        for note in self.plan.notes:
            self.progress.say(note)
        self.progress.say(
            f"{len(self.dataset)} images from {self.plan.directory} to {self.folder.path}, "
            f"starting from {self.origin()}"
        )
        checkpoint = self.plan.checkpoint
        if checkpoint is not None:
            if checkpoint.record["data"]["hash"] != self.dataset.hash:
                raise UsageError(
                    f"{self.plan.directory} does not hold the images that {self.folder.path} was "
                    f"trained on ({checkpoint.record['data']['images']} then, {len(self.dataset)} "
                    f"now): choose a new --name with --init model:{self.folder.model}"
                )
            self._restore(checkpoint)
            self._seconds_before = self.folder.forget_after(checkpoint.step)
        elif self.plan.init != "scratch":
            self._load_model()
        if self._needs_components():
            if self.components is None:
                self._find_components()
            if self.settings.identity_codes and self.identities is None:
                self._find_identities()
        self._write_config()
        self._began = self._saved = time.monotonic()
        self._interval = _Interval(self._began)
        if checkpoint is None:
            # A run that cannot be saved should fail now, not after its first thousand steps.
            self._save_checkpoint()

    def over(self) -> bool:
        """Whether the steps, epochs or minutes asked for are done."""
        minutes = self.settings.minutes
        if minutes is not None and self.seconds() >= minutes * 60:
            return True
        return self.position.step >= self.last_step

    def finish(self) -> None:
        """Say what was done, and what the data set has to say."""
        self.progress.say(
            f"{self.position.step} steps done in {duration(self.seconds())}: {self.folder.model}"
        )
        self.progress.say(self.dataset.summary)

    def interrupted(self, signal_number: int) -> Interrupted:
        """The error that ends an interrupted run and says how to go on."""
        runs = "" if self.settings.runs == "runs" else f" --runs {self.settings.runs}"
        return Interrupted(
            f"stopped after step {self.position.step}; go on with: python -m ffgan train "
            f"{self.plan.directory} --name {self.folder.path.name}{runs}",
            signal_number,
        )

    def seconds(self) -> float:
        """Seconds of training so far, over all parts of the run."""
        return self._seconds_before + time.monotonic() - self._began

    def seconds_per_step(self) -> dict[str, float]:
        """The time of the second of two steps of each stage (the first one allocates)."""
        batch, warm_batch = self.settings.batch, self.settings.warm_start_batch
        x = next(self.dataset.batches(max(batch, warm_batch), seed=self.settings.seed))
        z = np.random.default_rng(0).standard_normal((len(x), LATENT_SIZE)).astype(np.float32)
        seconds = {
            "adversarial": _time_of_second(lambda: self.trainer.step(x[:batch], z[:batch])),
            "warm start": _time_of_second(
                lambda: self.trainer.reconstruct(z[:warm_batch], x[:warm_batch], 1e-6)
            ),
        }
        if self.held_out is not None:
            held_out, few = self.held_out, min(self.held_out.samples, TIMED_SAMPLES)
            time_of_few = _time_of_second(
                lambda: held_out.measure(self.trainer.sample, samples=few)
            )
            seconds["evaluation"] = time_of_few * held_out.samples / few
        return seconds

    def _last_step(self) -> float:
        settings = self.settings
        limits = []
        if settings.steps is not None:
            limits.append(settings.steps)
        if settings.epochs is not None:
            limits.append(math.ceil(settings.epochs * len(self.dataset) / settings.batch))
        return settings.warm_start + min(limits) if limits else math.inf

    def _load_model(self) -> None:
        from ffgan.model import Model

        path = self.plan.init.removeprefix("model").removeprefix(":")
        model = Model.load(path or None)
        networks = by_network(model.parameters)
        for network in ("generator", "averaged"):
            self.trainer.set_parameters(network, networks["generator"])
        if self.settings.new_discriminator:
            self.progress.say("the discriminator starts from scratch")
        elif model.discriminator == self.settings.discriminator:
            self.trainer.set_parameters("discriminator", networks["discriminator"])
        else:
            self.progress.say(
                f"the model's discriminator is {model.discriminator}: "
                f"{self.settings.discriminator} starts from scratch"
            )

    def _needs_components(self) -> bool:
        settings = self.settings
        return self.position.step < settings.warm_start or settings.anchor_weight > 0.0

    def _find_components(self) -> None:
        def show(done: int, total: int) -> None:
            _stop_before_the_first_step(self.interruption)
            line = done % 1000 == 0 or done == total
            self.progress.update(done / total, "components", f"{done}/{total} images", line=line)

        self.components = warm_start.principal_components(
            self.dataset, seed=self.settings.seed, flip=self.settings.flip, progress=show
        )
        self.progress.say(
            f"the first {warm_start.CODE_SIZE} principal components hold "
            f"{self.components.explained:.1%} of the variance"
        )

    def _find_identities(self) -> None:
        def show(done: int, total: int) -> None:
            _stop_before_the_first_step(self.interruption)
            line = done % 1024 == 0 or done == total
            self.progress.update(done / total, "identities", f"{done}/{total} images", line=line)

        assert self.components is not None
        count = self.settings.identity_codes
        self.identities = identity_codes.identity_codes(
            self.dataset,
            self.components,
            count,
            seed=self.settings.seed,
            flip=self.settings.flip,
            recognition=self.settings.recognition,
            progress=show,
        )
        self.progress.say(
            f"with {count} of their own in place of the last ones, the components hold "
            f"{self.identities.explained:.1%} of the identities' variance"
        )

    # ------------------------------------------------------------------ divergence

    def trouble(self, measures: Mapping[str, float]) -> str | None:
        """Why the run cannot go on from here, or None."""
        for name, value in measures.items():
            if not math.isfinite(value):
                return f"{name} is {value}"
        if self.position.suspect >= COLLAPSE_STEPS:
            return f"the discriminator has collapsed for {COLLAPSE_STEPS} steps"
        return None

    def looks_collapsed(self, measures: Mapping[str, float]) -> bool:
        """Whether D has nothing to say any more: certain of everything, or one answer for all.

        One such step is healthy, `COLLAPSE_STEPS` of them in a row are not. The steps in which D
        learns alone do not count.
        """
        settings = self.settings
        alone = self.position.step < settings.warm_start + settings.discriminator_warmup
        if alone or "loss_d" not in measures or settings.adversarial_weight == 0.0:
            return False
        answers = (measures["accuracy_real"], measures["accuracy_fake"])
        return measures["loss_d"] < COLLAPSE_LOSS or answers in ((1.0, 0.0), (0.0, 1.0))

    def go_back(self, trouble: str) -> None:
        """Return to the last good checkpoint, once, and on with other batches and latents."""
        where = f"at step {self.position.step + 1}: {trouble}"
        checkpoint, damaged = self.folder.newest(good=True)
        if self.position.returns > 0 or checkpoint is None:
            raise DivergedError(
                f"training diverged {where}, after going back once; the last good checkpoint stays "
                f"in {self.folder.checkpoints}: try lower learning rates or --augment all"
            )
        for line in damaged:
            self.progress.say(line)
        failed = self.position
        self._restore(checkpoint)
        # The draws go on after those that failed, or the same bytes would fail again.
        passed_over = failed.step + 1 - self.position.step
        self.position = replace(
            self.position,
            offset=failed.offset + passed_over,
            returns=failed.returns + 1,
        )
        if self._real is not None:
            self._real.close()
            self._real = None
        self._seconds_before = self.folder.forget_after(checkpoint.step)
        self._began = time.monotonic()
        self._interval = _Interval(self._began)
        self._save_checkpoint()
        self.progress.say(
            f"training diverged {where}; "
            f"back at step {checkpoint.step}, with other images and noise"
        )

    # ------------------------------------------------------------------ what the run leaves

    def due(self, every: int) -> bool:
        """Whether this step ends an interval."""
        return self.position.step % every == 0

    def checkpoint_is_due(self) -> bool:
        """Whether `checkpoint_every` steps or `checkpoint_minutes` are over, whichever is first."""
        late = time.monotonic() - self._saved >= self.settings.checkpoint_minutes * 60
        return late or self.due(self.settings.checkpoint_every)

    def show(self, measures: Mapping[str, float]) -> None:
        """Count the step and move the progress bar."""
        images = (
            self.settings.warm_start_batch
            if self.position.step <= self.settings.warm_start
            else self.settings.batch
        )
        self._interval.add(images, measures)
        rate = self._interval.images / max(time.monotonic() - self._interval.began, 1e-9)
        fractions = []
        if math.isfinite(self.last_step):
            fractions.append(self.position.step / self.last_step)
        if self.settings.minutes is not None:
            fractions.append(self.seconds() / (self.settings.minutes * 60))
        fraction = min(1.0, max(fractions))
        seconds_per_step = images / max(rate, 1e-9)
        left = math.inf
        if math.isfinite(self.last_step):
            left = (self.last_step - self.position.step) * seconds_per_step
        if self.settings.minutes is not None:
            left = min(left, self.settings.minutes * 60 - self.seconds())
        total = f"/{int(self.last_step)}" if math.isfinite(self.last_step) else ""
        stage = "warm start" if self.position.step <= self.settings.warm_start else "step"
        line = self.due(self.settings.log_every) or self.position.step == 1
        self.progress.update(
            fraction,
            f"{stage} {self.position.step}{total}",
            f"{rate:.1f} images/s · {duration(left)} left",
            describe(measures),
            line=line,
        )

    def pressed_keys(self) -> set[str]:
        """What the user asked of the window during the last step; closing it ends nothing else."""
        keys: set[str] = set()
        while self.window is not None and (action := self.window.wait(0)) != "timeout":
            keys.add(action)
            if action in ("quit", "closed"):
                self.window.close()
                self.window = None
        return keys

    def images_seen(self) -> int:
        """Training images used so far, counted each time."""
        warm = min(self.position.step, self.settings.warm_start)
        adversarial = self.position.step - warm
        return warm * self.settings.warm_start_batch + adversarial * self.settings.batch

    def log(self) -> None:
        """One line of train.jsonl: the means since the last one."""
        interval = self._interval
        if not interval.steps:
            return
        now = time.monotonic()
        passed = max(now - interval.began, 1e-9)
        in_warm_start = self.position.step <= self.settings.warm_start
        self.folder.append(
            {
                "step": self.position.step,
                "stage": "warm start" if in_warm_start else "adversarial",
                "images": self.images_seen(),
                "seconds": round(self.seconds(), 3),
                **interval.means(),
                "images_per_second": round(interval.images / passed, 3),
                "waiting": round(interval.waited / passed, 5),
            }
        )
        self._interval = _Interval(now)

    def estimate_statistics(self) -> None:
        """Batch-norm statistics of the averaged generator, always over the same latents."""
        if self._statistics_of == self.position:
            return
        self._statistics_of = self.position
        self.trainer.estimate_statistics(statistics_latents(self.settings.seed))

    def sample(self) -> None:
        """The averaged generator's faces of seeds 0 to 35, as one picture."""
        from ffgan import images

        self.estimate_statistics()
        latents = np.stack([noise(seed) for seed in range(SAMPLES)])
        grid = images.grid(self.trainer.sample(latents, averaged=True))
        metadata = {
            "program": f"ffgan {_core.__version__}",
            "run": self.folder.path.name,
            "step": str(self.position.step),
            "seeds": f"0 to {SAMPLES - 1}",
        }
        path = self.folder.samples / f"step-{self.position.step:08d}.png"
        write(path, images.encode(grid, "png", metadata=metadata))
        if self.window is not None:
            step = f"{self.folder.path.name}, step {self.position.step}"
            self.window.show(grid, f"ffgan: {step}, seeds 0 to {SAMPLES - 1}")

    def evaluation_is_due(self) -> bool:
        """Whether this step ends an interval of `evaluate_every`.

        Step 0 does if it is a model: what is fine-tuned may be the best already.
        """
        every = self.settings.evaluate_every
        if self.held_out is None or not every or not self.due(every):
            return False
        return self.position.step > 0 or self.plan.init != "scratch"

    def evaluated(self) -> bool:
        """Whether it was done: a signal may have cut it short before the checkpoint."""
        return any(
            line.get("stage") == "evaluation" and line["step"] == self.position.step
            for line in self.folder.lines()
        )

    def evaluate(self) -> None:
        """Measure the averaged generator on the held-out images; keep it if none was better.

        Nothing in it changes the run: it draws no random numbers and touches no network but the
        averaged generator's statistics, which are estimated anew before every use.
        """
        held_out = self.held_out
        if held_out is None or self.broken_parameter() is not None:
            return
        step, began = self.position.step, time.monotonic()

        def show(done: int, total: int) -> None:
            if self.interruption is not None and self.interruption.received is not None:
                raise self.interrupted(self.interruption.received)
            self.progress.update(None, f"evaluation, step {step}", f"{done}/{total}", line=False)

        self.estimate_statistics()
        try:
            figures = held_out.measure(self.trainer.sample, progress=show)
        except Interrupted:
            # The loop saves and ends the run; the evaluation comes first when it goes on.
            return
        distance, best = figures[FIGURE], self._best_so_far(held_out)
        assert distance is not None
        if distance < best:
            self._save_model(self.folder.best, {RECORD: held_out.record(step, figures)})
        self.folder.append(
            {
                "step": step,
                "stage": "evaluation",
                "images": self.images_seen(),
                "seconds": round(self.seconds(), 3),
                **{k: None if v is None else round(v, 6) for k, v in figures.items()},
            }
        )
        verdict = f"the best was {best:.2f}" if distance >= best else f"best: {self.folder.best}"
        self.progress.say(
            f"step {step}: Frechet distance {distance:.2f} on {held_out.samples} held-out images; "
            f"{verdict}"
        )
        # The rate of the training does not count this.
        self._interval.began += time.monotonic() - began

    def _best_so_far(self, held_out: HeldOut) -> float:
        try:
            return held_out.best(self.folder.best)
        except ModelError as error:
            self.progress.say(f"{error}; this evaluation's model takes its place")
            return math.inf

    def broken_parameter(self) -> str | None:
        """What is wrong with the parameters, or None: a NaN or an infinity in one of them."""
        for network in ("generator", "averaged", "discriminator"):
            for name, tensor in self.trainer.parameters(network).items():
                if not np.isfinite(tensor).all():
                    return f"{name} of the {network} is not finite"
        return None

    def save(self) -> bool:
        """Checkpoint, model and report; False when there was cause to go back instead."""
        from ffgan.training.report import write_report

        if broken := self.broken_parameter():
            self.go_back(broken)
            return False
        self.log()
        self.estimate_statistics()
        self._save_checkpoint()
        self._save_model(self.folder.model)
        write_report(self.folder)
        return True

    def _record(self) -> dict[str, Any]:
        settings = {k: v for k, v in asdict(self.settings).items() if k not in WHERE}
        return {
            "stage": "warm start"
            if self.position.step < self.settings.warm_start
            else "adversarial",
            "position": asdict(self.position),
            "settings": settings,
            "data": {"images": len(self.dataset), "hash": self.dataset.hash},
        }

    def _save_checkpoint(self) -> None:
        tensors = {f"trainer.{name}": t for name, t in self.trainer.state().items()}
        if self.components is not None:
            for name, tensor in self.components.tensors().items():
                tensors[f"principal_components.{name}"] = tensor
        if self.identities is not None:
            for name, tensor in self.identities.tensors().items():
                tensors[f"identity_codes.{name}"] = tensor
        self.folder.save(
            Checkpoint(
                self.position.step, tensors, self._record(), good=self.position.suspect == 0
            ),
            self.settings.keep_checkpoints,
        )
        self._saved = time.monotonic()

    def _restore(self, checkpoint: Checkpoint) -> None:
        tensors = by_network(checkpoint.tensors)
        self.trainer.load_state(tensors["trainer"])
        self.trainer.set_learning_rates(
            self.settings.learning_rate_g, self.settings.learning_rate_d
        )
        if "principal_components" in tensors:
            self.components = PrincipalComponents.from_tensors(tensors["principal_components"])
        if "identity_codes" in tensors:
            found = IdentityCodes.from_tensors(tensors["identity_codes"])
            # Another number of them is found anew.
            if len(found) == self.settings.identity_codes:
                self.identities = found
        self.position = Position(**checkpoint.record["position"])

    def _save_model(self, path: Path, more: Mapping[str, str] | None = None) -> None:
        from ffgan.model import save_model

        settings = asdict(self.settings)
        for name in (*LIMITS, *WHERE, *EVALUATION, "cache", "window", "workers"):
            del settings[name]
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
                "data": f"{len(self.dataset)} images, SHA-256 of the list {self.dataset.hash}",
                "settings": json.dumps(settings, sort_keys=True),
                "version": _core.__version__,
                **(more or {}),
            },
        )

    def _write_config(self) -> None:
        changes = []
        if self.plan.checkpoint is not None and self.folder.config.exists():
            changes = json.loads(self.folder.config.read_text("utf-8")).get("changes", [])
        if self.plan.changes:
            changes.append({"step": self.position.step, "settings": self.plan.changes})
        config = {
            "settings": asdict(self.settings),
            "starts_from": self.origin(),
            "directory": str(self.plan.directory),
            "images": len(self.dataset),
            "data_hash": self.dataset.hash,
            "changes": changes,
            "version": _core.__version__,
            "engine": _core.engine(),
        }
        write(self.folder.config, (json.dumps(config, indent=2) + "\n").encode())


class _Interval:
    """The sums between two lines of train.jsonl."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.waited = 0.0
        self.steps = 0
        self.images = 0
        self._sums: dict[str, float] = {}

    def add(self, images: int, measures: Mapping[str, float]) -> None:
        if measures.keys() != self._sums.keys():
            # The stage has changed: the other one's measures do not mix with these.
            self._sums = dict.fromkeys(measures, 0.0)
            self.steps = 0
        self.steps += 1
        self.images += images
        for name, value in measures.items():
            self._sums[name] += value

    def means(self) -> dict[str, float]:
        return {name: round(value / self.steps, 6) for name, value in self._sums.items()}


def _dataset(plan: Plan, *, cache: str | None, skipped_log: Path | None) -> Dataset:
    return Dataset(
        plan.directory,
        fit=plan.settings.fit,
        cache=cache,
        skipped_log=skipped_log,
        workers=plan.settings.workers,
    )


def _held_out(plan: Plan, interruption: Interruption | None, progress: Progress) -> HeldOut | None:
    settings = plan.settings
    if settings.heldout is None or not settings.evaluate_every:
        return None

    def show(done: int, total: int) -> None:
        _stop_before_the_first_step(interruption)
        progress.update(None, "held-out images", f"{done}/{total} images", line=done == total)

    return HeldOut(
        settings.heldout,
        samples=settings.evaluate_samples,
        fit=settings.fit,
        workers=settings.workers,
        progress=show,
    )


def _stop_before_the_first_step(interruption: Interruption | None) -> None:
    if interruption is not None and interruption.received is not None:
        raise Interrupted(
            "stopped before the first step; start again with the same command",
            interruption.received,
        )


def _time_of_second(step: Callable[[], object]) -> float:
    step()
    began = time.monotonic()
    step()
    return time.monotonic() - began
