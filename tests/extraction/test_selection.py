# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces are kept, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from support.photographs import chips, jpeg, photograph, rows

from ffgan import extraction, faces, images
from ffgan.extraction import extract
from ffgan.typing import RGB


def spoiled(people: RGB) -> dict[str, bytes]:
    """A picture for each reason, and what `extract` is to say of it."""
    good = photograph(people[1])  # found well, so that its hash does not lie at the limit
    grey = np.repeat(cv2.cvtColor(photograph(people[5]), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    small = cv2.resize(photograph(people[6]), (160, 160), interpolation=cv2.INTER_AREA)
    return {
        "blurred": jpeg(cv2.GaussianBlur(photograph(people[4]), (0, 0), 5)),
        "badly lit": jpeg((photograph(people[2]) * 0.25).astype(np.uint8)),
        "cut by the border": jpeg(photograph(people[3])[130:, :]),
        "grey": jpeg(grey),
        "too small": jpeg(small),
        "near-duplicate": jpeg(cv2.resize(good, (320, 320), interpolation=cv2.INTER_AREA), 60),
        "": jpeg(good),
    }


def test_what_is_left_out_has_its_reason_and_a_count(people: RGB, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    cases = spoiled(people)
    for reason, content in cases.items():
        (folder / f"{reason or 'good'}.jpg").write_bytes(content)
    (folder / "empty.png").write_bytes(images.encode(np.full((90, 90, 3), 99, np.uint8), "png"))
    result = extract(folder, out, grey=False, min_size=90)
    found = {row["photo"].removesuffix(".jpg"): row["reason"] for row in rows(out)}
    assert found == {reason or "good": reason for reason in cases}
    assert result.reasons == dict.fromkeys((reason for reason in extraction.REASONS if (
        reason in cases)), 1)  # fmt: skip
    assert result.kept == 1
    assert chips(out) == ["good-0.jpg"]
    [twin] = [row for row in rows(out) if row["same_as"]]
    assert (twin["reason"], twin["same_as"], twin["face"]) == (
        "near-duplicate", "good-0.jpg", "",
    )  # fmt: skip
    text = extraction.table(result, out)
    assert "blurred" in text
    assert "faces kept" in text


def test_a_face_that_is_turned_away_is_left_out(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract(photos, out)
    most = max(abs(float(row["yaw"])) for row in rows(out))
    result = extract(photos, out, max_yaw=most - 0.1)
    assert result.reasons == {"turned away": 1}
    assert result.looked_at == 0


def test_one_photograph_in_three_sizes_is_one_face_the_largest(people: RGB, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    good = photograph(people[0], 1.6, 60, 60)
    for side, quality in ((400, 95), (300, 70), (240, 85)):
        small = cv2.resize(good, (side, side), interpolation=cv2.INTER_AREA)
        (folder / f"{side}.jpg").write_bytes(jpeg(small, quality))
    (folder / "other.jpg").write_bytes(jpeg(photograph(people[1])))
    for i, how in enumerate(("hash", "embedding")):
        result = extract(folder, tmp_path / f"{i}", duplicates=how)
        assert chips(tmp_path / f"{i}") == ["400-0.jpg", "other-0.jpg"]
        assert result.reasons == {"near-duplicate": 2}
    assert extract(folder, tmp_path / "all", duplicates="keep").kept == 4


def test_of_one_person_a_number_is_kept_and_embeddings_on_request_only(
    photos: Path, people: RGB, tmp_path: Path
) -> None:
    for i, gain in enumerate((0.8, 0.9, 1.1)):
        picture = np.clip(photograph(people[3], 1.2 + i / 10) * gain, 0, 255).astype(np.uint8)
        (photos / f"again{i}.jpg").write_bytes(jpeg(picture[:, ::-1] if i else picture))
    out = tmp_path / "out"
    result = extract(photos, out, per_identity=2, duplicates="keep")
    table = rows(out)
    same = [row["person"] for row in table if row["photo"] in ("3.jpg", "again0.jpg")]
    assert same == ["0", "0"]
    of_person = Counter(row["person"] for row in table)
    assert of_person["0"] >= 4
    assert result.people == len(of_person)
    kept = Counter(row["person"] for row in table if row["reason"] == "")
    assert kept == {person: min(count, 2) for person, count in of_person.items()}
    assert result.reasons == {"enough of this person": 8 - kept.total()}
    assert not (out / extraction.EMBEDDINGS).exists()
    assert '"embedding"' not in (out / "extract.jsonl").read_text()
    extract(photos, out, per_identity=2, duplicates="keep", embeddings=True)
    stored = np.load(out / extraction.EMBEDDINGS)
    table = rows(out)
    assert stored.shape == (8, 128)
    first, second = (
        stored[int(row["embedding"])] for row in table if row["photo"] in ("3.jpg", "again0.jpg")
    )
    assert np.linalg.norm(first - second) < faces.SAME_PERSON
    extract(photos, out)
    assert not (out / extraction.EMBEDDINGS).exists()
    assert '"embedding"' not in (out / "extract.jsonl").read_text()


def test_the_contact_sheet_shows_kept_and_left_out_faces_and_needs_nothing_else(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    extract(photos, out, max_pitch=5)
    page = (out / extraction.SHEET).read_text("utf-8")
    assert "5 faces in 5 photographs" in page
    assert "turned away: " in page
    assert page.count("<img") == 5
    assert "http" not in page
    assert "<script" not in page
