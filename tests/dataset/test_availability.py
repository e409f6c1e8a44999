# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that cannot be read for a while: waited for, told once, never called broken."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support.archives import files_below, zipped
from support.training_images import SMALL, jpeg, numbers
from support.waiting import until

from ffgan.dataset import Dataset, ImageFolder, pack
from ffgan.dataset.availability import PATIENCE_VARIABLE, Availability
from ffgan.errors import UnavailableError, UsageError


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ffgan")


def back_later(away: Path, place: Path, seconds: float = 0.5) -> threading.Timer:
    timer = threading.Timer(seconds, lambda: away.rename(place))
    timer.start()
    return timer


def test_a_folder_that_is_away_for_a_while_changes_no_batch(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = numbers(folder, 5, 12)
    log = tmp_path / "skipped.log"
    with Dataset(folder, size=SMALL, skipped_log=log, workers=3) as data:
        stream = data.batches(5, seed=7)
        shown = [next(stream) for _ in range(2)]
        folder.rename(tmp_path / "away")
        timer = back_later(tmp_path / "away", folder)
        shown += [next(stream) for _ in range(10)]
        timer.join()
        assert data.skipped == 0
    got = [[round(float(image[..., 0].mean()) / 5) for image in batch] for batch in shown]
    assert got == expected
    assert not log.exists()
    waiting, over = caplog.messages
    assert waiting == f"cannot read {folder}: No such file or directory; waiting"
    assert over.startswith("reading goes on, after")


def test_an_archive_whose_drive_fails_for_a_while_changes_no_batch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = numbers(folder, 5, 12)
    archive = zipped(tmp_path / "faces.zip", files_below(folder))
    read = os.pread
    fails = threading.Event()

    def failing(number: int, count: int, offset: int) -> bytes:
        if fails.is_set():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(number, count, offset)

    monkeypatch.setattr(os, "pread", failing)
    log = tmp_path / "skipped.log"
    with Dataset(archive, size=SMALL, skipped_log=log, workers=3) as data:
        stream = data.batches(5, seed=7)
        shown = [next(stream) for _ in range(2)]
        fails.set()
        threading.Timer(0.3, fails.clear).start()
        shown += [next(stream) for _ in range(10)]
        assert data.skipped == 0
    got = [[round(float(image[..., 0].mean()) / 5) for image in batch] for batch in shown]
    assert got == expected
    assert not log.exists()
    waiting, over = caplog.messages
    assert waiting == f"cannot read {archive}: Input/output error; waiting"
    assert over.startswith("reading goes on, after")


def test_after_the_patience_the_error_says_what_and_the_iterator_goes_on(
    folder: Path, tmp_path: Path
) -> None:
    (expected,) = numbers(folder, 12, 1)
    log = tmp_path / "skipped.log"
    missing = folder / "03.jpg"
    with Dataset(folder, size=SMALL, skipped_log=log, patience=0.3) as data:
        missing.rename(tmp_path / "away.jpg")
        stream = data.batches(12, seed=7)
        with pytest.raises(UnavailableError, match=r"03\.jpg: No such file.*waited for 0 s") as got:
            next(stream)
        assert got.value.exit_code == 1
        with pytest.raises(UnavailableError, match=r"03\.jpg: No such file"):
            data.image(3)
        (tmp_path / "away.jpg").rename(missing)
        batch = next(stream)
    assert [round(float(image[..., 0].mean()) / 5) for image in batch] == expected
    assert not log.exists()


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENOTCONN]
)
def test_what_the_operating_system_says_is_no_finding(
    folder: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ImageFolder(folder)

    def fail(descriptor: int) -> object:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as system, pytest.raises(UnavailableError) as got:
        system.setattr(os, "fstat", fail)
        source.read(2)
    assert str(got.value) == f"cannot read {folder / '02.jpg'}: {os.strerror(number)}"


def test_an_interruption_ends_the_waiting_at_once(folder: Path) -> None:
    with Dataset(folder, size=SMALL, patience=600) as data:
        (folder / "05.jpg").unlink()
        interrupted = threading.Event()
        data.availability.interrupted = interrupted.is_set
        stream = data.batches(12, seed=0)
        threading.Timer(0.5, interrupted.set).start()
        began = time.monotonic()
        with pytest.raises(UnavailableError, match=r"05\.jpg"):
            next(stream)
        assert time.monotonic() - began < 10


def test_closing_ends_the_waiting_of_threads(folder: Path) -> None:
    with Dataset(folder, size=SMALL, patience=600) as data:
        (folder / "05.jpg").unlink()
        data.batches(12, seed=0)
        began = time.monotonic()
    assert time.monotonic() - began < 10


def test_a_file_that_was_cut_off_meanwhile_is_waited_for(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = numbers(folder, 12, 1)
    log = tmp_path / "skipped.log"
    whole = (folder / "04.jpg").read_bytes()
    with Dataset(folder, size=SMALL, skipped_log=log) as data:
        (folder / "04.jpg").write_bytes(whole[:100])  # half of it has been copied anew
        timer = threading.Timer(0.5, lambda: (folder / "04.jpg").write_bytes(whole))
        timer.start()
        batch = next(data.batches(12, seed=7))
    assert [[round(float(image[..., 0].mean()) / 5) for image in batch]] == expected
    assert not log.exists()
    assert f"it has 100 bytes, and had {len(whole)} at the start; waiting" in caplog.text


def test_nothing_unreadable_comes_into_a_pack(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "faces.pack"
    data = Dataset(folder, size=SMALL, cache=target, patience=0.2)
    (folder / "06.jpg").rename(tmp_path / "away.jpg")
    with pytest.raises(UnavailableError, match=r"06\.jpg: No such file"):
        data.build_cache()
    assert sorted(os.listdir(tmp_path)) == ["away.jpg", "faces"]
    (tmp_path / "away.jpg").rename(folder / "06.jpg")
    data.build_cache()
    assert data.skipped == 0


def test_pack_waits_for_a_folder_that_comes_back(folder: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    expected = Dataset(folder).image(9)

    def leave(done: int, total: int) -> None:
        if not away.exists() and not timers:
            folder.rename(away)
            timers.append(back_later(away, folder))

    timers: list[threading.Timer] = []
    for number in range(12, 400):
        (folder / f"{number}.jpg").write_bytes(jpeg(number % 50))
    with pack(folder, tmp_path / "faces.pack", progress=leave) as packed:
        assert packed.skipped == 0
        assert np.array_equal(packed.image(list(packed.names).index(b"09.jpg")), expected)
    assert timers


def test_a_pack_that_is_replaced_or_away_is_opened_anew(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "faces.cache"
    with Dataset(folder, size=SMALL, cache=cache) as data:
        data.build_cache()
        expected = data.image(5)
        content = cache.read_bytes()
        os.truncate(cache, 5000)
        cache.rename(tmp_path / "old")
        timer = threading.Timer(0.5, lambda: cache.write_bytes(content))
        timer.start()
        assert np.array_equal(data.image(5), expected)
        timer.join()


def test_many_threads_that_wait_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    here = threading.Event()

    def read() -> int:
        if not here.is_set():
            raise UnavailableError("cannot read the drive: Input/output error")
        return 7

    availability = Availability(60)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(availability.wait_for(read))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    until(lambda: "waiting" in caplog.text)
    time.sleep(0.2)
    here.set()
    for thread in threads:
        thread.join()
    assert found == [7] * 8
    assert [message.partition(" after")[0] for message in caplog.messages] == [
        "cannot read the drive: Input/output error; waiting",
        "reading goes on,",
    ]


def test_the_patience_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "12.5")
    assert Availability().patience == 12.5
    assert Availability(3).patience == 3
    monkeypatch.setenv(PATIENCE_VARIABLE, "long")
    with pytest.raises(UsageError, match="FFGAN_PATIENCE=long: give seconds"):
        Availability()
