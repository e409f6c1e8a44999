# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the result: what is measured, on how many images, for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.errors import BenchmarkError

Kind = Literal["generator", "discriminator", "classifier", "draw", "train", "recipe", "sgemm"]
Measure = Literal["time", "scaling", "memory", "process", "files"]

SGEMM_SIZE = 2048
FACES_WRITTEN = 10_000
DRAWN_TOGETHER = 64


@dataclass(frozen=True)
class Task:
    """What a worker is asked to compute.

    generator: images (batch, 3, 162, 162) of latents, float32; discriminator: the logits of
    `network` for `batch` images; draw: the logits of images that are made for it; classifier: what
    `network`, "age" or "gender", makes of `batch` faces; train: one step of the generator against
    `network`; recipe: one step of the recipe `network`; sgemm: one product of two square float32
    matrices of SGEMM_SIZE.
    """

    kind: Kind
    network: str
    batch: int

    @property
    def inputs(self) -> str:
        """The name of the parameters in the workload's folder."""
        return f"train-{self.network}" if self.kind in ("train", "recipe") else self.network

    def flop(self, macs: Mapping[str, Mapping[str, int]]) -> float | None:
        """Floating-point operations per item: 2 per multiply-add of the direct algorithm.

        None for a recipe, whose frozen networks are not counted.

        `macs` holds "all" and "first" (the first layer's) of each network. A layer's gradients by
        its weights and by its input cost a forward pass each. A step takes D forward and both
        gradients twice (real images, fakes), with no gradient by the images; D forward and the
        gradient by its input once (for G); G forward once and both gradients.
        """
        if self.kind == "sgemm":
            return 2.0 * SGEMM_SIZE**3
        if self.kind == "recipe":
            return None
        if self.kind == "draw":
            return 2.0 * (macs["generator"]["all"] + macs[self.network]["all"])
        if self.kind != "train":
            return 2.0 * macs[self.network]["all"]
        d, g = macs[self.network], macs["generator"]
        return 2.0 * (2 * (3 * d["all"] - d["first"]) + 2 * d["all"] + 3 * g["all"] - g["first"])


@dataclass(frozen=True)
class Plan:
    """How long a row is measured: rounds until both `rounds[0]` and `seconds` are reached, at most
    `rounds[1]`; in each round every engine gets a slice of about `slice_seconds`."""

    rounds: tuple[int, int]
    seconds: float
    slice_seconds: float


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    measure: Measure
    task: Task
    plan: Plan
    unit: str
    faces: int = 0


SGEMM = Task("sgemm", "", 1)

CLASSIFIERS = ("age", "gender")

INFERENCE = Plan((4, 15), 25, 0.3)
FACES = Plan((4, 15), 8, 0.2)
TRAINING = Plan((3, 3), 0, 0.0)
SCALING = Plan((3, 12), 12, 0.3)
PROCESS = Plan((7, 7), 0, 0.0)

FILES = Plan((1, 1), 0, 0.5)

QUICK_INFERENCE = Plan((3, 6), 3, 0.1)
QUICK_TRAINING = Plan((3, 3), 0, 0.0)
QUICK_SCALING = Plan((3, 6), 3, 0.1)
QUICK_PROCESS = Plan((3, 3), 0, 0.0)

QUICK_LEAVES_OUT = (
    "generator at batch 64, the discriminator `table`, age and gender, training at batch 64 "
    "(8 instead), recipe projected, peak memory, the scaling of training, writing many files, "
    "torch.compile, and compiling plain dlib"
)


def generator(batch: int, plan: Plan) -> Row:
    return Row(
        f"generator-{batch}",
        f"Generator, inference, batch {batch}",
        "time",
        Task("generator", "generator", batch),
        plan,
        "ms per face",
    )


def discriminator(network: str, batch: int, plan: Plan) -> Row:
    return Row(
        f"{network}-{batch}",
        f"Discriminator {network}, inference, batch {batch}",
        "time",
        Task("discriminator", network, batch),
        plan,
        "ms per image",
    )


def classifier(network: str, batch: int, plan: Plan) -> Row:
    return Row(
        f"{network}-{batch}",
        f"{network.capitalize()} network, batch {batch}",
        "time",
        Task("classifier", network, batch),
        plan,
        "ms per face",
    )


def training(network: str, batch: int, plan: Plan) -> Row:
    return Row(
        f"train-{network}",
        f"Training step with {network}, batch {batch}",
        "time",
        Task("train", network, batch),
        plan,
        "ms per image",
    )


def recipe(plan: Plan) -> Row:
    return Row(
        "train-projected",
        "Training step of recipe projected, batch 16",
        "time",
        Task("recipe", "projected", 16),
        plan,
        "ms per image",
    )


def scaling(of: Row, plan: Plan) -> Row:
    return Row(
        f"scaling-{of.name}",
        f"{of.title}: from 1 to 2 threads",
        "scaling",
        of.task,
        plan,
        of.unit,
    )


def memory(of: Row) -> Row:
    title = f"{of.title}: peak memory of a process"
    return Row(f"memory-{of.name}", title, "memory", of.task, of.plan, "MB")


def process(plan: Plan) -> Row:
    return Row(
        "process",
        "Whole process: one face as a PNG file",
        "process",
        Task("generator", "generator", 1),
        plan,
        "ms",
    )


def files(plan: Plan, count: int) -> Row:
    return Row(
        "files",
        f"Whole process: {count:,} faces as JPEG files",
        "files",
        Task("draw", "program", DRAWN_TOGETHER),
        plan,
        "ms per face",
        count,
    )


def with_faces(rows: Sequence[Row], count: int) -> list[Row]:
    """The rows, with so many faces in `files`."""
    return [files(row.plan, count) if row.measure == "files" else row for row in rows]


def all_rows() -> list[Row]:
    train_program = training("program", 64, TRAINING)
    return [
        *(generator(batch, INFERENCE) for batch in (1, 8, 64)),
        *(discriminator("program", batch, INFERENCE) for batch in (1, 16)),
        *(discriminator("table", batch, INFERENCE) for batch in (1, 16)),
        *(classifier(network, batch, FACES) for network in CLASSIFIERS for batch in (1, 64)),
        train_program,
        training("table", 8, TRAINING),
        recipe(TRAINING),
        memory(recipe(TRAINING)),
        memory(train_program),
        scaling(training("program", 16, TRAINING), TRAINING),
        *(scaling(generator(batch, INFERENCE), SCALING) for batch in (8, 64)),
        process(PROCESS),
        files(FILES, FACES_WRITTEN),
    ]


def quick_rows() -> list[Row]:
    return [
        *(generator(batch, QUICK_INFERENCE) for batch in (1, 8)),
        *(discriminator("program", batch, QUICK_INFERENCE) for batch in (1, 16)),
        training("program", 8, QUICK_TRAINING),
        scaling(generator(8, QUICK_INFERENCE), QUICK_SCALING),
        process(QUICK_PROCESS),
    ]


def choose(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return the rows of these names; `generator` means all that begin with `generator-`."""
    chosen: dict[str, Any] = {}
    for name in names:
        found = [row for row in rows if row.name == name or row.name.startswith(name + "-")]
        if not found:
            known = ", ".join(row.name for row in rows)
            raise BenchmarkError(f"there is no row '{name}': choose from {known}")
        chosen |= {row.name: row for row in found}
    return [row for row in rows if row.name in chosen]
