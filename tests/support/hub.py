# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the Hugging Face Hub: the few answers that reading a data set needs."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REVISION = "1" * 40


class Hub(NamedTuple):
    """Its address, and how many bytes of files each request got."""

    address: str
    sent: list[int]


@contextlib.contextmanager
def hub_of(folder: Path) -> Iterator[Hub]:
    """A hub whose data set ``user/faces`` are the files below ``folder``."""
    sent: list[int] = []
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def answer(self, status: int, content: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if "/tree/" in path:
                below = path.partition("/tree/")[2].partition("/")[2]
                entries = tree(files, below, "recursive=true" in query)
                self.answer(200, json.dumps(entries).encode(), Content_Type="application/json")
            elif "/resolve/" in path:
                content = files[path.partition("/resolve/")[2].partition("/")[2]]
                first, _, last = (
                    (self.headers["Range"] or "bytes=0-").removeprefix("bytes=").partition("-")
                )
                end = min(int(last or len(content)), len(content) - 1)
                part = content[int(first) : end + 1]
                which = f"bytes {first}-{end}/{len(content)}"
                sent.append(len(part) if self.command == "GET" else 0)
                self.answer(206, part, Content_Range=which, ETag='"x"', X_Repo_Commit=REVISION)
            else:
                about = {"id": "user/faces", "_id": "1", "sha": REVISION, "siblings": []}
                self.answer(200, json.dumps(about).encode(), Content_Type="application/json")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Hub(f"http://127.0.0.1:{server.server_port}", sent)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tree(files: dict[str, bytes], below: str, recursive: bool) -> list[dict[str, object]]:
    """What the hub says of the files of a folder."""
    found: dict[str, dict[str, object]] = {}
    for name, content in files.items():
        if below and not name.startswith(f"{below}/"):
            continue
        parts = name[len(below) :].strip("/").split("/")
        for depth in range(1, len(parts)):
            folder = "/".join([*([below] if below else []), *parts[:depth]])
            if recursive or depth == 1:
                found[folder] = {"type": "directory", "oid": REVISION, "path": folder}
        if recursive or len(parts) == 1:
            found[name] = {"type": "file", "oid": REVISION, "size": len(content), "path": name}
    return list(found.values())
