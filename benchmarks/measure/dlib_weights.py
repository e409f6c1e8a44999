# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the weights of dlib's face recognition network, for engines that are not dlib.

The file holds the layers from the input to the output, each with its parameters as a tensor: five
numbers that say its version and size, then float32. Everything between is skipped.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# (residual blocks, filters) of each level; all but the first begin by halving the side.
LEVELS = ((3, 32), (4, 64), (3, 128), (3, 256), (1, 256))
EMBEDDING = 128


def _number(value: int) -> bytes:
    """As dlib writes a number: how many bytes, then these."""
    content = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return struct.pack("B", len(content)) + content


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def tensor(self, samples: int, channels: int = 1) -> NDArray[np.float32]:
        """The next tensor of this size."""
        size = (2, samples, channels, 1, 1)
        header = b"".join(map(_number, size))
        found = self.data.find(header, self.place)
        if found < 0:
            raise ValueError(f"there is no further tensor of {samples} x {channels}")
        begin = found + len(header)
        self.place = begin + 4 * samples * channels
        return np.frombuffer(self.data[begin : self.place], "<f4")

    def convolution(self, filters: int, channels: int, side: int) -> dict[str, NDArray[np.float32]]:
        """A convolution with what follows it, a factor and a constant per filter, folded in."""
        weights = filters * channels * side * side
        values = self.tensor(weights + filters)
        gain, offset = self.tensor(2 * filters).reshape(2, filters)
        weight = values[:weights].reshape(filters, channels, side, side)
        return {
            "weight": weight * gain[:, None, None, None],
            "bias": values[weights:] * gain + offset,
        }


def recognition_network(path: Path) -> dict[str, NDArray[np.float32]]:
    """`stem`, `level<l>.<b>.first` and `.second`, each with .weight and .bias; `fc.weight`."""
    reader = _Reader(path.read_bytes())
    tensors: dict[str, NDArray[np.float32]] = {}

    def add(name: str, filters: int, channels: int, side: int) -> None:
        for part, values in reader.convolution(filters, channels, side).items():
            tensors[f"{name}.{part}"] = np.ascontiguousarray(values, np.float32)

    add("stem", LEVELS[0][1], 3, 7)
    channels = LEVELS[0][1]
    for level, (blocks, filters) in enumerate(LEVELS):
        for block in range(blocks):
            add(f"level{level}.{block}.first", filters, channels, 3)
            add(f"level{level}.{block}.second", filters, filters, 3)
            channels = filters
    fc = reader.tensor(channels, EMBEDDING).reshape(channels, EMBEDDING)
    tensors["fc.weight"] = np.ascontiguousarray(fc.T)
    return tensors
