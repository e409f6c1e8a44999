# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets: model files, checkpoints and the original's `.dnn` files."""

from __future__ import annotations

import bz2
import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ffgan.model import Model, packaged_model
from ffgan.model.dnn import import_dnn
from ffgan.model.file import read_model
from ffgan.training import run_folder
from ffgan.training.plan import resolve
from ffgan.training.run_folder import Checkpoint, RunFolder
from ffgan.training.run_state import RunState
from ffgan.training.settings import Settings
from fuzz import dnn_files
from fuzz.mutation import copy, json_bytes, one_byte_string, one_json_value
from fuzz.target import MEBIBYTE, Target

METADATA = {
    "format": "ffgan-1",
    "discriminator": "program",
    "generator": "table",
    "threshold": "0.0",
    "dropout": "0.5",
    "data": "10 images",
    "settings": "{}",
    "directions": json.dumps([{"index": 0, "low": "young", "high": "old"}, {"index": 3}]),
}


class ModelFile(Target):
    """Model files: headers of JSON, mostly without any tensor behind them.

    One of 400 has the packaged model's tensors. Of half the others the metadata alone are used.
    """

    name = "model"
    head = 1 << 16
    """Where the tensors begin: what the header leaves of this is spaces."""

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.path = folder / "model.safetensors"
        self.whole = folder / "whole.safetensors"
        packaged = packaged_model().read_bytes()
        (length,) = struct.unpack_from("<Q", packaged)
        self.header = json.loads(packaged[8 : 8 + length])
        self.metadata = {**METADATA, **self.header.pop("__metadata__")}
        whole = {"__metadata__": self.metadata, **self.header}
        self.whole.write_bytes(self._padded(json.dumps(whole).encode()) + packaged[8 + length :])
        Model.load(self.whole)

    def _padded(self, header: bytes) -> bytes:
        return struct.pack("<Q", self.head - 8) + header.ljust(self.head - 8)[: self.head - 8]

    def input(self, random: Random) -> tuple[bytes, bool] | dict[str, str]:
        metadata: Any = dict(self.metadata)
        if random.random() < 0.5:
            key = random.choice(list(metadata))
            if key in ("directions", "settings"):
                changed = one_json_value(random, json.loads(metadata[key]), ("index", "low"))
                metadata[key] = json_bytes(random, changed).decode("utf-8", "replace")
            metadata = one_json_value(random, metadata, tuple(METADATA))
            if isinstance(metadata, dict) and random.random() < 0.8:
                return {str(name): str(value) for name, value in metadata.items()}
        whole = random.random() < 1 / 400
        description: Any = {"__metadata__": metadata, **copy(self.header)}
        if random.random() < (0.5 if whole else 0.9):
            description = one_json_value(random, description, tuple(self.header)[:3])
        header = json_bytes(random, description)
        if whole:
            return self._padded(header), True
        data = struct.pack("<Q", len(header)) + header
        if random.random() < 0.2:
            data = one_byte_string(random, data[:8]) + data[8:]
        return data + bytes(random.choice((0, 0, 1, 4096))), False

    def run(self, data: tuple[bytes, bool] | dict[str, str]) -> None:
        if isinstance(data, dict):
            Model({}, {}, data)
            return
        content, whole = data
        if whole:
            with self.whole.open("r+b") as file:
                file.write(content)
            Model.load(self.whole)
        else:
            self.path.write_bytes(content)
            read_model(self.path)

    def bound(self, data: tuple[bytes, bool] | dict[str, str]) -> int:
        if isinstance(data, dict):
            return 32 * MEBIBYTE
        content, whole = data
        # The file, its tensors, and the networks that they become.
        return 32 * MEBIBYTE + 40 * len(content) + (300 * MEBIBYTE if whole else 0)


class _TenImages:
    """What a run asks of its data set before the first step."""

    hash = "0" * 64

    def __len__(self) -> int:
        return 10


