# SPDX-License-Identifier: GPL-3.0-or-later
"""Up to a hundred inputs of each target of the fuzzing, a twentieth of a second at most each."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fuzz.run import Tally, try_input
from fuzz.targets import CLASSES, make

SECONDS = 0.05
MOST = 100


@pytest.mark.parametrize("name", CLASSES)
def test_inputs_are_read_or_refused(tmp_path: Path, name: str) -> None:
    reader = make(name)
    reader.prepare(tmp_path)
    tally = Tally()
    end = time.perf_counter() + SECONDS
    index = 0
    while index < 5 or (index < MOST and time.perf_counter() < end):
        try_input(reader, 0, index, tally, limited=False)  # other tests' threads share the process
        index += 1
    assert not tally.findings
    assert tally.accepted + sum(tally.refused.values()) == index
