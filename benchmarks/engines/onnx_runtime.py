# SPDX-License-Identifier: GPL-3.0-or-later
"""ONNX Runtime on its CPU provider.

Timed: one run of a graph of fixed batch size (benchmarks/onnx_graphs.py), optimised as far as it
can, from a float32 input that is there already to a float32 output in memory that is there already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.measure import onnx_graphs, workload
from benchmarks.measure.computation import Computation
from benchmarks.output.rows import Task


class OnnxRuntime(Computation):
    def versions(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__}

    def prepare(self, task: Task) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_free_dimension_override_by_name("N", task.batch)
        self.session = onnxruntime.InferenceSession(
            self._graph(task), options, providers=["CPUExecutionProvider"]
        )
        self.input = onnxruntime.OrtValue.ortvalue_from_numpy(self._input(task))
        (given,), (taken,) = self.session.get_outputs(), self.session.get_inputs()
        self.output = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty(given.shape, np.float32))
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input(taken.name, self.input)
        self.binding.bind_ortvalue_output(given.name, self.output)

    def _graph(self, task: Task) -> bytes:
        if task.kind != "classifier":
            return onnx_graphs.graph(self.folder, task)
        return (self.folder / f"{task.network}.onnx").read_bytes()

    def _input(self, task: Task) -> NDArray[np.float32]:
        if task.kind == "classifier":
            return workload.normalised(self.folder, task.network, task.batch)
        read = workload.latents if task.kind == "generator" else workload.planes
        return read(self.folder, task.batch)

    def run(self) -> Any:
        self.session.run_with_iobinding(self.binding)

    def check(self, task: Task) -> NDArray[Any]:
        self.run()
        outputs: NDArray[Any] = self.output.numpy()
        return outputs[:, 0] if task.kind == "discriminator" else outputs


def create(_variant: str, folder: Path, threads: int, _precision: str) -> Computation:
    return OnnxRuntime(folder, threads)
