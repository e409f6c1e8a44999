# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of every kind, and the chips that are cut out of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from support.photographs import SIDE, chips, jpeg, photograph, rows

from ffgan import extraction, faces, images
from ffgan.extraction import extract, photographs
from ffgan.faces import orientation
from ffgan.typing import RGB


def test_each_face_becomes_a_picture_named_after_its_photograph(
    photos: Path, tmp_path: Path
) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.rglob("*.*")}
    out = tmp_path / "out"
    result = extract(photos, out)
    assert (result.photos, result.broken, result.found, result.kept) == (5, 0, 5, 5)
    names = ["0-0.jpg", "1-0.jpg", "2-0.jpg", "3-0.jpg", "below/4-png-0.jpg"]
    assert chips(out) == names
    assert [row["face"] for row in rows(out)] == names
    for name in names:
        chip = images.decode((out / name).read_bytes())
        assert chip.shape == (200, 200, 3)
        right, _, left, _, nose = faces.landmarks(chip, [faces.Box(30, 30, 170, 170, 1.0)])[0]
        # Where dlib's average face has them, with a padding of 0.2.
        assert abs(left - (46, 59)).max() < 8
        assert abs(right - (151, 59)).max() < 8
        assert abs(nose - (99, 118)).max() < 10
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in photos.rglob("*.*")}


def test_the_chips_are_those_of_align(photos: Path, tmp_path: Path) -> None:
    dlib = {"size": 200, "padding": 0.2}
    photo = images.decode((photos / "0.jpg").read_bytes())
    for i, (options, meant) in enumerate(
        (({}, dlib), ({"size": 90}, dlib | {"size": 90}), ({"framing": "training"}, {}))
    ):
        out = tmp_path / str(i)
        extract(photos, out, format="png", **options)
        [chip] = faces.align(photo, **options | meant)
        assert np.array_equal(chip, images.decode((out / "0-0.png").read_bytes()))


def test_the_training_framing_puts_faces_back_where_the_training_set_has_them(
    people: RGB, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, face in enumerate(people):
        turn = cv2.getRotationMatrix2D((81, 81), 10 * (-1) ** i, 1.3)
        turn[:, 2] += 120
        picture = cv2.warpAffine(face, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        (folder / f"{i}.png").write_bytes(images.encode(picture, "png"))
    out = tmp_path / "out"
    result = extract(folder, out, framing="training", min_sharpness=0, format="png")
    assert result.kept >= len(people) - 1
    for i, face in enumerate(people):
        path = out / f"{i}-png-0.png"
        if path.exists():
            chip = images.decode(path.read_bytes())
            assert chip.shape == (162, 162, 3)
            # A shift of 3 pixels makes some 10 levels, a turn by 10 degrees 25.
            assert np.abs(chip[20:-20, 20:-20].astype(float) - face[20:-20, 20:-20]).mean() < 8


def test_pictures_of_every_kind_are_read_and_the_rest_is_reported(
    people: RGB, tmp_path: Path
) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    good = photograph(people[2])
    pillow = Image.fromarray(good)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(good)).save(folder / "turned.jpg", exif=exif, quality=95)
    pillow.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    sixteen = cv2.cvtColor(good, cv2.COLOR_RGB2BGR).astype(np.uint16) * 257
    cv2.imwrite(str(folder / "sixteen.png"), sixteen)
    pillow.save(folder / "animated.webp", save_all=True, append_images=[pillow.rotate(90)],
                lossless=True)  # fmt: skip
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg")).write_bytes(jpeg(good))
    (folder / ("l" * 251 + ".jpg")).write_bytes(jpeg(good))
    read = 6
    (folder / "cut-off.jpg").write_bytes(jpeg(good)[:-2000])
    bomb = images.encode(np.zeros((1, 1, 3), np.uint8), "png")
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + bomb[24:29]
    checked = header + zlib.crc32(header).to_bytes(4, "big")
    (folder / "bomb.png").write_bytes(bomb[:12] + checked + bomb[33:])
    (folder / "text.jpg").write_bytes(b"no picture")
    (folder / "nowhere.jpg").symlink_to("nothing")
    (folder / "loop").symlink_to(folder)
    result = extract(folder, out, duplicates="keep")
    assert (result.photos, result.broken, result.kept) == (read + 3, 3, read)
    assert "1 folder reached again through links" in result.summary
    skipped = dict(
        line.split("\t") for line in (out / extraction.SKIPPED).read_text("utf-8").splitlines()
    )
    assert skipped.keys() == {"cut-off.jpg", "bomb.png", "text.jpg", "nowhere.jpg"}
    assert "more than the limit" in skipped["bomb.png"]
    table = {row["photo"]: row for row in rows(out)}
    assert table.keys() >= {"turned.jpg", "cmyk.jpg", "caf\\xe9.jpg"}
    places = np.array([[int(row[side]) for side in ("left", "top")] for row in table.values()])
    assert np.ptp(places, axis=0).max() <= 12
    assert len(list(out.glob("*-0.jpg"))) == read


def test_large_photographs_take_turns(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, at_work, most = orientation.find, [], []

    def watched(*arguments: Any, **options: Any) -> list[orientation.OrientedFace]:
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.1)
        found = find(*arguments, **options)
        at_work.pop()
        return found

    monkeypatch.setattr(orientation, "find", watched)
    extract(photos, tmp_path / "together", threads=4)
    assert max(most) > 1
    most.clear()
    monkeypatch.setattr(photographs, "SHARE", 1)  # as if all of them were large
    extract(photos, tmp_path / "in-turn", threads=4)
    assert max(most) == 1
    names = chips(tmp_path / "together")
    assert names == chips(tmp_path / "in-turn")
    for name in names:
        one, other = ((tmp_path / run / name).read_bytes() for run in ("together", "in-turn"))
        assert one == other


@pytest.mark.slow
def test_a_huge_panorama_is_looked_at_in_bounded_memory(people: RGB, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    wide = np.full((5000, 24_000, 3), 110, np.uint8)  # 120 million pixels, beyond MAX_PIXELS
    small = photograph(people[0], 2.0, 30, 30)
    wide[300:700, 20_000:20_400] = small
    large = cv2.resize(photograph(people[1]), (3600, 3600), interpolation=cv2.INTER_CUBIC)
    wide[1000:4600, 4000:7600] = large
    (folder / "wide.jpg").write_bytes(jpeg(wide))
    del wide, large
    program = f"""
from pathlib import Path
from ffgan import extract
result = extract({str(folder)!r}, {str(tmp_path / "out")!r}, threads=1, min_sharpness=0)
# Not ru_maxrss, which begins with that of the process that started this one.
[peak] = [l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM")]
print(result.found, result.kept, peak.split()[1])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    found, kept, kilobytes = map(int, done.stdout.split())
    assert (found, kept) == (2, 2)
    assert kilobytes < 1_000_000  # the whole of it as 8-bit RGB is 360 MB, as features a gigabyte
    lefts = sorted(int(row["left"]) for row in rows(tmp_path / "out"))
    assert 4000 < lefts[0] < 7600  # in pixels of the whole panorama
    assert 20_000 < lefts[1] < 20_400
