# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept in memory for clients: bounded for all, and for each."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from ffgan.server.http.errors import Unavailable
from ffgan.server.http.shares import Shares, client_of


def test_one_client_holds_its_share_and_all_hold_the_total() -> None:
    shares = Shares(10, 4)
    with shares.hold("a") as a, shares.hold("b") as b, shares.hold("c") as c:
        a.grow(4)
        with pytest.raises(Unavailable):
            a.grow(1)
        b.grow(4)
        c.grow(2)
        with pytest.raises(Unavailable, match="too much for slow clients"):
            c.grow(1)
    with shares.hold("a") as again:
        again.grow(4)


def test_one_that_is_alone_may_be_larger_where_that_is_allowed() -> None:
    shares = Shares(10, 4)
    with shares.hold("a", lone=True) as large, shares.hold("b", lone=True) as other:
        large.grow(50)
        with pytest.raises(Unavailable):
            other.grow(1)
    with shares.hold("a") as upload, pytest.raises(Unavailable):
        upload.grow(50)


@pytest.mark.parametrize(
    ("client", "named"),
    [
        (("192.0.2.7", 5000), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 5000), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::1", 5000), "2001:db8:1:2::/64"),
        (("testclient", 5000), "testclient"),
        (None, ""),
    ],
)
def test_clients_are_told_apart_by_what_one_of_them_cannot_choose(client: Any, named: str) -> None:
    assert client_of(HTTPConnection({"type": "http", "client": client})) == named
