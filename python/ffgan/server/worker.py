# SPDX-License-Identifier: GPL-3.0-or-later
"""One worker process of `team`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import threading
from types import FrameType

from ffgan import _core
from ffgan.errors import Error
from ffgan.model import Model
from ffgan.server.run import run
from ffgan.server.settings import Settings
from ffgan.server.team import READY
from ffgan.server.telemetry.metrics import MULTIPROCESS_FOLDER


def main() -> None:
    """Serves as the first line of standard input says, until the supervisor or its end says so."""
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the supervisor went before it could say anything
    configuration = json.loads(line)
    listener = socket.socket(
        configuration["family"], socket.SOCK_STREAM, fileno=configuration["listener"]
    )
    settings = configuration["settings"]
    settings["tokens"], settings["cors"] = tuple(settings["tokens"]), tuple(settings["cors"])
    _core.set_threads(configuration["threads"])

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    # uvicorn ends gracefully by this signal and raises it again, which then runs what follows.
    signal.signal(signal.SIGTERM, end)
    alone = threading.Event()

    def outlive_nobody() -> None:
        os.read(0, 1)  # not sys.stdin, whose lock the interpreter wants when it ends
        alone.set()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=outlive_nobody, daemon=True).start()

    def ready(_: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(configuration["channel"], READY)

    path = configuration["model"]
    try:
        run(
            lambda: Model.load(path),
            listener,
            log_level=configuration["log_level"],
            grace=configuration["grace"],
            settings=Settings(**settings),
            ready=ready,
            reloaded=lambda _: None,
        )
    except Error as error:
        print(f"ffgan: error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(error.exit_code) from None
    finally:
        if alone.is_set():
            shutil.rmtree(os.environ[MULTIPROCESS_FOLDER], ignore_errors=True)
