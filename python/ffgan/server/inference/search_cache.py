# SPDX-License-Identifier: GPL-3.0-or-later
"""What candidate searches found, so that a slider does not repeat them at each position."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from ffgan.typing import Float32

# 4 MB: a latent is 400 bytes, Python's objects around it and its key 600 more.
REMEMBERED_SEARCHES = 4096


@dataclass(frozen=True, eq=False)
class Found:
    """Where a search ended: ``latent`` is (100,) float32, ``tries`` the draws that it took."""

    latent: Float32
    tries: int


class Memory:
    """The searches asked for last, up to `most`; any number of threads may use it."""

    def __init__(self, most: int = REMEMBERED_SEARCHES) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, Found] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, search: Hashable) -> Found | None:
        with self._lock:
            found = self._found.get(search)
            if found is not None:
                self._found.move_to_end(search)
            return found

    def add(self, search: Hashable, found: Found) -> None:
        with self._lock:
            self._found[search] = found
            self._found.move_to_end(search)
            if len(self._found) > self._most:
                self._found.popitem(last=False)
