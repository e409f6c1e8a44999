# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may have a place in the queue."""

from __future__ import annotations

from ffgan.server.inference.places import Places


def filled(places: Places, client: str, at_once: int = 1) -> int:
    """How often a client gets places until it gets none."""
    times = 0
    while places.has_room(client, at_once):
        places.take(client, at_once)
        times += 1
    return times


def test_one_client_leaves_room_for_others() -> None:
    places = Places(72, 32)
    assert filled(places, "flood") == 40
    assert filled(places, "me") == 32
    assert places.taken == 72
    assert not places.has_room("third", 1)
    places.take("flood", -40)
    places.take("me", -32)
    assert (places.taken, filled(places, "third")) == (0, 40)


def test_clients_that_hold_much_leave_room_for_one_that_holds_nothing() -> None:
    places = Places(72, 32)
    for number in range(5):
        assert places.has_room(str(number), 8)
        places.take(str(number), 8)
    assert not places.has_room("0", 8)
    assert not places.has_room("five more", 13)
    assert filled(places, "me") == 72 // 6


def test_a_small_queue_belongs_to_whoever_comes() -> None:
    assert filled(Places(2, 0), "one") == 2
    assert filled(Places(36, 8, 8), "archives", 8) == 3
