# SPDX-License-Identifier: GPL-3.0-or-later
"""The access log: a line of JSON for each answer, on stdout."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone

from ffgan.server.telemetry.exchange import Exchange


def log_access(exchange: Exchange) -> None:
    """Writes one line; nothing that a client sends can break out of it."""
    line = {
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "client": exchange.client,
        "method": exchange.method,
        "path": exchange.path,
        "query": exchange.query,
        "status": exchange.status,
        "bytes": exchange.bytes,
        "seconds": round(exchange.seconds, 6),
        "complete": exchange.complete,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
