# SPDX-License-Identifier: GPL-3.0-or-later
"""NumPy files for training: all pixels of a split in one, all labels in another.

``SPLIT-images.npy`` is (n, size, size, 3) uint8, ``SPLIT-labels.npy`` a structured array (n,) with
the latents. Both have their shape from the first shard on, and `numpy.load(..., mmap_mode="r")`
opens them; the rows of shards that are not there yet are zero.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from ffgan.synthesis.labels import LATENT, Row, latent_type, numpy_type
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard, splits
from ffgan.synthesis.store import RowSink, Store, Written
from ffgan.typing import Float32

encodes = False


def check(settings: Settings) -> None:
    """Any settings will do."""


def made_with() -> dict[str, str]:
    return {}


def data_files(settings: Settings, split: str) -> list[str]:
    return []


def loading(split: str, shards: int) -> str:
    return f'numpy.load("OUT/{split}-images.npy", mmap_mode="r")  # and OUT/{split}-labels.npy'


def files(settings: Settings, split: str) -> dict[str, tuple[bytes, int]]:
    """The files of a split by name, each with its header and its size in bytes."""
    count = len(splits(settings)[split])
    side = settings.size
    pixels = _header(np.dtype(np.uint8), (count, side, side, 3))
    labels = _header(numpy_type(settings), (count,))
    return {
        f"{split}-images.npy": (pixels, len(pixels) + count * side * side * 3),
        f"{split}-labels.npy": (labels, len(labels) + count * numpy_type(settings).itemsize),
    }


@contextmanager
def opened(store: Store, settings: Settings, shard: Shard) -> Iterator[_Rows]:
    made = files(settings, shard.split)
    with ExitStack() as stack:
        sinks = [
            (stack.enter_context(store.rows(name, header, size)), len(header))
            for name, (header, size) in made.items()
        ]
        yield _Rows(sinks, made, settings, shard)


class _Rows:
    def __init__(
        self,
        sinks: list[tuple[RowSink, int]],
        made: dict[str, tuple[bytes, int]],
        settings: Settings,
        shard: Shard,
    ) -> None:
        self._images, self._labels = sinks
        self._made = made
        self._type = numpy_type(settings)
        self._latent = latent_type(settings)
        self._at = shard.place

    def add(self, picture: bytes, row: Row, latent: Float32) -> None:
        _put(self._images, self._at, picture)
        labels = np.zeros((), self._type)
        fields: Any = self._type
        for name, value in row.items():
            missing: Any = np.nan if fields[name].kind == "f" else ""
            labels[name] = missing if value is None else value
        if self._latent is not None:
            labels[LATENT] = latent
        _put(self._labels, self._at, labels.tobytes())
        self._at += 1

    def files(self) -> list[Written]:
        """Their sums are those of the whole files, which others write to as well."""
        return [Written(name, size, "") for name, (_, size) in self._made.items()]


def _put(sink: tuple[RowSink, int], at: int, content: bytes) -> None:
    rows, start = sink
    rows.put(content, start + at * len(content))


def _header(kind: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    content = io.BytesIO()
    described = {
        "descr": np.lib.format.dtype_to_descr(kind),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(content, described)
    return content.getvalue()
