# SPDX-License-Identifier: GPL-3.0-or-later
"""File names by the hundred thousand."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload


class Names(Sequence[bytes]):
    """Relative names, one after another in one bytes object: 250,000 in about 10 MB."""

    def __init__(self, names: Iterable[bytes]) -> None:
        ends = array("Q", [0])
        blob = bytearray()
        for name in names:
            blob += name
            ends.append(len(blob))
        self._blob = bytes(blob)
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._blob[self._ends[place] : self._ends[place + 1]]


class Paths(Sequence[Path]):
    """The paths of the files ``names`` below the folder ``root``."""

    def __init__(self, root: Path, names: Sequence[bytes]) -> None:
        self._root = os.fsencode(root)
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> list[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | list[Path]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return Path(os.fsdecode(os.path.join(self._root, self._names[index])))
