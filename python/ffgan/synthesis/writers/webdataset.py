# SPDX-License-Identifier: GPL-3.0-or-later
"""Tar files of pictures and labels, as the library webdataset reads them.

It takes what stands before the first dot of a name as the key of a sample, so no key has one.
Times, owners and rights are the same for all members, so that the bytes are.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ffgan.synthesis.labels import LATENT, Row, latent_type
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.store import Sink, Store, Written
from ffgan.typing import Float32

encodes = True


def check(settings: Settings) -> None:
    """Any settings will do."""


def made_with() -> dict[str, str]:
    return {}


def data_files(settings: Settings, split: str) -> list[str]:
    return [f"{split}/*.tar"]


def loading(split: str, shards: int) -> str:
    numbers = f"{{00000..{shards - 1:05d}}}" if shards > 1 else "00000"
    return f'webdataset.WebDataset("OUT/{split}/{numbers}.tar").decode("pil")'


@contextmanager
def opened(store: Store, settings: Settings, shard: Shard) -> Iterator[_Tar]:
    name = f"{shard.split}/{shard.numeral}.tar"
    with store.file(name) as sink:
        writer = _Tar(sink, name, settings)
        yield writer
        writer.finish()


class _Tar:
    def __init__(self, sink: Sink, name: str, settings: Settings) -> None:
        self._sink = sink
        self._name = name
        self._suffix = settings.encoding
        self._latent = latent_type(settings)
        self._tar = tarfile.TarFile(
            fileobj=sink,  # type: ignore[arg-type]
            mode="w",
            format=tarfile.USTAR_FORMAT,
        )

    def add(self, picture: bytes, row: Row, latent: Float32) -> None:
        key = f"{row['index']:09d}"
        self._put(f"{key}.{self._suffix}", picture)
        self._put(f"{key}.json", json.dumps(row).encode())
        if self._latent is not None:
            content = io.BytesIO()
            np.save(content, latent.astype(self._latent), allow_pickle=False)
            self._put(f"{key}.{LATENT}.npy", content.getvalue())

    def _put(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        member.mode = 0o644
        self._tar.addfile(member, io.BytesIO(content))

    def finish(self) -> None:
        self._tar.close()

    def files(self) -> list[Written]:
        return [self._sink.written(self._name)]
