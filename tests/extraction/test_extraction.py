# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan extract` on real files: what is kept, what is left out and why, stopping and going on."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import ffgan
from ffgan import cli, extraction, faces, images
from ffgan.errors import DatasetError, Error, ExtraError, UsageError
from ffgan.extraction import Extracted, extract
from ffgan.typing import RGB

SIDE = 400
SECONDS = 120


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    try:
        for name in (faces.LANDMARKS_FILE, faces.LANDMARKS_68_FILE, faces.EMBEDDING_FILE):
            faces.model_file(name)
    except ExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def people() -> RGB:
    """Faces that no one has: (8, 162, 162, 3)."""
    return ffgan.generate(8, seed=3)


def photograph(face: RGB, scale: float = 1.4, left: int = 80, top: int = 80) -> RGB:
    """A face of a scale in a picture of `SIDE` pixels, as sharp as a photograph."""
    side = round(face.shape[0] * scale)
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_LANCZOS4)
    large = cv2.addWeighted(large, 2.2, cv2.GaussianBlur(large, (0, 0), 1.5), -1.2, 0)
    picture = np.full((SIDE, SIDE, 3), 110, np.uint8)
    part = large[: SIDE - top, : SIDE - left]
    picture[top : top + part.shape[0], left : left + part.shape[1]] = part
    return picture


def jpeg(image: RGB, quality: int = 95) -> bytes:
    return images.encode(np.ascontiguousarray(image), "jpg", quality)


