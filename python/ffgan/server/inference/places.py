# SPDX-License-Identifier: GPL-3.0-or-later
"""Places in a queue, of which some are left to clients that hold few."""

from __future__ import annotations

from collections import Counter


class Places:
    """``total`` places; the last ``spare`` of them are for clients within their fair share.

    That is the total divided among the clients that hold some, ``least`` places at least. So one
    client fills an idle server up to its spare places, and keeps no other out. Callers hold a lock.
    """

    def __init__(self, total: int, spare: int, least: int = 1) -> None:
        self.total = total
        self._least = least
        self.taken = 0
        self._spare = spare
        self._by_client: Counter[str] = Counter()

    def has_room(self, client: str, places: int) -> bool:
        if self.taken + places > self.total:
            return False
        mine = self._by_client[client]
        # There is always another who may come.
        clients = max(len(self._by_client) + (not mine), 2)
        fair = mine + places <= max(self.total // clients, self._least)
        return self.taken + places <= self.total - self._spare or fair

    def take(self, client: str, places: int) -> None:
        """Fewer than 0 are given back."""
        self.taken += places
        self._by_client[client] += places
        if not self._by_client[client]:
            del self._by_client[client]
