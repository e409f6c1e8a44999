# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan extract` on the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from support.photographs import chips, jpeg
from support.waiting import until

from ffgan import images
from ffgan.cli import program as cli
from ffgan.extraction import extract
from ffgan.typing import RGB

SECONDS = 120


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
    until(lambda: out.exists() and len(chips(out)) >= 5)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, told
    assert "the same command resumes" in told
    assert "Traceback" not in told
    seen = len((out / "extract.jsonl").read_text().splitlines()) - 1
    assert 5 <= seen < 80
    done = subprocess.run(line, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0
    assert f"resuming: {seen} of 80 photographs are done" in done.stderr
    assert f"{seen} were processed by an earlier run" in done.stdout
    assert len(chips(out)) == 80
    header = json.loads((out / "extract.jsonl").read_text().splitlines()[0])
    assert header["done"]["result"]["kept"] == 80


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


def test_settings_come_from_a_file_too_and_options_override_it(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('size = 64\nformat = "png"\nmin-sharpness = 9\n')
    line = ["extract", str(photos), str(tmp_path / "out"), "--config", str(file)]
    assert cli.main([*line, "--set", "size=90", "--min-sharpness", "1"]) == 0
    chip = images.decode((tmp_path / "out" / "0-0.png").read_bytes())
    assert chip.shape == (90, 90, 3)
    file.write_text("sise = 64\n")
    capsys.readouterr()
    assert cli.main(line) == 2
    assert "mine.toml: unknown setting sise: did you mean size?" in capsys.readouterr().err
