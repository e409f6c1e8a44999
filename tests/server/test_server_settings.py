# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the server."""

from __future__ import annotations

from typing import Any

import pytest

from ffgan.errors import UsageError
from ffgan.server import Settings


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"queue": -1}, {"tries": 0}, {"threshold": float("nan")}, {"batch": 0}],
        *[{"batch_wait": -1.0}, {"max_frames": 1}, {"upload_seconds": 0.0}, {"root_path": "x/"}],
    ],
)
def test_settings_refuse_wrong_values(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Settings(**wrong)


def test_settings_do_not_print_their_tokens() -> None:
    assert "battery" not in repr(Settings(tokens=("battery",)))
