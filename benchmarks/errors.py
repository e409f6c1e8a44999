# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a benchmark with one line on stderr."""

from __future__ import annotations


class BenchmarkError(Exception):
    """One line that names what is wrong and the way out."""


class BusyError(BenchmarkError):
    """Other processes use the processor."""
