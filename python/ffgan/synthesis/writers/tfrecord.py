# SPDX-License-Identifier: GPL-3.0-or-later
"""TFRecord files of `tf.train.Example`, without TensorFlow, which alone writes them otherwise.

A record is its length, the data, and a masked CRC-32C of each
(https://www.tensorflow.org/tutorials/load_data/tfrecord). The data is a message of protocol buffers
with three nested kinds of lists, which a few lines encode: a feature is one value, and a latent a
hundred.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from ffgan.errors import ExtraError
from ffgan.synthesis.labels import LATENT, Row, columns, latent_type
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.store import Sink, Store, Written
from ffgan.typing import Float32

encodes = True

_MASK: Final = 0xA282EAD8
_BYTES, _FLOATS, _WHOLE = 1, 2, 3  # the kinds of lists that a Feature has


def check(settings: Settings) -> None:
    _crc32c(b"")


def made_with() -> dict[str, str]:
    return {}


def data_files(settings: Settings, split: str) -> list[str]:
    return []


def loading(split: str, shards: int) -> str:
    return f'tensorflow.data.TFRecordDataset(sorted(glob.glob("OUT/{split}/*.tfrecord")))'


@contextmanager
def opened(store: Store, settings: Settings, shard: Shard) -> Iterator[_Records]:
    name = f"{shard.split}/{shard.numeral}.tfrecord"
    with store.file(name) as sink:
        yield _Records(sink, name, settings)


class _Records:
    def __init__(self, sink: Sink, name: str, settings: Settings) -> None:
        self._sink = sink
        self._name = name
        self._columns = columns(settings)
        self._latent = latent_type(settings)

    def add(self, picture: bytes, row: Row, latent: Float32) -> None:
        features = {"image": _feature(_BYTES, _field(1, picture))}
        for one in self._columns:
            value = row[one.name]
            if one.kind == "word":
                features[one.name] = _feature(_BYTES, _field(1, (value or "").encode()))
            elif one.kind == "float32":
                features[one.name] = _floats([math.nan if value is None else value])
            else:
                features[one.name] = _feature(_WHOLE, _field(1, _varint(value % 2**64)))
        if self._latent is not None:
            features[LATENT] = _floats(latent.astype(self._latent))
        entries = (_field(1, name.encode()) + _field(2, one) for name, one in features.items())
        data = _field(1, b"".join(_field(1, entry) for entry in entries))
        length = struct.pack("<Q", len(data))
        self._sink.write(length + _masked(length) + data + _masked(data))

    def files(self) -> list[Written]:
        return [self._sink.written(self._name)]


def _floats(values: Any) -> bytes:
    return _feature(_FLOATS, _field(1, np.asarray(values, "<f4").tobytes()))


def _feature(kind: int, values: bytes) -> bytes:
    return _field(kind, values)


def _field(number: int, content: bytes) -> bytes:
    """A field that has a length: text, a message, or numbers one behind the other."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """A whole number from 0 on, seven bits a byte, the lowest first."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _masked(data: bytes) -> bytes:
    crc = _crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def _crc32c(data: bytes) -> int:
    try:
        import google_crc32c
    except ImportError as error:
        raise ExtraError(
            "TFRecord needs google-crc32c: pip install 'ffgan[dataset]', or take another format"
        ) from error
    return int(google_crc32c.value(data))
