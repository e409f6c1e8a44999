# SPDX-License-Identifier: GPL-3.0-or-later
"""One budget of memory for all images that are decoded, put together or encoded at a time.

What a request needs is known beforehand, from an image's header or the request itself. It waits
until there is room; the next to get some is the client that has waited longest since it had its
last, so that one that asks for much delays others by one of its requests, not by all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from concurrent.futures import Future

from ffgan.server.http.errors import Unavailable

MAX_WAITING = 16
"""Requests of one client that may wait."""


class Budget:
    """``total`` bytes, of which requests take some while they are worked on."""

    def __init__(self, total: int, seconds: float) -> None:
        self.total = total
        self.seconds = seconds
        self._free = total
        self._waiting: OrderedDict[str, deque[_Claim]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        return self.total - self._free

    @contextlib.asynccontextmanager
    async def room(self, client: str, need: int, *, patient: bool = False) -> AsyncIterator[None]:
        """Waits for ``need`` bytes, or all there are, and gives them back at the end.

        ``patient``: without a limit of time, as what has begun to be sent must be finished. Raises
        Unavailable where the client has too many requests that wait, or after the seconds.
        """
        claim = await self.claim(client, need, patient=patient)
        try:
            yield
        finally:
            claim.release()

    async def claim(self, client: str, need: int, *, patient: bool = False) -> _Claim:
        """As ``room``; whoever has it calls ``release``, once."""
        claim = _Claim(self, client, min(need, self.total))
        with self._lock:
            queue = self._waiting.setdefault(client, deque())
            if len(queue) >= MAX_WAITING and not patient:
                raise _busy()
            queue.append(claim)
            granted = self._grant()
        _tell(granted)
        try:
            seconds = None if patient else self.seconds
            await asyncio.wait_for(asyncio.wrap_future(claim.granted), seconds)
        except BaseException as error:
            claim.release()
            if isinstance(error, asyncio.TimeoutError):
                raise _busy() from None
            raise
        return claim

    def give_back(self, claim: _Claim) -> None:
        with self._lock:
            queue = self._waiting.get(claim.client)
            if claim.taken:
                self._free += claim.need
            elif queue is not None and claim in queue:
                queue.remove(claim)
                if not queue:
                    del self._waiting[claim.client]
            granted = self._grant()
        _tell(granted)

    def _grant(self) -> list[_Claim]:
        """Takes the room for those whose turn it is. A large claim is not overtaken by small ones,
        since it would otherwise wait for ever."""
        granted = []
        while self._waiting:
            client, queue = next(iter(self._waiting.items()))
            if queue[0].need > self._free:
                break
            claim = queue.popleft()
            claim.taken = True
            self._free -= claim.need
            granted.append(claim)
            del self._waiting[client]
            if queue:
                self._waiting[client] = queue  # behind all others
        return granted


class _Claim:
    """A request's part of the budget."""

    def __init__(self, budget: Budget, client: str, need: int) -> None:
        self.client = client
        self.need = need
        self.taken = False
        self.granted: Future[None] = Future()
        self._budget = budget
        self._released = False

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._budget.give_back(self)


def _tell(granted: list[_Claim]) -> None:
    for claim in granted:
        # A claim that was given up meanwhile gives its room back itself.
        if claim.granted.set_running_or_notify_cancel():
            claim.granted.set_result(None)


def _busy() -> Unavailable:
    return Unavailable("busy", "too many images are being worked on; try again in a moment")
