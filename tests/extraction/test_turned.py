# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanned photographs that lie on their side, and photographs without a face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.photographs import chips, jpeg, photograph, rows

from ffgan import extraction, faces, images
from ffgan.extraction import extract, table
from ffgan.typing import RGB


@pytest.fixture
def scans(tmp_path: Path, people: RGB) -> Path:
    """Three faces in each of their four turns."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for i, face in enumerate(people[1:4]):
        for turn in range(4):
            picture = np.rot90(photograph(face), -turn)
            (folder / f"{i}-{turn}.png").write_bytes(images.encode(picture.copy(), "png"))
    return folder


def upright(out: Path, name: str) -> bool:
    """Whether a chip has its eyes where those of an upright face are."""
    chip = images.decode((out / name).read_bytes())
    right, _, left, _, nose = faces.landmarks(chip, [faces.Box(30, 30, 170, 170, 1.0)])[0]
    near = abs(left - (46, 59)).max() < 8 and abs(right - (151, 59)).max() < 8
    return bool(near and abs(nose - (99, 118)).max() < 10 and faces.detect(chip))


@pytest.mark.parametrize("detector", ["hog", "cnn"])
def test_each_turn_gives_the_same_upright_face(scans: Path, tmp_path: Path, detector: str) -> None:
    out = tmp_path / "out"
    result = extract(scans, out, detector=detector, duplicates="keep", format="png")
    assert (result.kept, result.turned, result.without_face) == (12, 9, 0)
    assert "of them turned upright" in table(result, out)
    for i in range(3):
        faces_of_one = [
            images.decode((out / f"{i}-{turn}-png-0.png").read_bytes()).astype(int)
            for turn in range(4)
        ]
        assert upright(out, f"{i}-0-png-0.png")
        for face in faces_of_one[1:]:
            assert np.abs(face - faces_of_one[0]).mean() < (2 if detector == "hog" else 12)
    rolls = {row["photo"]: float(row["roll"]) for row in rows(out)}
    for name, roll in rolls.items():
        assert abs((roll - 90 * int(name[2]) + 180) % 360 - 180) < 30


def test_a_stopped_run_keeps_the_turns(scans: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    options = {"duplicates": "keep", "format": "png"}
    extract(scans, whole, **options)
    extract(scans, out, **options, min_sharpness=9)
    result = extract(scans, out, **options)
    assert (result.looked_at, result.kept, result.turned) == (0, 12, 9)
    for path in whole.glob("*.png"):
        assert path.read_bytes() == (out / path.name).read_bytes()


def test_without_turns_nothing_that_lies_is_kept(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = extract(scans, out, rotate="never", detector="cnn", duplicates="keep", format="png")
    assert result.kept == 3
    assert result.reasons["on its side"] + result.without_face == 9
    assert sorted(path.name for path in out.glob("*-0.png")) == [
        f"{i}-0-png-0.png" for i in range(3)
    ]


def test_photographs_without_a_face_are_counted_and_listed(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sky = jpeg(np.full((300, 300, 3), 120, np.uint8))
    (photos / "below" / "sky\n.jpg").write_bytes(sky)
    (photos / "broken.jpg").write_bytes(b"no picture")
    result = extract(photos, out)
    assert (result.without_face, result.broken) == (1, 1)
    assert "photographs without a face" in table(result, out)
    assert (out / extraction.WITHOUT_FACE).read_text() == "below/sky\\n.jpg\n"
    assert extract(photos, out) == result.__class__(**{**vars(result), "looked_at": 0})


def test_a_journal_of_before_goes_on_and_only_what_has_no_face_is_turned(
    photos: Path, scans: Path, tmp_path: Path
) -> None:
    (photos / "lying.png").write_bytes((scans / "2-1.png").read_bytes())
    out = tmp_path / "out"
    extract(photos, out, rotate="never", duplicates="keep")
    assert (out / extraction.WITHOUT_FACE).read_text() == "lying.png\n"
    lines = (out / "extract.jsonl").read_text().splitlines(keepends=True)
    header = json.loads(lines[0])
    del header["looked_for"]["rotate"]
    del header["done"]["chosen"], header["done"]["result"]["without_face"]
    header["done"]["chosen"] = {}
    (out / "extract.jsonl").write_text(json.dumps(header) + "\n" + "".join(lines[1:]))
    before = {name: (out / name).stat().st_mtime_ns for name in chips(out)}
    result = extract(photos, out, duplicates="keep")
    assert (result.looked_at, result.kept, result.turned) == (1, 6, 1)
    assert upright(out, "lying-png-0.jpg")
    assert before.items() <= {name: (out / name).stat().st_mtime_ns for name in chips(out)}.items()


def test_an_old_contact_sheet_goes_when_none_is_asked_for(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract(photos, out)
    assert (out / extraction.SHEET).exists()
    extract(photos, out, sheet=0)
    assert not (out / extraction.SHEET).exists()
