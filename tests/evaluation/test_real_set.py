# SPDX-License-Identifier: GPL-3.0-or-later
"""Which real images are taken, and the cache of what networks say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.disk import largest_file
from support.evaluation import patches, remembered

import ffgan
from ffgan import evaluation
from ffgan.errors import Error, UsageError
from ffgan.evaluation import measurement


@pytest.fixture(autouse=True)
def fewer_patches(networks: None) -> Iterator[None]:
    with patches():
        yield


@pytest.mark.slow
def test_the_cache_changes_nothing(
    figures: dict[str, Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "real.cache"
    first = evaluation.evaluate(None, folder, samples=24, seed=5, cache=cache)
    written = cache.read_bytes()
    computed = []
    outputs = measurement._outputs
    monkeypatch.setattr(
        measurement, "_outputs", lambda *a: computed.append(len(a[0])) or outputs(*a)
    )
    second = evaluation.evaluate(None, folder, samples=24, seed=5, cache=cache)
    assert sum(computed) == 24, "the real images were measured again"
    assert json.dumps(first) == json.dumps(second) == json.dumps(figures)
    assert cache.read_bytes() == written
    evaluation.evaluate(None, folder, samples=16, seed=5, cache=cache)
    assert cache.read_bytes() != written, "other images, other cache"


def test_a_file_that_is_no_cache_is_left_alone(folder: Path, tmp_path: Path) -> None:
    with remembered():
        for content in (b"my thesis", Path(ffgan.load().path or "").read_bytes()):
            file = tmp_path / "precious"
            file.write_bytes(content)
            with pytest.raises(UsageError, match="precious is no cache of real images"):
                evaluation.evaluate(None, folder, samples=20, cache=file)
            assert file.read_bytes() == content


def test_broken_images_are_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    with remembered():
        for number, path in enumerate(sorted(folder.rglob("*.png"))[:24]):
            data = path.read_bytes()
            (tmp_path / path.name).write_bytes(data[: len(data) // 2] if number % 4 == 0 else data)
        result = evaluation.evaluate(None, tmp_path, samples=18, feature_network="faces")
        assert result["real"]["count"] == 18
        everything = evaluation.evaluate(None, tmp_path, samples=24, feature_network="faces")
        assert (everything["real"]["count"], everything["real"]["broken"]) == (18, 6)
        assert everything["samples"]["count"] == 24


def test_a_full_disk_under_the_cache_is_one_line(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "real.cache"
    with (
        largest_file(1000),
        pytest.raises(Error, match=r"cannot write the cache .*real\.cache: File too large; raise"),
    ):
        evaluation.evaluate(None, folder, samples=20, cache=cache)
    assert not list(tmp_path.iterdir())
