# SPDX-License-Identifier: GPL-3.0-or-later
"""A job goes to another process as a whole, and makes the same there."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ffgan.errors import Error
from ffgan.model import Model
from ffgan.synthesis.cells import Cells
from ffgan.synthesis.job import Job
from ffgan.synthesis.places import store
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import shards
from ffgan.synthesis.where import Where
from ffgan.synthesis.writers import writer


def job(model: Model, out: Path) -> Job:
    settings = Settings(
        8,
        attributes=("sharpness",),
        where=Where("sharpness > 2.9"),
        cells=Cells.balanced(["background=33"]),
        shard_size=4,
        threshold=model.threshold,
    )
    return Job(model, settings, store(out), None, frozenset())


@pytest.mark.slow
def test_another_process_makes_the_same_shard(
    packaged: Model, tmp_path: Path, content: Callable[[Path], dict[str, bytes]]
) -> None:
    here, there = job(packaged, tmp_path / "here"), job(packaged, tmp_path / "there")
    records = [here.make(shard) for shard in shards(here.settings)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(there.make, list(shards(there.settings))[::-1]) == records[::-1]
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_a_job_says_the_same_after_a_journey(packaged: Model, tmp_path: Path) -> None:
    again: Job = pickle.loads(pickle.dumps(job(packaged, tmp_path)))
    assert again.settings == job(packaged, tmp_path).settings
    assert again.model.hash == packaged.hash
    assert again.settings.measured == ("background", "sharpness")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_part_that_is_given_up_leaves_nothing_to_be_closed_later(
    tmp_path: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="pip install '.[dataset]'")
    later: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", later.append)
    settings = Settings(8, format="parquet", attributes=(), shard_size=4)
    shard = next(iter(shards(settings)))
    with (
        pytest.raises((error, Error)),
        writer("parquet").opened(store(tmp_path), settings, shard),
    ):
        raise error
    gc.collect()
    assert not later and not [path for path in tmp_path.rglob("*") if path.is_file()]
