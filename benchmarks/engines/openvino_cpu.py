# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenVINO on its CPU plugin.

Timed: one request to a graph of fixed batch size (benchmarks/onnx_graphs.py) from an input
that is there already to an output in OpenVINO's own memory, both float32. It computes in the
precision of its hint; without one it would take bf16 where the processor has that. One request at a
time is what its LATENCY hint is for, at every batch size: all threads work on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from benchmarks.measure import onnx_graphs, workload
from benchmarks.measure.computation import Computation
from benchmarks.output.rows import Task


class OpenVino(Computation):
    def __init__(self, folder: Path, threads: int, precision: str) -> None:
        super().__init__(folder, threads)
        self.precision = precision

    def versions(self) -> dict[str, str]:
        return {"openvino": openvino.get_version().partition("-")[0]}

    def prepare(self, task: Task) -> None:
        core = openvino.Core()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": str(self.threads),
            "INFERENCE_PRECISION_HINT": self.precision,
        }
        model = core.read_model(onnx_graphs.graph(self.folder, task))
        self.request = core.compile_model(model, "CPU", settings).create_infer_request()
        read = workload.latents if task.kind == "generator" else workload.planes
        self.input = read(self.folder, task.batch)
        self.request.set_input_tensor(openvino.Tensor(self.input, shared_memory=True))

    def run(self) -> Any:
        self.request.infer()

    def check(self, task: Task) -> NDArray[Any]:
        self.run()
        outputs: NDArray[Any] = np.array(self.request.get_output_tensor().data)
        return outputs if task.kind == "generator" else outputs[:, 0]


def create(_variant: str, folder: Path, threads: int, precision: str) -> Computation:
    return OpenVino(folder, threads, precision)
