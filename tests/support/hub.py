# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the Hugging Face Hub: the few answers that a data set needs, in and out."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

REVISION = "1" * 40
LARGE = (".parquet", ".tar")


class Hub(NamedTuple):
    """Its address, how many bytes of files each request got, its files, and how often they changed.

    Small files come within a commit; parquet and tar come before it by Git LFS, as where a package
    for Xet is not installed or switched off.
    """

    address: str
    sent: list[int]
    files: dict[str, bytes]
    commits: list[list[str]]


@contextlib.contextmanager
def hub_of(folder: Path) -> Iterator[Hub]:
    """A hub whose data set ``user/faces`` are the files below ``folder``."""
    sent: list[int] = []
    commits: list[list[str]] = []
    large: dict[str, bytes] = {}
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
            if self.command != "HEAD":
                self.wfile.write(content)

        def do_HEAD(self) -> None:
            self.do_GET()

        def told(self, answer: object) -> None:
            self.answer(200, json.dumps(answer).encode(), Content_Type="application/json")

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            large[self.path.rpartition("/")[2]] = content
            self.answer(200, b"", ETag='"x"')

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if "/preupload/" in self.path:
                modes = [
                    {
                        "path": one["path"],
                        "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": False,
                        "oid": None,
                    }
                    for one in json.loads(content)["files"]
                ]
                self.told({"files": modes})
            elif self.path.endswith("/objects/batch"):
                place = f"http://{self.headers['Host']}/upload/"
                objects = [
                    {**one, "actions": {"upload": {"href": place + one["oid"]}}}
                    for one in json.loads(content)["objects"]
                ]
                self.told({"transfer": "basic", "objects": objects})
            elif self.path.endswith("/validate-yaml"):  # of a README.md
                self.told({"errors": [], "warnings": []})
            else:
                commits.append(committed(content, files, large))
                place = f"http://{self.headers['Host']}/datasets/user/faces/commit/{REVISION}"
                self.told({"commitUrl": place, "commitOid": REVISION, "success": True})

        def do_GET(self) -> None:
            path, _, query = unquote(self.path).partition("?")
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
        yield Hub(f"http://127.0.0.1:{server.server_port}", sent, files, commits)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def committed(content: bytes, files: dict[str, bytes], large: dict[str, bytes]) -> list[str]:
    """Do what a commit says, and return the names that it is about."""
    names = []
    for line in map(json.loads, content.splitlines()):
        kind, about = line["key"], line["value"]
        if kind == "file":
            files[about["path"]] = base64.b64decode(about["content"])
        elif kind == "lfsFile":
            files[about["path"]] = large[about["oid"]]
        elif kind == "deletedFile":
            del files[about["path"]]
        names += [about["path"]] if "path" in about else []
    return names


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
