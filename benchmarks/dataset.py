# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ffgan dataset` costs beside the drawing of its faces: the tables of docs/synthesis.md.

Rounds alternate between drawing faces and making sets of as many; told are medians, and the median
of what each round took beside the drawing of that round.

    python -m benchmarks.dataset [--faces 500] [--rounds 5]        formats, without attributes
    python -m benchmarks.dataset --attributes                      what groups of attributes cost
    python -m benchmarks.dataset --engines                         workers of Ray beside one process
    python -m benchmarks.dataset --memory OUT --faces 20000        rate and memory along a set
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ffgan import Model, _core, synthesis

FORMATS: dict[str, dict[str, Any]] = {
    "folder, jpg": {},
    "parquet, jpg": {"format": "parquet"},
    "webdataset, jpg": {"format": "webdataset"},
    "tfrecord, jpg": {"format": "tfrecord"},
    "folder, png": {"encoding": "png"},
    "npy": {"format": "npy"},
}
GROUPS: dict[str, dict[str, Any]] = {
    "none": {"attributes": "none"},
    "age": {"attributes": ["age"]},
    "gender": {"attributes": ["gender"]},
    "pose": {"attributes": ["yaw", "pitch", "roll"]},
    "mouth, eyes, brows, width": {
        "attributes": ["smile", "mouth_open", "eye_open", "brow_height", "face_width"]
    },
    "skin": {"attributes": ["skin_tone"]},
    "hair, light, background, sharpness": {
        "attributes": ["hair_lightness", "brightness", "light", "background", "sharpness"]
    },
    "glasses": {"attributes": ["glasses"]},
    "all": {"attributes": "all"},
}


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def compare(model: Model, kinds: Mapping[str, dict[str, Any]], faces: int, rounds: int) -> None:
    """Prints the rate of each kind of set, and its share of the rate of drawing."""

    def draw() -> None:
        for _ in model.faces(faces, 0):
            pass

    def make(how: dict[str, Any], count: int = faces) -> None:
        with tempfile.TemporaryDirectory() as folder:
            synthesis.make(folder, count, model=model, **{"attributes": "none", **how})

    draw()
    for how in kinds.values():  # what is loaded once
        make(how, 8)
    took: dict[str, list[float]] = {name: [] for name in ("drawing alone", *kinds)}
    for _ in range(rounds):
        took["drawing alone"].append(seconds(draw))
        for name, how in kinds.items():
            took[name].append(seconds(lambda how=how: make(how)))
    print(f"{faces} faces, {rounds} rounds, {_core.engine()['threads']} threads\n")
    print("| | faces a second | ms a face | of the drawing alone |\n|---|---:|---:|---:|")
    alone = took["drawing alone"]
    for name, times in took.items():
        middle = statistics.median(times)
        share = statistics.median(a / b for a, b in zip(alone, times, strict=True))
        print(f"| {name} | {faces / middle:.1f} | {1000 * middle / faces:.2f} | {share:.2f} |")


def engines(model: Model, faces: int, rounds: int) -> None:
    """Prints the rate of workers of Ray, beside that of one process on as many cores."""
    import ray

    cores = _core.engine()["threads"]
    ray.init(address="local", num_cpus=cores, include_dashboard=False, log_to_driver=False)
    kinds: dict[str, tuple[int, dict[str, Any]]] = {
        f"local, {cores} threads": (cores, {}),
        f"ray, {cores} workers of 1 core": (cores, {"engine": "ray", "workers": cores}),
        f"ray, 1 worker of {cores} cores": (
            cores,
            {"engine": "ray", "workers": 1, "cores": cores},
        ),
        "local, 1 thread": (1, {}),
        "ray, 1 worker of 1 core": (1, {"engine": "ray", "workers": 1}),
    }

    def make(name: str, count: int = faces) -> str:
        threads, how = kinds[name]
        _core.set_threads(threads)
        with tempfile.TemporaryDirectory() as folder:
            synthesis.make(
                folder,
                count,
                model=model,
                format="webdataset",
                attributes="none",
                shard_size=max(1, count // 8),
                **how,
            )
            return (Path(folder) / "SHA256SUMS").read_text()

    (_,) = {make(name, 64) for name in kinds}  # what is loaded once
    took: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name in kinds:
            took[name].append(seconds(lambda name=name: make(name)))
    ray.shutdown()
    print(f"{faces} faces in 8 shards, {rounds} rounds, the same SHA-256 sums\n")
    print("| | faces a second | seconds | of one process |\n|---|---:|---:|---:|")
    alone: dict[int, list[float]] = {}
    for name, times in took.items():
        beside = alone.setdefault(kinds[name][0], times)  # the first of as many cores is local
        share = statistics.median(a / b for a, b in zip(beside, times, strict=True))
        each = " ".join(f"{time:.1f}" for time in times)
        print(f"| {name} | {faces / statistics.median(times):.0f} | {each} | {share:.2f} |")


def resident() -> float:
    """Megabytes of memory that this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def along(model: Model, out: Path, faces: int, how: dict[str, Any]) -> None:
    """Prints the rate and the memory after each twentieth of a set."""
    begun = last = time.perf_counter()
    before = 0
    print("| pictures | faces a second | memory, MB |\n|---:|---:|---:|", flush=True)

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last, before
        if done - before >= total / 20 or done == total:
            now = time.perf_counter()
            rate = (done - before) / (now - last)
            print(f"| {done:,} | {rate:.1f} | {resident():.0f} |", flush=True)
            last, before = now, done

    made = synthesis.make(out, faces, model=model, progress=tell, **how)
    whole = time.perf_counter() - begun
    print(f"\n{made.made} made, {made.size / 1e6:.1f} MB, {whole:.1f} s", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--attributes", action="store_true")
    parser.add_argument("--engines", action="store_true")
    parser.add_argument("--memory", type=Path, metavar="OUT")
    parser.add_argument("--format", default="folder")
    parser.add_argument("--labels", default="none", help="all or none")
    arguments = parser.parse_args()
    model = Model.load()
    if arguments.memory is not None:
        shutil.rmtree(arguments.memory, ignore_errors=True)
        how = {"format": arguments.format, "attributes": arguments.labels}
        along(model, arguments.memory, arguments.faces, how)
    elif arguments.engines:
        engines(model, arguments.faces, arguments.rounds)
    else:
        kinds = GROUPS if arguments.attributes else FORMATS
        compare(model, kinds, arguments.faces, arguments.rounds)


if __name__ == "__main__":
    main()
