# SPDX-License-Identifier: GPL-3.0-or-later
"""The server as a process of its own, with a fake model or from the command line."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx

from ffgan import images
from support.waiting import WAIT_SECONDS, until

PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from support.server import FakeModel
from ffgan.server import Settings, serve
try:
    serve(
        FakeModel(**{model!r}),
        port=0,
        grace={grace},
        settings=Settings(**{settings!r}),
        ready=lambda address: print(address, flush=True),
    )
except KeyboardInterrupt:
    sys.exit(130)
"""


class Server:
    """`serve` with a `FakeModel`; its lines on stdout after the first are read by `line`."""

    def __init__(self, model: dict[str, Any], settings: dict[str, Any], grace: int = 10) -> None:
        folder = str(Path(__file__).parents[1])
        program = PROGRAM.format(folder=folder, model=model, settings=settings, grace=grace)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self.line().strip()
        if not self.url.startswith("http://"):
            raise AssertionError(self.process.communicate()[1])

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=WAIT_SECONDS, **options)

    def connect(self) -> socket.socket:
        url = httpx.URL(self.url)
        return socket.create_connection((url.host, url.port or 0), timeout=WAIT_SECONDS)

    def end(self) -> tuple[int, str]:
        """Exit status and stderr, once it has ended."""
        _, errors = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, errors

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


class Command:
    """`python -m ffgan web` with a model file; its output is in files in `folder`."""

    def __init__(self, folder: Path, model: Path, *options: str) -> None:
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ffgan", "web", "--port", "0", "--tries", "1"),
                    *("--model", str(model), *options),
                ],
                stdout=out,
                stderr=err,
            )

    def ready(self) -> Command:
        until(lambda: "serving" in self.out.read_text() or self.process.poll() is not None)
        said = re.search(r"serving (http://\S+)", self.out.read_text())
        assert said, self.err.read_text()
        self.url = said[1]
        return self

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=WAIT_SECONDS)

    def model(self) -> str:
        """The hash of the model that is served."""
        return images.read_metadata(self.get("/face.png?seed=1").content)["model"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Load:
    """Requests without a pause, from several threads, each over one connection."""

    def __init__(self, url: str, threads: int = 4) -> None:
        self.statuses: list[int] = []
        self.errors: list[Exception] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url, i)) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def _ask(self, url: str, number: int) -> None:
        with httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client:
            seed = number
            while not self._stop.is_set():
                seed += 10
                try:
                    answer = client.get(f"/face.png?seed={seed}")
                    images.decode(answer.content)
                    self.statuses.append(answer.status_code)
                except Exception as error:
                    self.errors.append(error)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
