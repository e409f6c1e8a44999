# SPDX-License-Identifier: GPL-3.0-or-later
"""The budget of memory: who waits, for how long, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ffgan.server.http.errors import Unavailable
from ffgan.server.inference.budget import MAX_WAITING, Budget

SECONDS = 20.0


def story(tell: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        await asyncio.wait_for(tell(), SECONDS)

    asyncio.run(in_time())


class Work:
    """Requests that have room until they are told to end; `began` is the order of their turns."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.began: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, client: str, name: str, need: int, *, patient: bool = False) -> None:
        end = self._ends[name] = asyncio.Event()

        async def work() -> None:
            async with self.budget.room(client, need, patient=patient):
                self.began.append(name)
                await end.wait()

        self.tasks.append(asyncio.ensure_future(work()))
        await asyncio.sleep(0.01)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await asyncio.sleep(0.01)

    async def end_all(self) -> None:
        for end in self._ends.values():
            end.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert self.budget.used == 0


def test_what_does_not_fit_waits_for_its_room() -> None:
    async def tell() -> None:
        work = Work(Budget(10, SECONDS))
        await work.ask("a", "first", 6)
        await work.ask("b", "second", 6)
        assert work.began == ["first"]
        assert work.budget.used == 6
        await work.end("first")
        assert work.began == ["first", "second"]
        await work.end_all()

    story(tell)


def test_clients_take_turns() -> None:
    async def tell() -> None:
        work = Work(Budget(10, SECONDS))
        await work.ask("greedy", "1", 10)
        for name in ("2", "3", "4"):
            await work.ask("greedy", name, 10)
        await work.ask("other", "mine", 10)
        await work.end("1")
        await work.end("2")
        assert work.began == ["1", "2", "mine"]
        await work.end_all()

    story(tell)


def test_a_large_need_is_not_overtaken_for_ever() -> None:
    async def tell() -> None:
        work = Work(Budget(10, SECONDS))
        await work.ask("a", "small", 3)
        await work.ask("b", "large", 10)
        await work.ask("c", "later", 3)
        assert work.began == ["small"]
        await work.end("small")
        assert work.began == ["small", "large"]
        await work.end("large")
        assert work.began == ["small", "large", "later"]
        await work.end_all()

    story(tell)


def test_more_than_there_is_takes_all_there_is() -> None:
    async def tell() -> None:
        work = Work(Budget(10, SECONDS))
        await work.ask("a", "huge", 1000)
        assert work.began == ["huge"]
        assert work.budget.used == 10
        await work.end_all()

    story(tell)


def test_who_waits_too_long_is_told_to_come_back_and_takes_nothing() -> None:
    async def tell() -> None:
        work = Work(Budget(10, 0.05))
        await work.ask("a", "first", 10)
        with pytest.raises(Unavailable, match="too many images") as caught:
            async with work.budget.room("b", 1):
                raise AssertionError
        assert caught.value.headers["Retry-After"]
        await work.ask("c", "patient", 10, patient=True)
        await asyncio.sleep(0.1)
        await work.end("first")
        assert work.began == ["first", "patient"]
        await work.end_all()

    story(tell)


def test_who_leaves_while_waiting_takes_nothing() -> None:
    async def tell() -> None:
        work = Work(Budget(10, SECONDS))
        await work.ask("a", "first", 10)
        await work.ask("b", "leaves", 10)
        await work.ask("b", "stays", 10)
        work.tasks[1].cancel()
        await asyncio.sleep(0.01)
        await work.end("first")
        assert work.began == ["first", "stays"]
        await work.end_all()

    story(tell)


def test_one_client_may_have_so_many_requests_that_wait() -> None:
    async def tell() -> None:
        work = Work(Budget(10, SECONDS))
        await work.ask("a", "first", 10)
        for number in range(MAX_WAITING):
            await work.ask("a", f"waiting {number}", 1)
        with pytest.raises(Unavailable):
            await work.budget.claim("a", 1)
        await work.ask("b", "other", 1)
        await work.end("first")
        assert "other" in work.began
        await work.end_all()

    story(tell)
