# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dry run says."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from support.training import (
    IMAGES,
    SHORT,
    SmallTrainer,
    checkpoints,
)

from ffgan.errors import ModelError, UsageError
from ffgan.training import dry_run, train


def test_a_dry_run_tells_and_writes_nothing(small, faces) -> None:
    def slowly(trainer: SmallTrainer, result: dict[str, float]) -> None:
        time.sleep(0.1)

    small.during_step = slowly
    text = dry_run(faces, recipe="original", batch=4, warm_start=100, warm_start_batch=2)
    assert not Path("runs").exists()
    assert f"images: {IMAGES}" in text
    assert "starts from: scratch, after a warm start of 100 steps" in text
    assert "steps: 100 warm start, 813 adversarial" in text
    assert "epochs: 25" in text
    found = re.search(r"estimated time: (\d+):(\d\d):(\d\d)", text)
    assert found is not None
    hours, minutes, seconds = map(int, found.groups())
    assert 91 <= hours * 3600 + minutes * 60 + seconds <= 300


def test_a_dry_run_of_a_run_that_goes_on_uses_its_settings(small, faces) -> None:
    train(faces, **SHORT)
    before = checkpoints("faces")
    text = dry_run(faces, steps=20)
    assert "batch: 4" in text
    assert "steps: 0 warm start, 12 adversarial" in text
    assert f"starts from: step 8 of {Path('runs/faces')}" in text
    assert checkpoints("faces") == before


def test_a_dry_run_counts_the_evaluations(small, faces, strangers, off) -> None:
    text = dry_run(
        faces, recipe="original", batch=4, steps=8, heldout=str(strangers), evaluate_samples=17
    )
    assert "evaluate-every: 1000" in text
    assert "held-out images: 17 of 20" in text
    assert re.search(r"seconds per evaluation: \d+\.\d", text)
    assert not Path("runs").exists()


def test_a_dry_run_fails_as_the_run_would(small, faces, strangers) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        dry_run(faces, init="model:none.safetensors", recipe="original", batch=4)
    train(faces, **SHORT)
    with pytest.raises(UsageError, match="does not hold the images"):
        dry_run(strangers, name="faces")
