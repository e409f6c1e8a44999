# SPDX-License-Identifier: GPL-3.0-or-later
"""The access log: a line of JSON for each response, by the logger ``ffgan.server.access``."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

from ffgan.server.telemetry.exchange import Exchange

logger = logging.getLogger("ffgan.server.access")


def enable() -> None:
    """Sends the log to stdout, unless the application has given the logger a handler before."""
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(_StandardOutput())
        logger.propagate = False


def log_access(exchange: Exchange) -> None:
    """Logs one line; as JSON, since nothing that a client sends may start another line."""
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
    logger.info("%s", json.dumps(line))


class _StandardOutput(logging.Handler):
    """Writes to what sys.stdout is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(record.getMessage() + "\n")
            sys.stdout.flush()
        except Exception:
            self.handleError(record)
