# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines that are compared, by name."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.measure.computation import Computation
from benchmarks.output.rows import Kind

INSTALL = "pip install '.[bench]'"


@dataclass(frozen=True)
class Engine:
    """`module` of this package has `create(variant, folder, threads)`."""

    name: str
    title: str
    module: str
    kinds: tuple[Kind, ...]
    packages: tuple[str, ...] = ()
    variant: str = ""
    compiles: bool = False
    takes_memory_row: bool = True

    def missing(self) -> str | None:
        """Why it cannot be measured here, and the way out; None when it can."""
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if absent:
            return f"not installed ({', '.join(absent)}): {INSTALL}"
        if self.compiles and shutil.which("g++") is None:
            return "needs a C++ compiler: apt-get install g++"
        return None


INFERENCE: tuple[Kind, ...] = ("generator", "discriminator")
EVERYTHING: tuple[Kind, ...] = (*INFERENCE, "train")
CLASSIFIER: tuple[Kind, ...] = ("classifier",)

SUBJECT = "ffgan"
DLIB = "dlib"

ENGINES = (
    Engine(SUBJECT, "ffgan", "ffgan_core", EVERYTHING + CLASSIFIER, ("ffgan",)),
    Engine("ffgan-uint8", "ffgan, to uint8", "ffgan_core", ("generator",), ("ffgan",), "uint8"),
    Engine("pytorch", "PyTorch", "pytorch", EVERYTHING, ("torch",), "contiguous"),
    Engine(
        "pytorch-channels-last",
        "PyTorch, channels_last",
        "pytorch",
        EVERYTHING,
        ("torch",),
        "channels_last",
    ),
    Engine(
        "pytorch-compile",
        "PyTorch, torch.compile",
        "pytorch",
        EVERYTHING,
        ("torch",),
        "compile",
        compiles=True,
        takes_memory_row=False,  # it would be the compiler's
    ),
    Engine(
        "onnxruntime",
        "ONNX Runtime",
        "onnx_runtime",
        INFERENCE + CLASSIFIER,
        ("onnxruntime", "onnx"),
    ),
    Engine("openvino", "OpenVINO", "openvino_cpu", INFERENCE, ("openvino", "onnx")),
    Engine(DLIB, "plain dlib", "plain_dlib", EVERYTHING),
)

# The yardstick for GFLOP/s, part of every row.
SGEMMS = (
    Engine("sgemm-numpy", "sgemm of NumPy", "sgemm", ("sgemm",), ("numpy",), "numpy"),
    Engine("sgemm-pytorch", "sgemm of PyTorch", "sgemm", ("sgemm",), ("torch",), "torch"),
)


def find(name: str) -> Engine:
    for engine in (*ENGINES, *SGEMMS):
        if engine.name == name:
            return engine
    known = ", ".join(engine.name for engine in ENGINES)
    raise BenchmarkError(f"there is no engine '{name}': choose from {known}")


def choose(names: Sequence[str]) -> list[Engine]:
    """The engines of these names, with ffgan, in their order above."""
    chosen = {SUBJECT, *(find(name).name for name in names)}
    return [engine for engine in ENGINES if engine.name in chosen]


def create(name: str, folder: Path, threads: int) -> Computation:
    """Set the engine up in this process."""
    engine = find(name)
    module: Any = importlib.import_module(f"benchmarks.engines.{engine.module}")
    computation: Computation = module.create(engine.variant, folder, threads)
    return computation