@pytest.fixture
def photos(tmp_path: Path, people: RGB) -> Path:
    """Five good photographs, one of them in a subfolder."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for i in range(4):
        (folder / f"{i}.jpg").write_bytes(jpeg(photograph(people[i])))
    (folder / "below" / "4.png").write_bytes(images.encode(photograph(people[4]), "png"))
    return folder


def rows(out: Path) -> list[dict[str, str]]:
    with (out / extraction.MANIFEST).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chips(out: Path) -> list[str]:
    return sorted(str(path.relative_to(out)) for path in out.rglob("*-*.jpg"))


# --- What comes of a folder ---


def test_each_face_becomes_a_picture_named_after_its_photograph(
    photos: Path, tmp_path: Path
) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.rglob("*.*")}
    out = tmp_path / "out"
    result = extract(photos, out)
    assert (result.photos, result.broken, result.found, result.kept) == (5, 0, 5, 5)
    names = ["0.jpg-0.jpg", "1.jpg-0.jpg", "2.jpg-0.jpg", "3.jpg-0.jpg", "below/4.png-0.jpg"]
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
        assert np.array_equal(chip, images.decode((out / "0.jpg-0.png").read_bytes()))


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
        path = out / f"{i}.png-0.png"
        if path.exists():
            chip = images.decode(path.read_bytes())
            assert chip.shape == (162, 162, 3)
            # A shift of 3 pixels makes some 10 levels, a turn by 10 degrees 25.
            assert np.abs(chip[20:-20, 20:-20].astype(float) - face[20:-20, 20:-20]).mean() < 8


def spoiled(people: RGB) -> dict[str, bytes]:
    """A picture for each reason, and what `extract` is to say of it."""
    good = photograph(people[0])
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
    assert chips(out) == ["good.jpg-0.jpg"]
    [twin] = [row for row in rows(out) if row["same_as"]]
    assert (twin["reason"], twin["same_as"], twin["face"]) == (
        "near-duplicate", "good.jpg-0.jpg", "",
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
        assert chips(tmp_path / f"{i}") == ["400.jpg-0.jpg", "other.jpg-0.jpg"]
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


# --- Files of every kind ---


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
    (folder / "bomb.png").write_bytes(bomb[:16] + (60_000).to_bytes(4, "big") * 2 + bomb[24:])
    (folder / "text.jpg").write_bytes(b"no picture")
    (folder / "nowhere.jpg").symlink_to("nothing")
    (folder / "loop").symlink_to(folder)
    result = extract(folder, out, duplicates="keep")
    assert (result.photos, result.broken, result.kept) == (read + 3, 3, read)
    assert "1 folders reached again through links" in result.summary
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


# --- Going on ---


def interrupt_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    detect, calls = faces.detect, []

    def detecting(*arguments: object, **options: object) -> list[faces.Box]:
        calls.append(1)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGINT)
        return detect(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(faces, "detect", detecting)


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
        with pytest.raises(Error, match=r"stopped looking for faces, \d+ of 12 done: the same com"
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
    assert chips(out) == ["2.jpg-0.jpg", "3.jpg-0.jpg", "below/4.png-0.jpg", "new.jpg-0.jpg"]


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
    assert images.decode((out / "0.jpg-0.png").read_bytes()).shape == (64, 64, 3)


def test_a_dry_run_writes_nothing_and_counts_the_same(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dry = extract(photos, out, dry_run=True)
    assert not out.exists()
    wet = extract(photos, out)
    assert (dry.found, dry.kept, dry.reasons) == (wet.found, wet.kept, wet.reasons)
    assert extract(photos, out, dry_run=True, min_sharpness=9).looked_at == 0
    assert len(chips(out)) == 5


# --- Refusals ---


def test_folders_that_cannot_be_right_are_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its faces would be taken for photographs"):
        extract(photos, photos / "faces")
    with pytest.raises(DatasetError, match="no such folder"):
        extract(tmp_path / "nowhere", tmp_path / "out")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match="foreign is not empty: give another folder"):
        extract(photos, foreign)
    with pytest.raises(UsageError, match="is a file: give a folder"):
        extract(photos, foreign / "diary.txt")
    extract(photos, tmp_path / "out")
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    with pytest.raises(UsageError, match=r"out holds the faces of .*photos: give another folder"):
        extract(copy, tmp_path / "out")
    (tmp_path / "out" / "extract.jsonl").write_text("nonsense\n")
    with pytest.raises(UsageError, match="is not a journal of this version"):
        extract(photos, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 5}, "size 5 must be at least 16"),
        ({"framing": "training", "padding": 0.1}, "has no padding"),
        ({"framing": "loose"}, "give 'dlib' or 'training'"),
        ({"min_light": 300}, "min_light must be from 0 to 255"),
        ({"per_identity": 0}, "per_identity 0 must be at least 1"),
        ({"duplicates": "all"}, "give 'hash', 'embedding' or 'keep'"),
        ({"colour": 1}, "colour"),
    ],
)
def test_wrong_settings_are_named(
    photos: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        extract(photos, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_training_framing_needs_68_points(photos: Path, tmp_path: Path) -> None:
    five = faces.model_file(faces.LANDMARKS_FILE)
    with pytest.raises(UsageError, match="needs a shape predictor of 68 points"):
        extract(photos, tmp_path / "out", framing="training", landmarks=five)


def test_without_the_extra_nothing_is_begun(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffgan.faces.dlib_files.find_spec", lambda name: None)
    with pytest.raises(ExtraError, match=r"pip install 'ffgan\[faces\]'"):
        extract(photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- The real command ---


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ffgan", *arguments]


def test_the_command_prints_the_counts(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "text.jpg").write_bytes(b"no picture")
    line = ["extract", str(photos), str(tmp_path / "out"), "--max-pitch", "8", "--quality", "90"]
    assert cli.main([*line, "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("nothing written\n")
    assert not (tmp_path / "out").exists()
    assert cli.main(line) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"6 images in {photos}\n1 cannot be read, see {tmp_path / 'out'}")
    counts = dict(re.findall(r"^  (.+?)  +([\d,]+)$", printed, re.MULTILINE))
    assert counts["faces found"] == "5"
    assert int(counts["turned away"]) + int(counts["faces kept"]) == 5
    assert len(chips(tmp_path / "out")) == int(counts["faces kept"])
    packed = tmp_path / "faces.pack"
    assert cli.main(["pack", str(tmp_path / "out"), str(packed)]) == 0
    assert capsys.readouterr().out.endswith(f"packed: {packed}\n")
    assert packed.stat().st_size > 162 * 162 * 3 * int(counts["faces kept"])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--size", "9"], "--size"),
        (["--max-yaw", "100"], "--max-yaw"),
        (["--per-identity", "0"], "--per-identity"),
        (["--framing", "training", "--padding", "0.2"], "padding"),
        (["--landmarks", "missing.dat"], "missing.dat"),
        (["--detector", "cnn", "--detector-file", "missing.dat"], "missing.dat"),
    ],
)
def test_the_command_names_the_wrong_option(
    photos: Path, tmp_path: Path, options: list[str], named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert cli.main(["extract", str(photos), str(tmp_path / "out"), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_in_one_line_and_the_next_run_goes_on(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    program = f"""
