# SPDX-License-Identifier: GPL-3.0-or-later
"""dlib alone: benchmarks/measure/plain_dlib.cpp, a program of its own.

Timed there: `forward` from a tensor that is there already, with batch norm as affine layers (dlib
cannot fold them into convolutions) and dropout as a multiplication; a training step as
ffgan's, by hand, with dlib's adam. dlib computes gradients by D's weights in G's update and by the
images, which nobody needs; it has no way not to.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import folding, workload
from benchmarks.measure.computation import Computation
from benchmarks.output.rows import Task

# Where the measuring process tells which program to start.
PROGRAM = "FFGAN_BENCHMARK_DLIB"


class PlainDlib(Computation):
    def __init__(self, folder: Path, threads: int) -> None:
        super().__init__(folder, threads)
        self.process = self.start()
        self.losses = np.zeros(2)

    @staticmethod
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [os.environ[PROGRAM]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def versions(self) -> dict[str, str]:
        return {}

    def command(self, line: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            status = self.process.wait()
            self.process = self.start()
            raise RuntimeError(f"the program ended with status {status}")
        if answer.startswith("error "):
            raise RuntimeError(answer.removeprefix("error ").strip())
        return answer

    def prepare(self, task: Task) -> None:
        tensors = workload.parameters(self.folder, task.inputs)
        inputs = []
        if task.kind != "discriminator":
            inputs.append(workload.latents(self.folder, task.batch).ravel())
        if task.kind != "generator":
            inputs.append(workload.planes(self.folder, task.batch).ravel())
        keep = 1.0
        if task.kind == "train":
            layers = [
                *_layers("generator", workload.with_prefix("generator.", tensors), False),
                *_layers(task.network, workload.with_prefix("discriminator.", tensors), False),
            ]
        else:
            layers = _layers(task.network, tensors, True)
            keep = 1 - workload.info(self.folder)["dropouts"].get(task.network, 0.0)
        parameters_file, input_file = self.folder / "dlib-parameters", self.folder / "dlib-input"
        np.concatenate(layers).astype(np.float32).tofile(parameters_file)
        np.concatenate(inputs).astype(np.float32).tofile(input_file)
        verb = "train" if task.kind == "train" else "infer"
        answer = self.command(
            f"{verb} {task.network} {task.batch} {keep} {parameters_file}\t{input_file}"
        )
        if task.kind == "train":
            self.losses = np.array([float(word) for word in answer.split()])

    def run(self) -> Any:
        self.command("time 1")

    def measure(self, iterations: int) -> list[float]:
        return [float(word) for word in self.command(f"time {iterations}").split()]

    def check(self, task: Task) -> NDArray[Any]:
        if task.kind == "train":
            return self.losses
        self.run()
        file = self.folder / "dlib-output"
        self.command(f"write {file}")
        outputs = np.fromfile(file, np.float32)
        return outputs.reshape(-1, 3, 162, 162) if task.kind == "generator" else outputs

    def peak_memory(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the kernel does not tell a peak of memory")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def _layers(network: str, tensors: workload.Parameters, affine: bool) -> list[NDArray[Any]]:
    """Each layer's values as dlib holds them, from the output to the input."""
    count = len(folding.GENERATOR if network == "generator" else folding.DISCRIMINATORS[network])
    values = [] if network == "generator" else [tensors["fc.weight"], tensors["fc.bias"]]
    for i in range(count, 0, -1):
        norm: list[NDArray[Any]] = []
        if f"norm{i}.weight" in tensors:
            norm = (
                list(folding.scale_and_shift(tensors, i))
                if affine
                else [tensors[f"norm{i}.weight"], tensors[f"norm{i}.bias"]]
            )
        values += norm
        values.append(tensors[f"conv{i}.weight"])
        if f"conv{i}.bias" in tensors:
            values.append(tensors[f"conv{i}.bias"])
    return [array.ravel() for array in values]


def create(_variant: str, folder: Path, threads: int, _precision: str) -> Computation:
    return PlainDlib(folder, threads)
