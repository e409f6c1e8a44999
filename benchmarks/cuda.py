# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a build with CUDA is, beside PyTorch on the same GPU.

    python -m benchmarks.cuda --out OUT [--seconds 120]

Writes OUT/times.json and OUT/times.md, anew after every measurement: milliseconds, medians.

Generator: from latents in the host's memory to pixels (n, 162, 162, 3) uint8 there, which is what a
caller waits for, by the host's clock; PyTorch also on the device alone, from tensor to tensor, by
CUDA's events. PyTorch runs the network with its batch norms folded (benchmarks/measure/folding.py),
in both of its memory layouts. Training: one step of the recipe `original` against `program`, batch
64, and of `projected`, batch 16, where its extras are installed, from images in the host's memory.
PyTorch's step is that of `original` alone.

float32: products in float32. tf32: PyTorch's products of operands cut to 10 bits. bf16: weights and
activations in bfloat16, in training by autocast. ffgan's products are in float32 always.

Before anything is measured, PyTorch's faces in float32 are compared with ffgan's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import ffgan
from benchmarks.measure import folding, machine, workload
from benchmarks.output.rows import Task
from ffgan import _core
from ffgan.errors import ExtraError
from ffgan.model import by_network
from ffgan.training import Settings, make_trainer, recipes

GENERATOR_BATCHES = (1, 64, 512)
PRECISIONS = ("float32", "tf32", "bf16")
WARM_UP = 3
RUNS = (5, 200)
PROJECTED_BATCH = 16
PROGRAM_BATCH = 64


@dataclass
class Time:
    """Milliseconds of one task by one engine; `milliseconds` is None where `note` says why."""

    task: str
    engine: str
    milliseconds: float | None = None
    quartiles: tuple[float, float] | None = None
    runs: int = 0
    note: str = ""


