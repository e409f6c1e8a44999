# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopped runs, second runs, and runs with other settings: what is done again and what is not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from support.photographs import chips, jpeg, photograph

from ffgan import extraction, faces, images
from ffgan.errors import Error
from ffgan.extraction import extract
from ffgan.extraction.chip_names import earlier_chip_name
from ffgan.faces import orientation
from ffgan.typing import RGB


def interrupt_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    detect, calls = faces.detect, []

    def detecting(*arguments: object, **options: object) -> list[faces.Box]:
        calls.append(1)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGINT)
        return detect(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(orientation, "detect", detecting)


def same_files(one: Path, other: Path) -> bool:
    names = {path.relative_to(one) for path in one.rglob("*")}
    return names == {path.relative_to(other) for path in other.rglob("*")} and all(
        (one / name).read_bytes() == (other / name).read_bytes()
        for name in names
        if (one / name).is_file() and name.name != "extract.jsonl"
    )


def test_after_ctrl_c_the_same_command_goes_on_to_the_same_files(
    photos: Path, people: RGB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5, 12):
        (photos / f"{i}.jpg").write_bytes(jpeg(photograph(people[i % 8], 1.3)))
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    extract(photos, whole)
    with monkeypatch.context() as patch:
        interrupt_after(3, patch)
        with pytest.raises(Error, match=r"stopped detecting faces, \d+ of 12 done: the same com"
                           ) as raised:  # fmt: skip
            extract(photos, stopped, threads=1)
    assert raised.value.exit_code == 130
    assert not (stopped / extraction.MANIFEST).exists()
    with (stopped / "extract.jsonl").open("a") as journal:
        journal.write('{"name": "cut off by a cra')  # what a crash leaves
    result = extract(photos, stopped)
    assert 0 < result.looked_at < 12
    assert same_files(whole, stopped)


def test_a_second_run_has_nothing_to_do_and_says_the_same(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = extract(photos, out, per_identity=3)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    second = extract(photos, out, per_identity=3)
    assert second.looked_at == 0
    assert (second.kept, second.reasons, second.people) == (first.kept, first.reasons, first.people)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}


def test_only_what_is_new_or_changed_is_looked_at_and_what_is_gone_goes(
    photos: Path, people: RGB, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    extract(photos, out)
    (photos / "new.jpg").write_bytes(jpeg(photograph(people[5])))
    (photos / "0.jpg").write_bytes(jpeg(np.zeros((90, 90, 3), np.uint8)))
    (photos / "1.jpg").unlink()
    result = extract(photos, out)
    assert (result.photos, result.looked_at, result.kept) == (5, 2, 4)
    assert chips(out) == ["2-0.jpg", "3-0.jpg", "below/4-png-0.jpg", "new-0.jpg"]


def test_other_thresholds_choose_again_without_looking_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract(photos, out)
    kept = {name: (out / name).read_bytes() for name in chips(out)}
    strict = extract(photos, out, min_sharpness=9)
    assert (strict.looked_at, strict.kept, chips(out)) == (0, 0, [])
    again = extract(photos, out)
    assert again.looked_at == 0
    assert {name: (out / name).read_bytes() for name in chips(out)} == kept


def test_another_framing_or_format_makes_all_chips_anew(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract(photos, out)
    result = extract(photos, out, size=64, format="png")
    assert result.looked_at == 5
    assert chips(out) == []
    assert images.decode((out / "0-0.png").read_bytes()).shape == (64, 64, 3)


def test_faces_of_an_earlier_version_get_their_present_names(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were ``0.jpg-0.jpg``, and are not cut out again."""
    out = tmp_path / "out"
    extract(photos, out)
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")}
    with monkeypatch.context() as patch:  # as it was written then
        patch.setattr("ffgan.extraction.journal.chip_name", earlier_chip_name)
        patch.setattr("ffgan.extraction.journal.SCHEME", 1)
        extract(photos, tmp_path / "old")
    old = tmp_path / "old"
    names = ["0.jpg-0.jpg", "1.jpg-0.jpg", "2.jpg-0.jpg", "3.jpg-0.jpg", "below/4.png-0.jpg"]
    assert chips(old) == names
    marked = (old / names[1]).read_bytes() + b"mine"
    (old / names[1]).write_bytes(marked)
    assert extract(photos, old).looked_at == 0
    after = {path.relative_to(old): path.read_bytes() for path in old.rglob("*.*")}
    assert after == {**before, Path("1-0.jpg"): marked}
    assert extract(photos, old).kept == 5


def test_a_dry_run_writes_nothing_and_counts_the_same(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dry = extract(photos, out, dry_run=True)
    assert not out.exists()
    wet = extract(photos, out)
    assert (dry.found, dry.kept, dry.reasons) == (wet.found, wet.kept, wet.reasons)
    assert extract(photos, out, dry_run=True, min_sharpness=9).looked_at == 0
    assert len(chips(out)) == 5


def test_two_runs_do_not_write_to_one_folder(photos: Path, tmp_path: Path) -> None:
    import fcntl

    out = tmp_path / "out"
    extract(photos, out)
    holder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(Error, match=r"another process is extracting to .*out: wait for it"):
            extract(photos, out)
    finally:
        os.close(holder)
