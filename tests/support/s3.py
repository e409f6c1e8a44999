# SPDX-License-Identifier: GPL-3.0-or-later
"""A real S3 server on this machine, and a wire to it that can be cut or held up."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from support.object_storage import s3_server

BUCKET = "faces"


class Wire:
    """Carries bytes to the server, and holds them up once so many have gone there."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.limit = float("inf")
        self.sent = 0
        self.held = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._to)
                self._open += [client, server]
                for source, sink, counts in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self._carry, args=(source, sink, counts), daemon=True
                    ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(4096):
                if counts:
                    self.sent += len(content)
                    if self.sent > self.limit:
                        self.held.set()
                        return
                sink.sendall(content)
            sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End all connections, and take none."""
        for one in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()


class Server:
    """An S3 server with the bucket `BUCKET`. ``url``: how it is reached."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.url: str = client.meta.endpoint_url
        self.address = ("127.0.0.1", int(self.url.rpartition(":")[2]))

    def content(self, prefix: str) -> dict[str, bytes]:
        """All objects below a prefix."""
        pages = self.client.get_paginator("list_objects_v2")
        return {
            one["Key"][len(prefix) + 1 :]: self.client.get_object(Bucket=BUCKET, Key=one["Key"])[
                "Body"
            ].read()
            for page in pages.paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
            for one in page.get("Contents", [])
        }

    @contextlib.contextmanager
    def asking_who(self) -> Iterator[None]:
        """Within it nobody that the server does not know may do anything."""
        self._ask_after(0)
        try:
            yield
        finally:
            self._ask_after(10**9)

    def _ask_after(self, requests: int) -> None:
        where = f"{self.url}/moto-api/reset-auth"
        plain = {"Content-Type": "text/plain"}  # what is a form is not read
        request = urllib.request.Request(where, str(requests).encode(), plain)
        urllib.request.urlopen(request).close()


def serving() -> Iterator[Server]:
    """For a fixture: the server, and the environment that leads to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with s3_server(patch) as client:
            yield Server(client)