import resource, sys
from ffgan import cli
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, resource.RLIM_INFINITY))
sys.exit(cli.main(["extract", {str(photos)!r}, {str(out)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.search(r"cannot write .*out.*: File too large", line)
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]
    assert extract(photos, out).kept == 5


@pytest.mark.slow
def test_extract_pack_train_gen(photos: Path, tmp_path: Path) -> None:
    """From photographs to a face of one's own model, in the commands that README shows."""
    for line in (
        ["extract", "photos", "faces", "--framing", "training"],
        ["train", "faces", "--name", "mine", "--steps", "1", "--batch", "4"],
        ["pack", "faces", "faces.pack"],
        ["train", "faces.pack", "--name", "mine", "--steps", "2", "--batch", "4"],  # goes on
        ["gen", "1", "--model", "runs/mine/model.safetensors", "--no-window", "--out", "me.png"],
    ):
        done = subprocess.run(
            command(*line), cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, done.stderr
    steps = [
        json.loads(text)["step"]
        for text in (tmp_path / "runs" / "mine" / "train.jsonl").read_text().splitlines()
    ]
    assert steps == [1, 2]
    assert images.decode((tmp_path / "me.png").read_bytes()).shape == (162, 162, 3)


@pytest.mark.slow
def test_ctrl_c_on_the_command_and_the_command_again(photos: Path, tmp_path: Path) -> None:
    large = tmp_path / "many"
    large.mkdir()
    picture = cv2.resize(images.decode((photos / "0.jpg").read_bytes()), (1200, 1200))
    (large / "0.jpg").write_bytes(jpeg(picture))
    for i in range(1, 80):
        os.link(large / "0.jpg", large / f"{i}.jpg")
    out = tmp_path / "out"
    line = command("extract", str(large), str(out), "--duplicates", "keep", "--sheet", "0")
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: out.exists() and len(chips(out)) >= 5)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, told
    assert "the same command goes on from there" in told
    assert "Traceback" not in told
    seen = len((out / "extract.jsonl").read_text().splitlines()) - 1
    assert 5 <= seen < 80
    done = subprocess.run(line, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0
    assert f"going on: {seen} of 80 photographs were seen" in done.stderr
    assert f"{seen} were looked at by an earlier run" in done.stdout
    assert len(chips(out)) == 80
    header = json.loads((out / "extract.jsonl").read_text().splitlines()[0])
    assert header["done"]["result"]["kept"] == 80


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


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


def test_the_function_is_public() -> None:
    assert ffgan.extract is extract
    assert "extract" in ffgan.__all__
    assert Extracted.__name__ in extract.__annotations__["return"]


@pytest.mark.slow
def test_the_measurements_run(people: RGB, tmp_path: Path) -> None:
    for i, face in enumerate(people):
        (tmp_path / f"{i}.jpg").write_bytes(jpeg(face))
    script = Path(__file__).parents[2] / "benchmarks" / "extraction.py"
    line = [sys.executable, str(script), "--synthetic", str(tmp_path), "--count", "8"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert "8 synthetic faces" in done.stdout
    off = re.search(r"middle: off by ([\d.]+) pixels in the median", done.stdout)
    assert off is not None
    assert float(off[1]) < 3
