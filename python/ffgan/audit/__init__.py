# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model copies: its faces beside the images that it was trained on.

A generator that has memorised images draws faces that are nearer to them than to images of the
same kind that it has not seen. `audit` measures that, `table` and `ffgan.audit.page` show it.
docs/audit.md explains the tests and what they cannot detect.
"""

from __future__ import annotations

from ffgan.audit.formatting import table
from ffgan.audit.pipeline import DEFAULT_SAMPLES, MAX_SAMPLES, Audit, Pair, audit

__all__ = ["DEFAULT_SAMPLES", "MAX_SAMPLES", "Audit", "Pair", "audit", "table"]
