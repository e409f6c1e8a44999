# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines that are compared, by name."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.measure.computation import Computation
from benchmarks.measure.machine import flags
from benchmarks.output.rows import Kind

INSTALL = "pip install '.[bench]'"


@dataclass(frozen=True)
class Engine:
    """`module` of this package has `create(variant, folder, threads, precision)`.

    `precision`: "f32", or "bf16" for one that rounds the operands of products to that.
    """

    name: str
    title: str
    module: str
    kinds: tuple[Kind, ...]
    packages: tuple[str, ...] = ()
    variant: str = ""
    precision: str = "f32"
    compiles: bool = False
    takes_memory_row: bool = True

    def missing(self) -> str | None:
        """Why it cannot be measured here, and the way out; None when it can."""
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if absent:
            return f"not installed ({', '.join(absent)}): {INSTALL}"
        if self.precision == "bf16" and not BF16 & set(flags()):
            return "this processor has no instructions for bf16"
        if self.name == BEFORE and FOLDER not in os.environ:
            return "no earlier build is given: --against DIR"
        if self.compiles and shutil.which("g++") is None:
            return "needs a C++ compiler: apt-get install g++"
        return None


INFERENCE: tuple[Kind, ...] = ("generator", "discriminator")
EVERYTHING: tuple[Kind, ...] = (*INFERENCE, "train")
CLASSIFIER: tuple[Kind, ...] = ("classifier",)
DRAWING: tuple[Kind, ...] = ("draw",)
RECIPE: tuple[Kind, ...] = ("recipe",)

SUBJECT = "ffgan"
BEFORE = "ffgan-before"
BF16_SUBJECT = "ffgan-bf16"
DLIB = "dlib"

# Where the measuring process tells in which folder an earlier build's package is.
FOLDER = "FFGAN_BENCHMARK_BEFORE"
BF16 = {"avx512_bf16", "amx_bf16"}

ENGINES = (
    Engine(SUBJECT, "ffgan", "ffgan_core", EVERYTHING + CLASSIFIER + DRAWING + RECIPE, ("ffgan",)),
    Engine(BEFORE, "ffgan before", "ffgan_core", EVERYTHING + CLASSIFIER + DRAWING + RECIPE),
    Engine("ffgan-uint8", "ffgan, to uint8", "ffgan_core", ("generator",), ("ffgan",), "uint8"),
    Engine(BF16_SUBJECT, "ffgan, bf16", "ffgan_core", ("generator",), ("ffgan",), precision="bf16"),
    Engine("pytorch", "PyTorch", "pytorch", EVERYTHING + RECIPE, ("torch",), "contiguous"),
    Engine(
        "pytorch-channels-last",
        "PyTorch, channels_last",
        "pytorch",
        EVERYTHING + RECIPE,
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
        "pytorch-bf16",
        "PyTorch, channels_last, bf16",
        "pytorch",
        INFERENCE,
        ("torch",),
        "channels_last",
        "bf16",
    ),
    Engine(
        "pytorch-compile-bf16",
        "PyTorch, torch.compile, bf16",
        "pytorch",
        INFERENCE,
        ("torch",),
        "compile",
        "bf16",
        compiles=True,
    ),
    Engine(
        "onnxruntime",
        "ONNX Runtime",
        "onnx_runtime",
        INFERENCE + CLASSIFIER,
        ("onnxruntime", "onnx"),
    ),
    Engine("openvino", "OpenVINO", "openvino_cpu", INFERENCE, ("openvino", "onnx")),
    Engine(
        "openvino-bf16",
        "OpenVINO, bf16",
        "openvino_cpu",
        INFERENCE,
        ("openvino", "onnx"),
        precision="bf16",
    ),
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
    computation: Computation = module.create(engine.variant, folder, threads, engine.precision)
    return computation
