# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ffgan.errors import Error, UsageError
from ffgan.extraction.settings import Settings
from ffgan.settings import assignment


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    with pytest.raises(UsageError) as caught:
        assignment("ba\ntch\x1b[31m=1", Settings)
    assert str(caught.value).startswith(r"unknown setting ba\ntch\x1b[31m: ")
    assert str(Error("é is a 中 name")) == "é is a 中 name"
    assert str(Error("\udce9\u202e")) == r"\udce9\u202e"
