# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets: packed images, the journal of an extraction, a run's records, and latents."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ffgan.dataset import Dataset, packed_file
from ffgan.extraction import journal, quality
from ffgan.extraction.manifest import manifest
from ffgan.extraction.selection import Place, select
from ffgan.extraction.settings import Settings
from ffgan.images import encode
from ffgan.projection import latent_text, load_latent
from ffgan.training.report import write_report
from ffgan.training.run_folder import RunFolder
from ffgan.training.validation import FIGURE
from fuzz.mutation import copy, json_bytes, one_byte_string, one_json_value
from fuzz.target import MEBIBYTE, Target

SIZE = 4


class PackFile(Target):
    """Packed images, as a data set and as a folder's cache."""

    name = "pack"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.path = folder / "faces.pack"
        self.seeds = []
        many = [b"%d.bmp" % number for number in range(60)]
        for names in ([b"a.jpg", b"b/c.png", b"d.jpg"], [b"x" * 200], many):
            contents = packed_file.Contents(names, "0" * 64, SIZE, "crop", "convert")
            kinds = [packed_file.GOOD, packed_file.BROKEN, packed_file.SMALL]
            state = np.array(kinds * 20, np.uint8)
            images = np.full((len(names), SIZE, SIZE, 3), 7, np.uint8)
            packed_file.write(self.path, contents, [images], state[: len(names)])
            self.seeds.append(self.path.read_bytes())
            self.run(self.seeds[-1])

    def input(self, random: Random) -> bytes:
        data = random.choice(self.seeds)
        if random.random() < 0.5:  # most of the header's page is filling
            head = packed_file.HEADER.size
            changed = one_byte_string(random, data[:head])[:head].ljust(head, b"\0")
            return changed + data[head:]
        return one_byte_string(random, data, self.seeds)

    def run(self, data: bytes) -> None:
        self.path.write_bytes(data)
        with Dataset(self.path, size=SIZE, workers=1) as dataset:
            assert len(dataset.summary) < 1000
            assert len(list(dataset.paths)) == len(dataset)
            shapes = {dataset.image(i).shape for i in (0, len(dataset) - 1)}
            assert shapes == {(SIZE, SIZE, 3)}


class JournalFile(Target):
    """Journals of `extract`, read, written again, and made to a manifest."""

    name = "journal"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.path = folder / journal.NAME
        self.settings = Settings(embeddings=True)
        face: dict[str, Any] = {
            "box": [10, 20, 110, 120],
            "confidence": 1.5,
            "points": [[30, 40], [50, 40], [70, 40], [90, 40], [60, 80]],
            "square": [60.0, 70.0, 162.0, 0.1],
            "outside": 0.0,
            "pose": [1.0, 2.0, 3.0],
            "seen": [0.5, 100.0, 50.0, 20.0],
            "hash": "00ff" * 16,
        }
        embedding = base64.b64encode(np.ones(128, np.float32).tobytes()).decode()
        embedded = {**face, "hash": "ff00" * 16, "embedding": embedding}
        photo = {"name": "a/b.jpg", "size": 1000, "mtime": 10**18, "rows": 300, "columns": 400}
        header = {
            "format": journal.FORMAT,
            "photos": "/photos",
            "looked_for": {"format": "png"},
            "done": {
                "chosen": {"duplicates": "hash"},
                "result": {"kept": 1, "reasons": {"blurred": 2}},
            },
        }
        self.lines: list[Any] = [
            header,
            {**photo, "scale": 1, "faces": [face, embedded]},
            {"name": "broken.png", "size": 5, "mtime": 1, "error": "the file is damaged"},
            {**photo, "name": "none.jpg", "scale": 2, "faces": []},
        ]
        self.run(self._encoded(self.lines))

    def _encoded(self, lines: list[Any]) -> bytes:
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def input(self, random: Random) -> bytes:
        if random.random() < 0.25:
            return one_byte_string(random, self._encoded(self.lines))
        lines = [json.dumps(line).encode() for line in self.lines]
        index = random.randrange(len(lines))
        changed = one_json_value(random, copy(self.lines[index]), ("name", "faces"))
        lines[index] = json_bytes(random, changed)
        return b"\n".join(lines) + b"\n"

    def run(self, data: bytes) -> None:
        self.path.write_bytes(data)
        header, photos = journal.read(self.path)
        assert isinstance(header["photos"], str) and isinstance(header["looked_for"], dict)
        for name, photo in photos.items():
            assert photo.name == name
            for index in range(len(photo.faces)):
                chip = (self.folder / photo.chip(index, "png")).resolve()
                assert chip.is_relative_to(self.folder), "a file outside the output folder"
        ordered = list(photos.values())
        select(ordered, self.settings, self._fault, _embed)
        manifest(ordered, "png").encode()

    def bound(self, data: bytes) -> int:
        # The clusters of faces are found by OpenBLAS, which takes 32 MiB for itself.
        return 64 * MEBIBYTE + 40 * len(data)

    def _fault(self, photo: journal.Photo, face: journal.DetectedFace) -> str:
        side = face.square[2] * photo.scale
        return quality.fault(side, face.outside, face.pose, face.appearance, self.settings)


