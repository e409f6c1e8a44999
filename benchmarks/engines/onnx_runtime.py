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
        self.session = onnxruntime.InferenceSession(
            onnx_graphs.graph(self.folder, task), options, providers=["CPUExecutionProvider"]
        )
        read = workload.latents if task.kind == "generator" else workload.planes
        self.input = onnxruntime.OrtValue.ortvalue_from_numpy(read(self.folder, task.batch))
        shape = self.session.get_outputs()[0].shape
        self.output = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty(shape, np.float32))
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input(onnx_graphs.INPUT, self.input)
        self.binding.bind_ortvalue_output(onnx_graphs.OUTPUT, self.output)

    def run(self) -> Any:
        self.session.run_with_iobinding(self.binding)

    def check(self, task: Task) -> NDArray[Any]:
        self.run()
        outputs: NDArray[Any] = self.output.numpy()
        return outputs if task.kind == "generator" else outputs[:, 0]


def create(_variant: str, folder: Path, threads: int) -> Computation:
    return OnnxRuntime(folder, threads)