class CheckpointFile(Target):
    """Checkpoints in a run folder, as a run that is resumed reads them.

    Their networks' tensors are missing, so all are refused, the good ones at the very end.
    """

    name = "checkpoint"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.run_folder = RunFolder(folder / "runs" / "x")
        self.run_folder.checkpoints.mkdir(parents=True)
        self.path = self.run_folder.checkpoints / "step-00000007.safetensors"
        settings = Settings(recipe="original")
        start = Settings.names(life="start")
        record = {
            "stage": "adversarial",
            "position": {"step": 7, "offset": 0, "returns": 0, "suspect": 0},
            "settings": {k: v for k, v in settings.model_dump().items() if k not in start},
            "data": {"images": 10, "hash": "0" * 64},
        }
        tensors = {
            "trainer.a": np.arange(6, dtype=np.float32).reshape(2, 3),
            "trainer.b": np.zeros(0, np.float32),
            "principal_components.mean": np.zeros(4, np.float32),
            "identity_codes.mean": np.zeros(4, np.float32),
        }
        whole = run_folder.encode(Checkpoint(7, tensors, record))
        (length,) = struct.unpack_from("<Q", whole)
        self.header = json.loads(whole[8 : 8 + length])
        self.checkpoint = json.loads(self.header["__metadata__"]["checkpoint"])
        # As of older versions: one that covers the header ends nearly all inputs at once.
        self.undigested = {k: v for k, v in self.checkpoint.items() if k != "header_sha256"}
        self.tensors = whole[8 + length :]
        self.whole = whole
        self.path.write_bytes(whole)
        plan = resolve(folder, {"runs": str(folder / "runs"), "name": "x"})
        images: Any = _TenImages()
        self.state = RunState(plan, images)

    def input(self, random: Random) -> bytes:
        kind = random.random()
        if kind < 0.2:
            return one_byte_string(random, self.whole, (self.tensors,))
        header: Any = copy(self.header)
        if kind < 0.8:
            checkpoint: Any = copy(self.undigested if random.random() < 0.9 else self.checkpoint)
            checkpoint = one_json_value(random, checkpoint, ("step", "record"))
            text = json_bytes(random, checkpoint).decode("utf-8", "replace")
            header["__metadata__"]["checkpoint"] = text
        else:
            header = one_json_value(random, header, ("trainer.a", "x", "F16"))
        encoded = json_bytes(random, header)
        return struct.pack("<Q", len(encoded)) + encoded + self.tensors

    def run(self, data: bytes) -> None:
        self.path.write_bytes(data)
        plan = resolve(self.folder, {"runs": str(self.folder / "runs"), "name": "x"})
        assert plan.checkpoint is not None
        self.state.plan = plan
        self.state.check_data(plan.checkpoint)
        self.state.restore(plan.checkpoint)


class DnnFile(Target):
    """`.dnn` files through Python, now and then compressed; fuzz_dnn is the one for C++."""

    name = "dnn"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.path = folder / "model.dnn"
        self.seeds = [
            dnn_files.short_file(convolution=con, transposed=cont, fully_connected=fc)
            for con, cont, fc in ((6, 2, 3), (5, 2, 3), (4, 1, 2))
        ]
        self.packed = [bz2.compress(dnn_files.expanded(seed)) for seed in self.seeds]
        for data in (dnn_files.expanded(self.seeds[0]), self.packed[0]):
            try:
                self.run(data)
            except Exception as error:
                assert "has another shape" in str(error), error

    def input(self, random: Random) -> bytes:
        if random.random() < 0.05:
            return one_byte_string(random, random.choice(self.packed), self.packed)
        return dnn_files.expanded(one_byte_string(random, random.choice(self.seeds), self.seeds))

    def run(self, data: bytes) -> None:
        self.path.write_bytes(data)
        import_dnn(self.path, self.folder / "out.safetensors")