class RunRecords(Target):
    """config.json and train.jsonl of a run folder, for its report and for going on."""

    name = "run"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.run_folder = RunFolder(folder)
        self.config: dict[str, Any] = {
            "settings": {"batch": 4, "heldout": None},
            "starts_from": "scratch",
            "directory": "/faces",
            "images": 10,
            "data_hash": "0" * 64,
            "changes": [{"step": 2, "settings": {"batch": [2, 4]}}],
            "version": "0.1.0",
            "engine": {"threads": 2},
        }
        losses = {"loss_d": 1.0, "loss_g": 2.0, "accuracy_real": 0.5, "images_per_second": 9.5}
        line = {"stage": "adversarial", "images": 8, "seconds": 1.5, **losses}
        self.lines = [{"step": step, **line, FIGURE: 30.5 / step} for step in (2, 4, 6)]
        self.run((json.dumps(self.config).encode(), json.dumps(self.lines[0]).encode() + b"\n"))

    def input(self, random: Random) -> tuple[bytes, bytes]:
        config, lines = copy(self.config), copy(self.lines)
        if random.random() < 0.5:
            config = one_json_value(random, config, ("changes", "settings"))
        else:
            lines[0] = one_json_value(random, lines[0], (FIGURE, "fid"))
        encoded = b"".join(json_bytes(random, line) + b"\n" for line in lines)
        return json_bytes(random, config), encoded

    def run(self, data: tuple[bytes, bytes]) -> None:
        config, lines = data
        self.run_folder.config.write_bytes(config)
        self.run_folder.log.write_bytes(lines)
        self.run_folder.forget_after(4)
        self.run_folder.changes()
        write_report(self.run_folder)

    def bound(self, data: tuple[bytes, bytes]) -> int:
        return super().bound(data[0] + data[1])


def _embed(places: list[Place]) -> None:
    for photo, index in places:
        photo.faces[index].embedding = np.zeros(128, np.float32)


class LatentFile(Target):
    """A latent's file: its JSON, a picture with that text, a NumPy file."""

    name = "latent"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.path = folder / "face.json"
        latent = np.arange(100, dtype=np.float32) / 50 - 1
        text = latent_text(latent, "0" * 64, distances={"pyramid": 0.1})
        self.value = json.loads(text)
        array = io.BytesIO()
        np.save(array, latent)
        picture = np.zeros((4, 4, 3), np.uint8)
        self.seeds = [text.encode(), array.getvalue()]
        for kind in ("png", "jpg", "webp"):
            self.seeds.append(encode(picture, kind, metadata={"latent": text}))
        for seed in self.seeds:
            self.run(seed)

    def input(self, random: Random) -> bytes:
        if random.random() < 0.3:
            changed = one_json_value(random, copy(self.value), ("latents", "model"))
            return json_bytes(random, changed)
        return one_byte_string(random, random.choice(self.seeds), self.seeds)

    def run(self, data: bytes) -> None:
        self.path.write_bytes(data)
        latent = load_latent(self.path)
        assert latent.shape == (100,) and latent.dtype == np.float32
        assert np.isfinite(latent).all()
