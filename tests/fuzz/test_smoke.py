# SPDX-License-Identifier: GPL-3.0-or-later
"""Some hundred inputs of each target of the fuzzing; the campaign is `tests/fuzz/run.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.run import Tally, try_input
from fuzz.targets import TARGETS

INPUTS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_are_read_or_refused(tmp_path: Path, name: str) -> None:
    target = TARGETS[name]()
    target.prepare(tmp_path)
    tally = Tally()
    for index in range(INPUTS):
        try_input(target, 0, index, tally, limited=False)  # other tests' threads share the process
    assert not tally.findings
    assert tally.accepted + sum(tally.refused.values()) == INPUTS
    assert sum(tally.refused.values()) > 0