class Times:
    """What was measured so far, in a file at once."""

    def __init__(self, out: Path, seconds: float) -> None:
        self.out = out
        self.end = time.monotonic() + seconds
        self.rows: list[Time] = []
        self.facts: dict[str, Any] = {
            "machine": machine.describe(),
            "engine": dict(_core.engine()),
            "versions": {"ffgan": ffgan.__version__, "numpy": np.__version__},
        }

    def note(self, task: str, engine: str, note: str) -> None:
        self._add(Time(task, engine, note=note))

    def measure(
        self,
        task: str,
        engine: str,
        run: Callable[[], Any],
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`run` must end when its work has; `clock` may tell its milliseconds afterwards."""
        left = self.end - time.monotonic()
        if left <= 0:
            self.note(task, engine, "not measured: the time was up")
            return
        try:
            for _ in range(WARM_UP):
                run()
            samples: list[float] = []
            limit = time.monotonic() + min(2.0, left)
            while len(samples) < RUNS[0] or (len(samples) < RUNS[1] and time.monotonic() < limit):
                begin = time.perf_counter()
                run()
                passed = (time.perf_counter() - begin) * 1000
                samples.append(clock() if clock else passed)
        except (ffgan.Error, RuntimeError) as error:
            self.note(task, engine, f"failed: {str(error).splitlines()[0]}")
            return
        low, middle, high = statistics.quantiles(samples, n=4)
        self._add(Time(task, engine, middle, (low, high), len(samples)))

    def _add(self, row: Time) -> None:
        self.rows.append(row)
        text = row.note or f"{row.milliseconds:.3f} ms"
        print(f"{row.task:28} {row.engine:40} {text}", flush=True)
        content = {**self.facts, "times": [asdict(one) for one in self.rows]}
        (self.out / "times.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
        self.write_table()

    def write_table(self) -> None:
        lines = [
            "| task | engine | ms, median | quartiles | runs |",
            "| --- | --- | ---: | --- | ---: |",
        ]
        for row in self.rows:
            if row.milliseconds is None or row.quartiles is None:
                lines.append(f"| {row.task} | {row.engine} | {row.note} | | |")
            else:
                low, high = row.quartiles
                cells = (
                    row.task,
                    row.engine,
                    f"{row.milliseconds:.3f}",
                    f"{low:.3f} to {high:.3f}",
                )
                lines.append(f"| {' | '.join(cells)} | {row.runs} |")
        facts = ", ".join(f"{name} {value}" for name, value in self.facts["versions"].items())
        where = f"{self.facts.get('gpu', 'no GPU')}, {self.facts['machine']['processor']}; {facts}"
        text = f"{where}\n\n" + "\n".join(lines) + "\n"
        (self.out / "times.md").write_text(text, encoding="utf-8")


# ---- ffgan --------------------------------------------------------------------------------------


def generators(times: Times, latents: np.ndarray[Any, Any]) -> None:
    model = ffgan.load()
    for batch in GENERATOR_BATCHES:
        x = latents[:batch]
        times.measure(f"generator, batch {batch}", "ffgan", lambda x=x: model.render(x))  # type: ignore[misc]


def training(times: Times, images: np.ndarray[Any, Any], latents: np.ndarray[Any, Any]) -> None:
    for recipe, batch in (("original", PROGRAM_BATCH), ("projected", PROJECTED_BATCH)):
        task = f"step of {recipe}, batch {batch}"
        given = {**recipes.load(recipe)[1], "recipe": recipe, "batch": batch}
        try:
            trainer = make_trainer(Settings(**given))
        except ExtraError as error:
            times.note(task, "ffgan", f"not measured: {error}")
            continue
        except ffgan.Error as error:
            times.note(task, "ffgan", f"failed: {error}")
            continue
        real, z = images[:batch], latents[:batch]
        times.measure(task, "ffgan", lambda t=trainer, r=real, z=z: t.step(r, z))  # type: ignore[misc]


# ---- PyTorch ------------------------------------------------------------------------------------


class Peer:
    """PyTorch on the device."""

    def __init__(self, times: Times, device: str) -> None:
        import torch

        self.torch = torch
        self.times = times
        self.device = device
        times.facts["versions"]["torch"] = torch.__version__
        if device == "cuda":
            times.facts["gpu"] = torch.cuda.get_device_name()
            times.facts["versions"]["cuDNN of torch"] = torch.backends.cudnn.version()
            torch.backends.cudnn.benchmark = True

    def wait(self) -> None:
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    @contextmanager
    def precision(self, name: str) -> Iterator[None]:
        allowed = name != "float32"
        self.torch.backends.cuda.matmul.allow_tf32 = allowed
        self.torch.backends.cudnn.allow_tf32 = allowed
        yield

    def events(self) -> tuple[Callable[[], None], Callable[[], None], Callable[[], float]]:
        """To be called before, after, and for the milliseconds between."""
        if self.device != "cuda":
            marks = [0.0, 0.0]

            def mark(place: int) -> None:
                marks[place] = time.perf_counter()

            return (lambda: mark(0), lambda: mark(1), lambda: (marks[1] - marks[0]) * 1000)
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        return begin.record, end.record, lambda: float(begin.elapsed_time(end))

    def generator(self, latents: np.ndarray[Any, Any]) -> None:
        from benchmarks.engines.pytorch import FoldedGenerator

        torch = self.torch
        parameters = by_network(ffgan.load().parameters)["generator"]
        for precision in PRECISIONS:
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            for layout in (torch.contiguous_format, torch.channels_last):
                network = FoldedGenerator(folding.generator(parameters)).to(self.device, dtype)
                network = network.to(memory_format=layout).eval().requires_grad_(False)
                name = f"PyTorch, {precision}, {str(layout).removeprefix('torch.')}"
                with self.precision(precision), torch.inference_mode():
                    if precision == "float32":
                        self._compare(network, latents[:8])
                    for batch in GENERATOR_BATCHES:
                        self._generate(network, latents[:batch], dtype, name)

    def pixels(self, network: Any, latents: np.ndarray[Any, Any], dtype: Any) -> Any:
        x = self.torch.from_numpy(latents).to(self.device, dtype)
        images = network(x).float().mul_(255).add_(0.5).to(self.torch.uint8)
        return images.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def _compare(self, network: Any, latents: np.ndarray[Any, Any]) -> None:
        ours = ffgan.load().render(latents).astype(int)
        theirs = self.pixels(network, latents, self.torch.float32).astype(int)
        difference = int(np.abs(ours - theirs).max())
        self.times.facts["largest difference from PyTorch in float32, levels of 255"] = difference
        if difference > 2:
            raise SystemExit(f"ffgan's faces differ from PyTorch's by {difference} of 255 levels")

    def _generate(self, network: Any, latents: np.ndarray[Any, Any], dtype: Any, name: str) -> None:
        task = f"generator, batch {len(latents)}"
        self.times.measure(task, name, lambda: self.pixels(network, latents, dtype))
        x = self.torch.from_numpy(latents).to(self.device, dtype)
        begin, end, milliseconds = self.events()

        def run() -> None:
            begin()
            network(x)
            end()
            self.wait()

        self.times.measure(task, f"{name}, on the device alone", run, milliseconds)

    def training(self, images: np.ndarray[Any, Any], latents: np.ndarray[Any, Any]) -> None:
        """D on real images, D on fakes, G through D, as benchmarks/engines/pytorch.py has it."""
        from benchmarks.engines.pytorch import Training

        torch, batch = self.torch, PROGRAM_BATCH
        task = f"step of original, batch {batch}"
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.save(folder / "images.npy", images[:batch])
            np.save(folder / "latents.npy", latents[:batch])
            trainer = _core.Trainer(seed=0)
            first = {
                f"{network}.{key}": array
                for network in ("generator", "discriminator")
                for key, array in trainer.parameters(network).items()
            }
            np.savez(folder / "train-program.npz", **first)
            for precision in PRECISIONS:
                for layout in (torch.contiguous_format, torch.channels_last):
                    engine: Any = SimpleNamespace(folder=folder, layout=layout, compiled=False)
                    twin = Training(engine, Task("train", "program", batch))
                    real = twin.real
                    for network in (twin.g, twin.d):
                        network.to(self.device)
                    twin.latents = twin.latents.to(self.device)
                    twin.keep = twin.keep.to(self.device)
                    automatic = torch.autocast(
                        self.device, torch.bfloat16, enabled=precision == "bf16"
                    )

                    def run(twin: Any = twin, real: Any = real, automatic: Any = automatic) -> None:
                        with automatic:
                            twin.real = real.to(self.device)
                            twin.step()
                        self.wait()

                    name = f"PyTorch, {precision}, {str(layout).removeprefix('torch.')}"
                    with self.precision(precision):
                        self.times.measure(task, name, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=120, help="for all measurements together")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="PyTorch's")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.device == "cuda" and not _core.engine()["cuda"]:
        raise SystemExit("this build of ffgan has no CUDA: --device cpu tries the program out")
    random = np.random.default_rng(0)
    latents = random.standard_normal((max(GENERATOR_BATCHES), 100)).astype(np.float32)
    images = workload.made_up_images(PROGRAM_BATCH, random)
    times = Times(options.out, options.seconds)
    generators(times, latents)
    training(times, images, latents)
    try:
        peer = Peer(times, options.device)
    except ImportError as error:
        times.note("all", "PyTorch", f"not measured: {error}")
    else:
        peer.generator(latents)
        peer.training(images, latents)


if __name__ == "__main__":
    main()
