# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in threads: in order, with progress, and to an end after a signal or an error."""

from __future__ import annotations

import threading
import time

import pytest

from ffgan.extraction.parallel import Workers
from ffgan.interruption import Interrupted, Interruption


def workers(count: int, told: list[tuple[str, int, int]]) -> Workers:
    return Workers(count, Interruption("waiting"), lambda *now: told.append(now), "come back")


def test_results_are_in_the_order_of_the_items_and_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []

    def work(item: int) -> int:
        time.sleep(0.02 * (5 - item))  # the last one is done first
        return item * item

    assert list(workers(5, told).map("squaring", work, range(5))) == [0, 1, 4, 9, 16]
    assert told == [("squaring", done, 5) for done in range(1, 6)]


def test_as_many_threads_work_as_are_asked_for_and_few_items_wait() -> None:
    together = threading.Barrier(3, timeout=30)
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        together.wait()

    results = workers(3, []).map("waiting", work, range(30))
    next(results)
    assert len(begun) <= 9, "what nobody has asked for is not begun"
    assert len(list(results)) == 29


def test_after_a_signal_no_other_item_is_begun() -> None:
    told: list[tuple[str, int, int]] = []
    some = workers(2, told)
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 3:
            some.interruption.received = 15

    with pytest.raises(Interrupted, match=r"stopped counting, \d+ of 100 done: come back") as end:
        list(some.map("counting", work, range(100)))
    assert end.value.exit_code == 143
    assert 3 < len(begun) < 12
    assert told[-1] == ("counting", len(begun), 100), "what was begun is done"


def test_an_error_ends_the_work_and_is_raised() -> None:
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 2:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(workers(1, []).map("trying", work, range(100)))
    assert len(begun) <= 5
