# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of pictures for each shard, with a metadata.jsonl: Hugging Face's ImageFolder.

A folder of a split holds those of its shards, so that no reader has to guess the split from names,
which are numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ffgan.synthesis.labels import LATENT, Row, latent_type
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.store import FolderSink, Store, Written
from ffgan.typing import Float32

METADATA: Final = "metadata.jsonl"

encodes = True


def check(settings: Settings) -> None:
    """Any settings will do."""


def made_with() -> dict[str, str]:
    return {}


def data_files(settings: Settings, split: str) -> list[str]:
    return [f"{split}/**"]


def loading(split: str, shards: int) -> str:
    # datasets 5.2.0 keeps the metadata files in a Python set, so folders come in another order in
    # each process.
    return f'datasets.load_dataset("imagefolder", data_dir="OUT", split="{split}").sort("index")'


@contextmanager
def opened(store: Store, settings: Settings, shard: Shard) -> Iterator[_Folder]:
    name = f"{shard.split}/{shard.numeral}"
    with store.folder(name) as folder:
        writer = _Folder(folder, name, settings)
        yield writer
        writer.finish()


class _Folder:
    def __init__(self, folder: FolderSink, name: str, settings: Settings) -> None:
        self._folder = folder
        self._name = name
        self._suffix = settings.encoding
        self._latent = latent_type(settings)
        self._lines: list[bytes] = []
        self._files: list[Written] = []

    def add(self, picture: bytes, row: Row, latent: Float32) -> None:
        name = f"{row['index']:09d}.{self._suffix}"
        labels = {"file_name": name, **row}
        if self._latent is not None:
            labels[LATENT] = [float(str(one)) for one in latent.astype(self._latent)]
        self._put(name, picture)
        self._lines.append(json.dumps(labels).encode() + b"\n")

    def finish(self) -> None:
        self._put(METADATA, b"".join(self._lines))

    def _put(self, name: str, content: bytes) -> None:
        self._folder.add(name, content)
        digest = hashlib.sha256(content).hexdigest()
        self._files.append(Written(f"{self._name}/{name}", len(content), digest))

    def files(self) -> list[Written]:
        return self._files
