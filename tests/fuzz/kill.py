# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILLs at random moments: python tests/fuzz/kill.py train|extract|pack|dataset --kills N

The command runs once undisturbed. Then it is started again and again in another folder and killed
at a moment that is drawn from its whole duration, until it has ended by itself after at most ten
kills; what it has written then must be the same bytes. All that is repeated until the command was
killed N times. Ends with status 1, and leaves its folder, where a byte differs or a start fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

MOST = 10
"""Kills of one folder before the command may end."""

TRAIN = ("--recipe", "original", "--batch", "2", "--steps", "4", "--log-every", "1")
TRAIN += ("--sample-every", "2", "--checkpoint-every", "1", "--keep-checkpoints", "2")
NOT_COMPARED = (".lock", "report.html", "config.json", "README.md")
"""A report and config.json tell where a run was resumed, the card of a data set its folder."""

DATASET = ("--count", "120", "--shard-size", "8", "--attributes", "brightness")
MEASURED = ("step", "stage", "images", "loss_d", "loss_g", "accuracy_real", "accuracy_fake")


def make_inputs(folder: Path, times: int) -> None:
    """Twelve faces in photographs, from the packaged model, each of them so many times."""
    from support.photographs import jpeg, photograph

    from ffgan import Model

    folder.mkdir()
    for number, face in enumerate(Model.load().generate(12, seed=5, tries=50)):
        for copy in range(times):
            (folder / f"{number}-{copy}.jpg").write_bytes(jpeg(photograph(face, 1.3)))


def command(name: str, inputs: Path, out: Path) -> list[str]:
    """The command line; the same one resumes."""
    if name == "dataset":  # of 15 shards
        return [sys.executable, "-m", "ffgan", name, str(out), *DATASET]
    start = [sys.executable, "-m", "ffgan", name, str(inputs)]
    if name == "train":
        return [*start, "--runs", str(out), "--name", "run", *TRAIN]
    if name == "extract":
        return [*start, str(out), "--framing", "dlib"]
    return [*start, str(out / "faces.pack")]


def contents(name: str, out: Path) -> dict[str, Any]:
    """What must be equal: bytes by the file's name, of logs their lines without the time."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        key = str(path.relative_to(out))
        if path.is_dir() or path.name in NOT_COMPARED:
            continue
        found[key] = path.read_bytes()
        if path.name == "train.jsonl":
            lines = [json.loads(line) for line in found[key].splitlines()]
            found[key] = [{k: line.get(k) for k in MEASURED} for line in lines]
        if path.name == "extract.jsonl":  # its lines come in the order of their end
            found[key] = sorted(found[key].splitlines())
    if name == "train":
        assert any(key.endswith("model.safetensors") for key in found)
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The files that are not the same in both."""
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key))


def run(arguments: list[str], seconds: float | None) -> tuple[bool, str]:
    """Start the command, and kill it after a while; whether it was killed, and what it said."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(arguments, stdout=output, stderr=output)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True, ""
        output.seek(0)
        if status != 0:
            raise SystemExit(f"{' '.join(arguments)} ended with {status}: {output.read()[-2000:]}")
        return False, output.read()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("command", choices=("train", "extract", "pack", "dataset"))
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random = Random(f"{given.command} {given.seed}")
    folder = Path(tempfile.mkdtemp(prefix="ffgan-kill-"))
    inputs = folder / "inputs"
    make_inputs(inputs, 40 if given.command == "pack" else 1)  # or it ends as soon as it starts
    whole = folder / "whole"
    whole.mkdir()
    started = time.monotonic()
    run(command(given.command, inputs, whole), None)
    duration = time.monotonic() - started
    expected = contents(given.command, whole)
    kills = rounds = 0
    while kills < given.kills:
        rounds += 1
        out = folder / "killed"
        out.mkdir()
        arguments = command(given.command, inputs, out)
        for _ in range(min(MOST, given.kills - kills)):
            killed, _ = run(arguments, random.uniform(0, duration))
            if not killed:
                break
            kills += 1
        else:
            run(arguments, None)
        if wrong := differences(expected, contents(given.command, out)):
            print(f"after {kills} kills these differ in {folder}: {', '.join(wrong)}")
            return 1
        shutil.rmtree(out)
        print(
            f"{given.command}: {kills} of {given.kills} kills, {rounds} times the same", flush=True
        )
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
