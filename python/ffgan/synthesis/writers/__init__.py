# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats of data sets: what makes the files of a shard out of pictures and labels."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, cast

from ffgan.synthesis.labels import Row
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.store import Store, Written
from ffgan.typing import Float32

_MODULES: Final[Mapping[str, str]] = {
    "folder": "image_folder",
    "parquet": "parquet",
    "webdataset": "webdataset",
    "tfrecord": "tfrecord",
    "npy": "memory_map",
}


class ShardWriter(Protocol):
    """Takes the pictures of a shard in their order."""

    def add(self, picture: bytes, row: Row, latent: Float32) -> None:
        """Take the next one: the bytes of its file, or of its pixels if ``encodes`` is false."""

    def files(self) -> list[Written]:
        """What was written, once the context is over."""


class Writer(Protocol):
    """A module of a format."""

    encodes: bool
    """Whether pictures are files; else they are pixels."""

    def check(self, settings: Settings) -> None:
        """Raise `UsageError` for what the format cannot hold, `ExtraError` without its library."""

    def made_with(self) -> dict[str, str]:
        """The libraries, with versions, that the bytes depend on."""

    def opened(
        self, store: Store, settings: Settings, shard: Shard
    ) -> AbstractContextManager[ShardWriter]:
        """A context in which a shard is written; it is there, whole, after the end."""

    def data_files(self, settings: Settings, split: str) -> list[str]:
        """Patterns of the files of a split, for the data card."""

    def loading(self, split: str, shards: int) -> str:
        """A line of Python that loads a split, which has so many shards, for the data card."""


def writer(format: str) -> Writer:
    """Return what writes a format. Its libraries are imported when it is used."""
    module: Any = importlib.import_module(f"{__name__}.{_MODULES[format]}")
    return cast(Writer, module)
