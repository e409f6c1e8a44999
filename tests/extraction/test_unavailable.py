# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs and folders that cannot be read for a while: no findings, and nothing is lost."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from pathlib import Path

import pytest
from support.photographs import chips, rows
from support.rights import without_rights
from support.waiting import until

from ffgan import extraction
from ffgan.dataset.availability import PATIENCE_VARIABLE
from ffgan.errors import UnavailableError
from ffgan.extraction import extract, table
from ffgan.extraction.photographs import Photographs


def skipped(out: Path) -> dict[str, str]:
    lines = (out / extraction.SKIPPED).read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


def files(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "extract.jsonl"
    }


def test_a_photograph_without_rights_stops_no_other_and_is_tried_again(
    photos: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    with without_rights(photos / "0.jpg"):
        result = extract(photos, out)
    assert (result.unavailable, result.broken, result.kept) == (1, 0, 4)
    assert skipped(out) == {"0.jpg": "cannot be read now: Permission denied"}
    text = table(result, out)
    assert "\n1 cannot be read now, see" in text
    assert "skipped.log: the same command tries them again\n" in text
    result = extract(photos, out)
    assert (result.looked_at, result.unavailable, result.kept) == (1, 0, 5)
    extract(photos, whole)
    assert files(out) == files(whole)


@pytest.mark.parametrize("reason", ["Permission denied", "Input/output error", "Stale file handle"])
def test_an_old_journal_that_took_it_for_a_finding_is_healed(
    photos: Path, tmp_path: Path, reason: str
) -> None:
    out = tmp_path / "out"
    with without_rights(photos / "0.jpg"):
        extract(photos, out)
    status = (photos / "0.jpg").stat()
    line = {"name": "0.jpg", "size": status.st_size, "mtime": status.st_mtime_ns, "error": reason}
    with (out / "extract.jsonl").open("a") as journal:
        journal.write(json.dumps(line) + "\n")
    result = extract(photos, out)
    assert (result.looked_at, result.broken, result.kept) == (1, 0, 5)


def test_the_faces_of_a_folder_without_rights_stay(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = extract(photos, out)
    before = files(out)
    (photos / "0.jpg").unlink()
    with without_rights(photos / "below"):
        result = extract(photos, out)
        assert (result.photos, result.away, result.kept) == (3, 1, first.kept - 1)
        assert "1 of an earlier run are out of reach" in table(result, out)
        reason = skipped(out)["below/4.png"]
        assert reason == "out of reach: Permission denied"
        assert chips(out) == ["1-0.jpg", "2-0.jpg", "3-0.jpg", "below/4-png-0.jpg"]
        assert [row["photo"] for row in rows(out)][-1] == "below/4.png"
        with pytest.raises(
            UnavailableError, match=r"below/4\.png \(Permission denied\), and other"
        ):
            extract(photos, out, size=64)
    assert (out / "below" / "4-png-0.jpg").read_bytes() == before["below/4-png-0.jpg"]
    result = extract(photos, out)
    assert (result.away, result.looked_at, result.kept) == (0, 0, first.kept - 1)


def test_a_face_that_needs_its_photograph_waits_for_it(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    kept = extract(photos, out).kept
    before = files(out)
    extract(photos, out, min_sharpness=9)
    assert chips(out) == []
    with without_rights(photos / "below", photos / "0.jpg"):
        result = extract(photos, out)
        assert result.reasons == {"cannot be read now": 2}
        assert result.kept == kept - 2
        again = extract(photos, out, embeddings=True)
        assert again.reasons == {"cannot be read now": 2}
    assert extract(photos, out).kept == kept
    assert files(out) == before


@pytest.mark.parametrize("kind", ["empty folder", "link that leads nowhere", "folder behind it"])
def test_what_may_be_a_drive_that_is_not_mounted_is_no_reason_to_delete(
    photos: Path, tmp_path: Path, kind: str
) -> None:
    drive, out = tmp_path / "drive", tmp_path / "out"
    (photos / "below").rename(drive)
    if kind == "folder behind it":
        (drive / "2020").mkdir()
        (drive / "4.png").rename(drive / "2020" / "4.png")
    (photos / "below").symlink_to(drive)
    extract(photos, out)
    before = files(out)
    if kind == "link that leads nowhere":
        drive.rename(tmp_path / "away")
    else:
        (photos / "below").unlink()
        (photos / "below").mkdir()
    result = extract(photos, out)
    assert (result.away, result.kept) == (1, 5)
    assert files(out).keys() == before.keys()
    [reason] = skipped(out).values()
    if kind == "link that leads nowhere":
        assert reason == "out of reach: the link leads nowhere"
        (photos / "below").unlink()
    else:
        assert reason.endswith("if the photographs are gone for good, delete that folder too")
        (photos / "below").rmdir()
    result = extract(photos, out)
    assert (result.away, result.kept) == (0, 4)
    assert "below/4-png-0.jpg" not in files(out)


def test_a_drive_that_is_away_for_a_moment_is_waited_for(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    extract(photos, whole)
    process = Photographs.process
    once = threading.Lock()  # several threads process photographs

    def processing(*arguments: object) -> object:
        if once.acquire(blocking=False):
            photos.rename(tmp_path / "away")
        return process(*arguments)  # type: ignore[arg-type]

    def back() -> None:
        until(lambda: any("waiting" in message for message in caplog.messages))
        (tmp_path / "away").rename(photos)

    monkeypatch.setattr(Photographs, "process", processing)
    thread = threading.Thread(target=back)
    with caplog.at_level(logging.INFO, "ffgan"):
        thread.start()
        result = extract(photos, out)
    thread.join()
    assert (result.unavailable, result.kept) == (0, 5)
    assert caplog.messages[0] == f"cannot read {photos}: No such file or directory; waiting"
    assert caplog.messages[1].startswith("reading goes on, after")
    assert files(out) == files(whole)


def test_a_drive_that_stays_away_ends_the_run_and_loses_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "0.2")
    out = tmp_path / "out"
    extract(photos, out)
    before = files(out)
    (photos / "new.jpg").write_bytes((photos / "0.jpg").read_bytes())
    process = Photographs.process

    def processing(*arguments: object) -> object:
        photos.rename(tmp_path / "away")
        return process(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Photographs, "process", processing)
        with pytest.raises(UnavailableError) as error:
            extract(photos, out, threads=1)
    assert str(error.value).startswith(f"stopped detecting faces, cannot read {photos}: No such")
    assert "run the same command again once it can be read; nothing is lost" in str(error.value)
    assert error.value.exit_code == 1
    assert files(out) == before
    (tmp_path / "away").rename(photos)
    assert extract(photos, out, duplicates="keep").kept == 6


def test_a_photograph_that_is_still_being_copied_is_no_finding(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    whole = (photos / "0.jpg").read_bytes()
    read = extraction.photographs.ImageFolder.read

    def copying(folder: object, index: int, limit: int | None = None) -> bytes:
        content = read(folder, index, limit)  # type: ignore[arg-type]
        if content == whole[:1000]:
            with (photos / "0.jpg").open("ab") as file:
                file.write(whole[1000:-1] if file.tell() == 1000 else b"")
        return content

    (photos / "0.jpg").write_bytes(whole[:1000])
    with monkeypatch.context() as patch:
        patch.setattr(extraction.photographs.ImageFolder, "read", copying)
        result = extract(photos, out, threads=1)
    # Read a second time, it is as whole as it gets.
    assert (result.unavailable, result.broken) == (0, 1)
    (photos / "0.jpg").write_bytes(whole)
    result = extract(photos, out)
    assert (result.looked_at, result.broken, result.kept) == (1, 0, 5)


def test_a_changed_photograph_keeps_its_old_face_until_it_can_be_read(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    extract(photos, out)
    before = files(out)
    shutil.copy(photos / "1.jpg", photos / "0.jpg")
    with without_rights(photos / "0.jpg"):
        result = extract(photos, out, duplicates="keep")
        assert (result.unavailable, result.kept) == (1, 5)
        assert files(out)["0-0.jpg"] == before["0-0.jpg"]
    extract(photos, out, duplicates="keep")
    assert files(out)["0-0.jpg"] == files(out)["1-0.jpg"]
    (photos / "0.jpg").write_bytes(b"no picture")
    assert extract(photos, out).kept == 4
    assert "0-0.jpg" not in files(out)


def test_nothing_but_photographs_without_rights_is_an_error(photos: Path, tmp_path: Path) -> None:
    shutil.rmtree(photos / "below")
    with (
        without_rights(*photos.iterdir()),
        pytest.raises(
            UnavailableError, match=r"none of the photographs can be read now, as 0\.jpg"
        ),
    ):
        extract(photos, tmp_path / "out")


def test_what_a_killed_process_left_is_removed_and_no_obstacle(
    photos: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    out.mkdir()
    (out / ".ffgan-0123456789abcdef.tmp").write_bytes(b"half a journal")
    extract(photos, whole)
    extract(photos, out)
    assert files(out) == files(whole)
    lines = (out / "extract.jsonl").read_text().splitlines(keepends=True)
    header = json.loads(lines[0])
    del header["done"]
    (out / "extract.jsonl").write_text(json.dumps(header) + "\n" + "".join(lines[1:3]))
    (out / "below" / ".ffgan-0123456789abcdef.tmp").write_bytes(b"half a face")
    (out / "0-0.jpg").write_bytes(b"")  # the machine stopped before it was on the disk
    extract(photos, out)
    assert files(out) == files(whole)
