# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as people read them; what shows progress is tested in tests/cli."""

from __future__ import annotations

from ffgan.progress import duration


def test_a_duration_has_hours_minutes_and_seconds() -> None:
    assert [duration(s) for s in (0, 59.6, 3599.4, 360000, -3)] == [
        "0:00:00",
        "0:01:00",
        "0:59:59",
        "100:00:00",
        "0:00:00",
    ]
