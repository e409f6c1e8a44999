# SPDX-License-Identifier: GPL-3.0-or-later
"""A shell in the background ignores Ctrl+C, and every child of the tests would inherit that."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
