# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a server under uploads that take much of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from support.server_process import Server
from support.waiting import WAIT_SECONDS

SIDE = 2600
MEMORY = 64  # MB; one such upload takes 55

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


def megabytes(server: Server, name: str) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def test_uploads_with_transparency_take_no_more_than_they_may(
    start: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.full((SIDE, SIDE, 4), (10, 200, 30, 128), np.uint8)
    done, file = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 50])
    assert done
    monkeypatch.setenv("FFGAN_NUM_THREADS", "8")  # so that four could be decoded at a time
    server = start(memory=MEMORY, memory_seconds=WAIT_SECONDS)
    assert server.get("/face.png?seed=1").status_code == 200
    before = megabytes(server, "RssAnon")

    def score(_: int) -> int:
        url = f"{server.url}/score"
        return httpx.post(url, content=file.tobytes(), timeout=WAIT_SECONDS).status_code

    resting = megabytes(server, "VmRSS")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(score, range(8))) == {200}
    assert megabytes(server, "VmHWM") - resting < MEMORY + 20
    assert megabytes(server, "RssAnon") - before < MEMORY  # of which malloc keeps some
