# SPDX-License-Identifier: GPL-3.0-or-later
"""What ranks cost in training: two of one thread beside one process of two, bytes, and a model.

    python -m benchmarks.ranks [--recipe original] [--turns 3]
    mpiexec -n 4 python -m benchmarks.ranks --worker --recipe original --threads 1

The first command takes turns between both ways and prints the ratio of their speeds, and the bytes
that leave a rank in a step beside those that follow from the sizes of the networks. Then it
computes from the measured step how the speed grows with the number of nodes, one rank a node.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.measure.recipe import recipe

BATCHES = {"original": 64, "warm": 16, "projected": 16}
WARM_UP = 2
LINKS = {"1 Gbit/s, 1 ms": (125e6, 1e-3), "25 Gbit/s, 50 us": (3.1e9, 5e-5)}
NODES = (1, 2, 4, 8, 16, 32, 64)
DOUBLE, FLOAT = 8, 4


def worker(arguments: argparse.Namespace) -> None:
    """Time steps of this rank, and print what the first one has found, as JSON."""
    from ffgan import _core
    from ffgan.ranks import of_launcher
    from ffgan.training.settings import Settings
    from ffgan.training.trainer import make_trainer

    ranks = of_launcher()
    settings = Settings(**recipe(arguments.recipe), threads=arguments.threads)
    trainer = make_trainer(settings, ranks)
    random = np.random.default_rng(0)
    batch = arguments.batch or BATCHES[arguments.recipe]
    real = random.integers(0, 256, (batch, 162, 162, 3), np.uint8)
    latents = random.standard_normal((batch, 100)).astype(np.float32)
    x, z = (np.ascontiguousarray(ranks.own(whole)) for whole in (real, latents))
    anchored = round(settings.anchor_share * batch) if settings.anchor_weight else 0
    times, reducing, sent, calls = [], 0.0, 0, 0
    for step in range(WARM_UP + arguments.steps):
        ranks.each(lambda: None)
        before = (ranks.reducing, ranks.sent, ranks.calls)
        began = time.perf_counter()
        trainer.step(x, z, anchored=anchored, whole=batch)
        if step >= WARM_UP:
            times.append(time.perf_counter() - began)
            reducing += ranks.reducing - before[0]
        sent, calls = ranks.sent - before[1], ranks.calls - before[2]
    sizes = {
        network: sum(
            tensor.size
            for name, tensor in trainer.parameters(network).items()  # type: ignore[arg-type]
            if "running" not in name
        )
        for network in ("generator", "discriminator")
    }
    heads = sum(
        tensor.size
        for name, tensor in trainer.state().items()
        if name.startswith(("projected.", "imagenet.")) and name.endswith((".weight", ".bias"))
    )
    if ranks.is_first:
        print(
            json.dumps(
                {
                    "seconds": statistics.median(times),
                    "reducing": reducing / sum(times),
                    "sent": sent,
                    "calls": calls,
                    "sizes": {**sizes, "heads": heads},
                    "instructions": _core.engine()["instructions"],
                }
            )
        )


def norms(name: str) -> list[tuple[int, int]]:
    """Channels and places of the layers with batch norm."""
    if name == "generator":
        return [(512, 16), (256, 100), (128, 400), (128, 1600), (64, 6400)]
    return [(128, 1600), (128, 400), (256, 49), (512, 9)]


def theory(found: dict[str, Any], batch: int, ranks: int, fixed: bool) -> int:
    """Bytes of gradients and of batch norm's sums that leave the first rank in a step.

    Not the few numbers of measures, of losses by statistics of the batch and of set distances.
    """
    sizes = found["sizes"]
    updates = 1 if fixed else 2
    total = 0
    for parameters, times in (
        (sizes["generator"], 1),
        (sizes["discriminator"], updates),
        (sizes["heads"], 1),
    ):
        total += times * 2 * (ranks - 1) * math.ceil(parameters / ranks) * FLOAT
    rows = math.ceil(batch / ranks)
    passes = [("generator", 1)] + ([] if fixed else [("discriminator", 3)])
    for network, times in passes:
        for channels, places in norms(network):
            numbers = 2 * channels + math.ceil(places / 512) * 2 * channels
            total += times * (ranks - 1) * rows * numbers * DOUBLE
    return total


def measured(command: list[str], arguments: argparse.Namespace, threads: int) -> dict[str, Any]:
    """What a worker prints, started by a command."""
    words = [sys.executable, "-m", "benchmarks.ranks", "--worker", "--recipe", arguments.recipe]
    words += ["--threads", str(threads), "--steps", str(arguments.steps)]
    words += ["--batch", str(arguments.batch or BATCHES[arguments.recipe])]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def main() -> None:
    """Measure and compute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", choices=BATCHES, default="original")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--worker", action="store_true")
    arguments = parser.parse_args()
    if arguments.worker:
        worker(arguments)
        return
    batch = arguments.batch or BATCHES[arguments.recipe]
    fixed = recipe(arguments.recipe).get("discriminator_norm") == "fixed"
    ratios = []
    for _ in range(arguments.turns):
        alone = measured([], arguments, 2)
        shared = measured(["mpiexec", "-n", "2"], arguments, 1)
        ratios.append(alone["seconds"] / shared["seconds"])
        print(
            f"one process, 2 threads: {batch / alone['seconds']:.2f} images/s; 2 ranks, 1 thread: "
            f"{batch / shared['seconds']:.2f}, {shared['reducing']:.1%} reducing; "
            f"ratio {ratios[-1]:.3f}",
            flush=True,
        )
    print(f"ratio, median of {arguments.turns}: {statistics.median(ratios):.3f}")
    expected = theory(shared, batch, 2, fixed)
    print(
        f"bytes that leave a rank in a step: {shared['sent']:,}, {expected:,} of gradients and "
        f"batch norm by theory ({shared['sent'] / expected:.4f}); calls: {shared['calls']}"
    )
    model(alone, shared, batch, fixed)


def model(alone: dict[str, Any], shared: dict[str, Any], batch: int, fixed: bool) -> None:
    """Speed by the number of nodes, where each computes as this machine with two threads.

    A call takes the link's latency once for each doubling of the ranks. What does not shrink with
    a rank's part of the batch, Adam and the like, is not known and left out.
    """
    print(f"model, of the speed of one node ({batch / alone['seconds']:.1f} images/s):")
    print("| link | batch | " + " | ".join(str(nodes) for nodes in NODES) + " |")
    print("|---|---:|" + "---:|" * len(NODES))
    for link, (bandwidth, latency) in LINKS.items():
        for whole in (batch, 4 * batch, 16 * batch):
            cells = []
            one = alone["seconds"] / batch * whole
            for nodes in NODES:
                if nodes > whole:
                    cells.append("")
                    continue
                sent = theory(shared, whole, nodes, fixed) if nodes > 1 else 0
                rounds = math.ceil(math.log2(nodes))
                step = one / whole * math.ceil(whole / nodes)
                step += sent / bandwidth + shared["calls"] * rounds * latency
                cells.append(f"{one / step:.1f}")
            print(f"| {link} | {whole} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
