# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: the steps of a run, and what is to be done between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from ffgan.dataset import Batch, Dataset
from ffgan.errors import CheckpointError, DivergedError, UnavailableError
from ffgan.interruption import Interrupted, Interruption
from ffgan.model import by_network
from ffgan.progress import Progress, duration
from ffgan.ranks import Ranks, met
from ffgan.training import enough, inputs, warm_start
from ffgan.training.clock import Clock
from ffgan.training.divergence import looks_collapsed, trouble
from ffgan.training.inputs import RealImages
from ffgan.training.opening import stage
from ffgan.training.outputs import Failure, Outputs
from ffgan.training.pace import Pace
from ffgan.training.plan import Plan
from ffgan.training.run_state import SAMPLES, RunState
from ffgan.training.telling import Teller
from ffgan.training.validation import Evaluations, HeldOut
from ffgan.typing import Float32
from ffgan.wording import counted

RETRY: Final = 60.0
"""Seconds until a checkpoint that could not be written is tried again, or sooner if one is due."""


class Loop:
    """The steps of one run, and what is to be done between them."""

    def __init__(
        self,
        plan: Plan,
        dataset: Dataset,
        tell: Teller,
        interruption: Interruption | None = None,
        window: Any = None,
        held_out: HeldOut | None = None,
        clock: Clock | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.folder = plan.folder
        self.dataset = dataset
        self.interruption = interruption
        self.tell = tell
        self.window = window
        self.ranks = ranks or Ranks()
        self.ranks.received = lambda: self.stopped_by
        self.state = RunState(plan, dataset, self.ranks)
        self.outputs = Outputs(self.tell, lambda: self.stopped_by is not None)
        self.evaluations = Evaluations(held_out, self.state, self.outputs)
        self.real_images = RealImages(
            dataset, plan.settings, self.ranks, weights=self.state.weights
        )
        self.now = (clock or Clock()).now
        self.pace = Pace(self.now, self.ranks)
        self.last_step = self.state.last_step()
        self._saved_at = self.now()
        self._saved_step = -1
        self._within_step = False

    # ------------------------------------------------------------------ the algorithm

    def run(self) -> None:
        """Train to the end; whatever ends it earlier, the steps done are saved."""
        try:
            self.train()
        except (DivergedError, CheckpointError):
            raise  # the state is not to be kept, or cannot be
        except BaseException as error:
            saved = self.rescue()
            if isinstance(error, UnavailableError) and saved:
                if self.stopped_by is not None:
                    raise self.interrupted(self.stopped_by) from error
                # Without the advice for a command that has saved nothing.
                reason = error.__cause__ if isinstance(error.__cause__, UnavailableError) else error
                raise UnavailableError(
                    f"{reason}; step {self._saved_step} is saved, resume once it can be read with: "
                    f"{self.plan.resume_command}"
                ) from error
            raise

    def train(self) -> None:
        """The warm start (docs/training.md), then the DCGAN's schedule (Radford et al. 2015)."""
        done = self.ranks.first(self.begin)
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
            self._within_step = False
            done, save = self.ranks.first(partial(self.after_step, measures))
            signal_number = self.ranks.signal
            if save or signal_number is not None:
                done = self.save(last=done or signal_number is not None) and done
            if signal_number is not None and not done:
                raise met(self.interrupted(signal_number))

    def begin(self) -> bool:
        """Do what an earlier part of the run has left out; returns whether the run is over."""
        if self.over():
            self.complete()
            return True
        if self.evaluations.due() and not self.evaluations.done():
            self.evaluate()
        return False

    def after_step(self, measures: Mapping[str, float]) -> tuple[bool, bool]:
        """Say, show and measure what is due; whether the run is over, and whether to save it."""
        self.show(measures)
        if self.due(self.settings.log_every):
            self.log()
        done = self.over()
        keys = self.pressed_keys()
        if done or "next" in keys or self.due(self.settings.sample_every):
            self.sample()
        if done or self.evaluations.due():
            self.evaluate()
        return done, done or "save" in keys or self.checkpoint_is_due()

    def adversarial_step(self) -> dict[str, float]:
        """Noise z, real images x; D learns to tell x from G(z), G to make D err."""
        settings, step = self.settings, self.state.position.step
        z = inputs.latents(settings, self.state.position, self.ranks)
        batch = self.ranks.each(self.next_images)
        x, anchored = batch.images, 0
        if settings.anchor_weight > 0.0:
            anchored = round(settings.anchor_share * settings.batch)
            own = len(self.ranks.own(range(anchored)))
            x[:own], z[:own] = self.state.codes.pairs(batch.first(own))
        self.state.trainer.set_blur(self.blur())
        warmed_up = step >= settings.warm_start + settings.discriminator_warmup
        self._within_step = True
        return self.state.trainer.step(
            x, z, update_generator=warmed_up, anchored=anchored, whole=settings.batch
        )

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
        batch = self.ranks.each(self.next_images)
        rate = warm_start.learning_rate(step, steps)
        x, codes = self.state.codes.pairs(batch)
        self._within_step = True
        loss = self.state.trainer.reconstruct(codes, x, rate, whole=self.settings.warm_start_batch)
        if step + 1 == steps:
            self.state.end_warm_start()
        return {"loss": float(loss)}

    def next_images(self) -> Batch:
        """x of this step; the wait for them is counted."""
        began = self.now()
        batch = self.real_images.next(self.state.position)
        self.pace.interval.waited += self.now() - began
        return batch

    @property
    def stopped_by(self) -> int | None:
        """The signal that has asked the run to end, or None."""
        return None if self.interruption is None else self.interruption.received

    # ------------------------------------------------------------------ start and end

    def start(self) -> None:
        """Bring networks and position to where the run starts or resumes."""
        self.ranks.first(self.introduce)
        self.ranks.each(self.load)
        if self.state.in_warm_start or self.settings.anchor_weight > 0.0:
            self.find_codes()
        self.ranks.first(self.open_folder)

    def introduce(self) -> None:
        """Say what is to be done; raise where there is no room for it."""
        shared = "" if self.ranks.alone else f", by {self.ranks.count} processes"
        for line in self.plan.notes:
            self.tell.warning(line)
        self.tell.info(
            f"{counted(len(self.dataset), 'image')} from {self.plan.directory} "
            f"to {self.folder.path}, starting from {self.plan.origin}{shared}"
        )
        few = enough.warning(len(self.dataset))
        for line in (
            self.dataset.left_out,
            self.dataset.size_warning,
            few,
            self.state.check_room(),
        ):
            if line:
                self.tell.warning(line)

    def load(self) -> None:
        """Take the networks from where the run starts."""
        checkpoint = self.plan.checkpoint
        if checkpoint is not None:
            self.state.check_data(checkpoint)
            self.state.restore(checkpoint)
        elif self.plan.init != "scratch" and (note := self.state.load_model()):
            self.tell.warning(note)

    def open_folder(self) -> None:
        """Let the run folder say where the run is."""
        checkpoint, seconds = self.plan.checkpoint, 0.0
        if checkpoint is not None:
            seconds = self.folder.forget_after(checkpoint.step)
        self.state.write_config()
        self.pace.restart(seconds)
        self._saved_at = self.now()
        if checkpoint is None:
            # A run that cannot be saved should fail now, not after its first thousand steps.
            self.write_checkpoint()
        else:
            self._saved_step = checkpoint.step

    def find_codes(self) -> None:
        """Find what is missing of the codes of images."""
        codes = self.state.codes

        def show(name: str, every: int) -> Callable[[int, int], None]:
            return stage(name, self.interruption, self.tell.show, every=every, whole=True)

        def find() -> dict[str, Float32]:
            for line in codes.find(self.dataset, show):
                self.tell.info(line)
            return codes.tensors()

        found = self.ranks.first(find)
        if not self.ranks.is_first:
            codes.restore(by_network(found))

    def over(self) -> bool:
        """Whether the steps, epochs or minutes asked for are done."""
        minutes = self.settings.minutes
        if minutes is not None and self.pace.seconds() >= minutes * 60:
            return True
        return self.state.position.step >= self.last_step

    def finish(self) -> None:
        """Say what was done, and what was found about the data set."""
        self.tell.info(
            f"{self.state.position.step} steps done in {duration(self.pace.seconds())}: "
            f"{self.folder.model}"
        )
        for line in self.dataset.summary.splitlines():
            self.tell.info(line)

    def interrupted(self, signal_number: int) -> Interrupted:
        """The error that ends an interrupted run and says how to resume it."""
        return Interrupted(
            f"stopped after step {self.state.position.step}; resume with: "
            f"{self.plan.resume_command}",
            signal_number,
        )

    def go_back(self, why: str) -> None:
        """Return to the last good checkpoint, once, and on with other batches and latents."""
        failed = self.state.position
        where = f"at step {failed.step + 1}: {why}"
        checkpoint, damaged = self.ranks.each(lambda: self.folder.newest(good=True))
        if failed.returns > 0 or checkpoint is None:
            raise met(
                DivergedError(
                    f"training diverged {where}, after going back once; the last good checkpoint "
                    f"stays in {self.folder.checkpoints}: try lower learning rates or --augment all"
                )
            )
        for line in damaged:
            self.tell.warning(line)
        self.state.restore(checkpoint)
        self.state.position = failed.after_return(self.state.position)
        self._within_step = False
        self.real_images.close()
        self._saved_step = checkpoint.step

        def forget() -> None:
            self.pace.restart(self.folder.forget_after(checkpoint.step))
            self.save_checkpoint()

        self.ranks.first(forget)
        self.tell.warning(
            f"training diverged {where}; "
            f"back at step {checkpoint.step}, with other images and noise"
        )

    # ------------------------------------------------------------------ what the run leaves

    def due(self, every: int) -> bool:
        """Whether this step ends an interval."""
        return self.state.position.step % every == 0

    def checkpoint_is_due(self) -> bool:
        """Whether `checkpoint_every` steps or `checkpoint_minutes` are over, whichever is first."""
        late = self.now() - self._saved_at >= self.settings.checkpoint_minutes * 60
        return late or self.due(self.settings.checkpoint_every)

    def show(self, measures: Mapping[str, float]) -> None:
        """Count the step and tell the caller."""
        notable = self.due(self.settings.log_every) or self.state.position.step == 1
        self.tell.show(self.pace.progress(self.state, measures, notable=notable))

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
            seconds = self.pace.seconds()
            self.outputs.attempt(
                "train.jsonl",
                lambda: self.state.write_log(line, stage=self.state.stage, seconds=seconds),
            )

    def sample(self) -> None:
        """The averaged generator's faces of the first seeds, as one picture."""
        grid = self.state.samples()
        self.outputs.attempt("a sample grid", lambda: self.state.write_samples(grid))
        if self.window is not None:
            step = f"{self.folder.path.name}, step {self.state.position.step}"
            self.window.show(grid, f"ffgan: {step}, seeds 0 to {SAMPLES - 1}")

    def evaluate(self) -> None:
        """Measure the averaged generator on the held-out images; keep it if none was better.

        The speed of the training does not count this.
        """
        began = self.now()

        def show(done: int, total: int) -> None:
            if self.stopped_by is not None:
                raise self.interrupted(self.stopped_by)
            self.tell.show(Progress("evaluation", done, total))

        try:
            lines = self.evaluations.run(seconds=self.pace.seconds, show=show)
        except Interrupted:
            # The loop saves and ends the run; the evaluation comes first when it is resumed.
            return
        for line in lines:
            self.tell.info(line)
        self.pace.pause(self.now() - began)

    def save(self, *, last: bool) -> bool:
        """Checkpoint, model and report; False when there was cause to go back instead.

        What cannot be written is tried again later, or for a while if this is the ``last`` one;
        then CheckpointError is raised.
        """
        if broken := self.state.broken_parameter():
            self.go_back(broken)
            return False
        self.ranks.first(self.log)
        self.state.estimate_statistics()
        if not self.ranks.alone:
            self.ranks.compare({"state": self.state.digest()}, _apart)
        self.ranks.first(partial(self.write_all, last=last))
        return True

    def write_all(self, *, last: bool) -> None:
        """Write checkpoint, model and report."""
        if not last:
            if self.save_checkpoint():
                self.outputs.attempt("the model", self.save_model)
                self.outputs.attempt("the report", self.write_report)
            return
        try:
            self.outputs.insist(self.write_checkpoint)
            self.outputs.insist(self.save_model)
        except Failure as error:
            raise CheckpointError(
                f"{error}; {self.state.position.step} steps are done, of which "
                f"{max(0, self._saved_step)} are saved: resume with {self.plan.resume_command}"
            ) from error
        self.outputs.attempt("the report", self.write_report)

    def complete(self) -> None:
        """Write what a run that is over lacks where it was killed between its last files."""
        if self.state.model_is_old():
            self.state.estimate_statistics()
            self.save_model()
        self.outputs.attempt("the report", self.write_report)

    def rescue(self) -> bool:
        """Save the steps since the newest checkpoint; returns whether all that are done are saved.

        Not within a step, whose networks are half of this step and half of the last one.
        """
        if not self.ranks.is_first:
            return False
        if self._within_step or self.state.broken_parameter() is not None:
            return False
        if self._saved_step == self.state.position.step:
            return True
        self.log()
        self.state.estimate_statistics()
        try:
            self.write_checkpoint()
        except Failure as error:
            self.tell.warning(f"{error}; the steps after step {self._saved_step} are lost")
            return False
        self.outputs.attempt("the model", self.save_model)
        return True

    def save_checkpoint(self) -> bool:
        """Write the checkpoint of this position if that is possible, else soon again."""
        if self.outputs.attempt("a checkpoint", self.write_checkpoint):
            return True
        pause = self.settings.checkpoint_minutes * 60
        self._saved_at = self.now() - max(0.0, pause - RETRY)
        return False

    def write_checkpoint(self) -> None:
        """Write the checkpoint of this position."""
        if dropped := self.state.save_checkpoint():
            self.tell.warning(f"the disk is full: {dropped} older checkpoints had to make room")
            self.outputs.attempt("train.jsonl", self.folder.write_log)
        self._saved_at = self.now()
        self._saved_step = self.state.position.step

    def save_model(self) -> None:
        """Write the model of this position."""
        self.state.save_model(self.folder.model)

    def write_report(self) -> None:
        """Write the report of the run so far."""
        from ffgan.training.report import write_report

        write_report(self.folder)


def _apart(name: str, rank: int, its: object, first: object) -> CheckpointError:
    return CheckpointError(
        f"the networks of rank {rank} are no longer those of the first one; the newest checkpoint "
        "is from before: use machines with the same processor and the same libraries"
    )
