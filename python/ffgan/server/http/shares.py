# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that are kept in memory for clients: a bound for all of them, and a share for each."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ffgan.server.http.errors import Unavailable

SMALL_BODY = 1 << 18
"""Bytes of a response that are not counted: as many as the queue has places."""

IPV6_NETWORK = 64
"""Bits of an IPv6 address that stand for one client: who has one address there has them all."""


def client_of(connection: HTTPConnection) -> str:
    """What identifies the client of a request: its address, or its network in IPv6.

    Behind a proxy it is the address that the proxy names, if the server was told to trust it.
    """
    host = connection.client.host if connection.client is not None else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False))


class Shares:
    """At most ``total`` bytes in all, of which one client may hold ``share``."""

    def __init__(self, total: int, share: int) -> None:
        self._total = total
        self._share = share
        self._held = 0
        self._by_client: Counter[str] = Counter()
        self._lock = threading.Lock()

    def hold(self, client: str, *, lone: bool = False) -> Holding:
        """What a client holds from now on, at first nothing.

        A ``lone`` holding may be larger than the total where it is the only one.
        """
        return Holding(self, client, lone)

    def add(self, client: str, size: int, lone: bool) -> bool:
        with self._lock:
            alone = lone and self._held == 0
            mine = self._by_client[client] + size
            if not alone and (self._held + size > self._total or mine > self._share):
                return False
            self._held += size
            self._by_client[client] = mine
            return True

    def remove(self, client: str, size: int) -> None:
        with self._lock:
            self._held -= size
            self._by_client[client] -= size
            if not self._by_client[client]:
                del self._by_client[client]


class Holding:
    """Bytes of one request or response, given back at the end of a ``with``."""

    def __init__(self, shares: Shares, client: str, lone: bool) -> None:
        self._shares = shares
        self._client = client
        self._lone = lone
        self._size = 0

    def grow(self, size: int) -> None:
        """Raises Unavailable where there is no room."""
        if not self._shares.add(self._client, size, self._lone):
            raise Unavailable(
                "busy", "this server holds too much for slow clients; try again in a moment"
            )
        self._size += size

    def __enter__(self) -> Holding:
        return self

    def __exit__(self, *_: object) -> None:
        self._shares.remove(self._client, self._size)
        self._size = 0


class BodyResponse(Response):
    """A response whose body counts until the client has all of it; 503 where there is no room."""

    def __init__(self, body: bytes, shares: Shares, *, media_type: str, headers: dict[str, str]):
        super().__init__(body, media_type=media_type, headers=headers)
        self._shares = shares

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = len(self.body)
        with self._shares.hold(client_of(HTTPConnection(scope)), lone=True) as holding:
            if size > SMALL_BODY:
                holding.grow(size)
            await super().__call__(scope, receive, send)
