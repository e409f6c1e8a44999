# SPDX-License-Identifier: GPL-3.0-or-later
"""The tensors of an ONNX file, read without the package onnx.

An ONNX file is a message of protocol buffers (https://protobuf.dev/programming-guides/encoding/):
fields, each a number with a value, of which some are messages again. The numbers are those of
onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np

from ffgan.typing import Float32

_GRAPH: Final = 7  # of the model
_INITIALIZER: Final = 5  # of the graph
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9  # of a tensor
_FLOAT: Final = 1  # a data type

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # how a field is encoded

_Value: TypeAlias = "int | memoryview"


def float_tensors(data: bytes) -> dict[str, Float32]:
    """Return the constant float32 tensors of an ONNX file's content by name, read-only.

    Those of other types, and those whose numbers are not in ``raw_data``, are left out. Raises
    ValueError for what is no such file.
    """
    tensors = {}
    for graph in _messages(memoryview(data), _GRAPH):
        for initializer in _messages(graph, _INITIALIZER):
            shape: list[int] = []
            name, data_type, raw = "", 0, memoryview(b"")
            for number, value in _fields(initializer):
                if number == _DIMS:
                    shape += [value] if isinstance(value, int) else _varints(value)
                elif number == _DATA_TYPE and isinstance(value, int):
                    data_type = value
                elif number == _NAME and not isinstance(value, int):
                    name = str(value, "utf-8")
                elif number == _RAW_DATA and not isinstance(value, int):
                    raw = value
            if data_type == _FLOAT and raw:
                tensors[name] = np.frombuffer(raw, "<f4").reshape(shape)
    return tensors


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The messages in a message that have this number."""
    for number, value in _fields(message):
        if number == wanted and not isinstance(value, int):
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, _Value]]:
    """The fields of a message, in the file's order."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, encoding = key >> 3, key & 7
        if encoding == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if encoding == _BYTES:
            size, position = _varint(message, position)
        elif encoding in (_FIXED32, _FIXED64):
            size = 4 if encoding == _FIXED32 else 8
        else:
            raise ValueError(f"field {number} is encoded in an unknown way, {encoding}")
        end = position + size
        if end > len(message):
            raise ValueError(f"field {number} is cut off")
        yield number, message[position:end]
        position = end


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number, seven bits a byte from the lowest on, and where it ends."""
    result = 0
    for i, byte in enumerate(message[position : position + 10]):
        result |= (byte & 127) << (7 * i)
        if byte < 128:
            return result, position + i + 1
    raise ValueError("a number is cut off")


def _varints(packed: memoryview) -> list[int]:
    numbers, position = [], 0
    while position < len(packed):
        number, position = _varint(packed, position)
        numbers.append(number)
    return numbers
