# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache of films, since a player asks for one in many parts and each would encode it anew."""

from __future__ import annotations

import threading
from collections import OrderedDict

CAPACITY = 32 << 20


class BodyCache:
    """The bodies that were used last, by their ETags, up to ``capacity`` bytes in all."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, tag: str) -> bytes | None:
        with self._lock:
            body = self._bodies.get(tag)
            if body is not None:
                self._bodies.move_to_end(tag)
            return body

    def add(self, tag: str, body: bytes) -> None:
        with self._lock:
            if tag in self._bodies or len(body) > self._capacity:
                return
            self._bodies[tag] = body
            self._size += len(body)
            while self._size > self._capacity:
                self._size -= len(self._bodies.popitem(last=False)[1])
