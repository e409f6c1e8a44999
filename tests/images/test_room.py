# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that share room: never more than there is, each in its turn."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.waiting import WAIT_SECONDS

from ffgan.images import Room


def test_what_is_held_at_a_time_is_never_more_than_there_is() -> None:
    room, lock = Room(10), threading.Lock()
    held: list[int] = []
    sums: list[int] = []

    def work(need: int) -> None:
        with room.hold(need):
            with lock:
                held.append(need)
                sums.append(sum(held))
                if need > 10:
                    # What needs nothing takes no room.
                    assert [each for each in held if each > 0] == [need]
            time.sleep(0.002)
            with lock:
                held.remove(need)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [3, 4, 12, 1, 0, 10, 6, 25, 5, 5] * 8))
    assert max(each for each in sums if each not in (12, 25)) == 10
    assert max(sums) == 25


def test_what_needs_much_is_not_passed_by_what_needs_little() -> None:
    room = Room(10)
    order: list[int] = []
    waiting = threading.Event()

    def work(need: int) -> None:
        waiting.set()
        with room.hold(need):
            order.append(need)

    threads = []
    with room.hold(5):
        for need in (10, 1, 2):
            waiting.clear()
            threads.append(threading.Thread(target=work, args=(need,)))
            threads[-1].start()
            assert waiting.wait(WAIT_SECONDS)
            time.sleep(0.05)
        assert order == []
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert order == [10, 1, 2] or order == [10, 2, 1]


def test_what_fails_gives_its_room_back() -> None:
    room = Room(10)
    with pytest.raises(MemoryError), room.hold(30):
        raise MemoryError
    with room.hold(10):
        pass
