# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan gen`: its files, what they say, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import SECONDS, environment, ffgan_command, only_error

import ffgan
from ffgan import cli, images
from ffgan.errors import Error
from ffgan.model import Model


def test_gen_without_a_display_says_so_in_one_line_and_writes_files(
    tmp_path: Path, model: str
) -> None:
    done = ffgan_command("gen", "3", "--seed", "7", "--model", model, cwd=tmp_path)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "DISPLAY" in line
    assert "generated" in line
    names = sorted(path.name for path in (tmp_path / "generated").iterdir())
    assert names == ["face-7.png", "face-8.png", "face-9.png"]
    assert re.match(r"3 faces, \d+ tries, [\d.]+ s, from seed 7: 3 files in generated", done.stdout)


@pytest.mark.slow
def test_the_form_of_the_original_takes_later_options(tmp_path: Path, model: str) -> None:
    arguments = ("--gen", "2", "--seed", "7", "--no-window", "--out", "a", "--model", model)
    done = ffgan_command(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["face-7.png", "face-8.png"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_file_says_what_made_it(suffix: str, tmp_path: Path, model: str) -> None:
    path = tmp_path / "new" / f"me.{suffix}"
    options = ["--tries", "3", "--truncation", "0.5", "--threshold", "0.25", "--quality", "90"]
    gen = ["gen", "1", "--seed", "11", "--no-window", "--out", str(path), "--model", model]
    assert cli.main([*gen, *options]) == 0
    loaded = Model.load(model)
    face = loaded.face(11, tries=3, truncation=0.5, threshold=0.25)
    said = images.read_metadata(path)
    assert said["model"] == loaded.hash
    assert said["seed"] == "11"
    assert said["tries"] == str(face.tries)
    assert float(said["score"]) == pytest.approx(face.score, abs=1e-4)
    assert (said["truncation"], said["threshold"]) == ("0.5", "0.25")
    assert said["version"] == ffgan.__version__
    pixels = images.decode(path.read_bytes())
    if suffix == "png":
        np.testing.assert_array_equal(pixels, face.image)
    else:
        assert np.abs(pixels.astype(int) - face.image).mean() < 8


def test_one_seed_is_one_face_whatever_the_first_seed_was(tmp_path: Path, model: str) -> None:
    common = ["--no-window", "--model", model, "--out"]
    assert cli.main(["gen", "3", "--seed", "4", *common, str(tmp_path / "a")]) == 0
    assert cli.main(["gen", "1", "--seed", "6", *common, str(tmp_path / "b")]) == 0
    assert (tmp_path / "a" / "face-6.png").read_bytes() == (
        tmp_path / "b" / "face-6.png"
    ).read_bytes()


def test_format_and_size_change_no_score(tmp_path: Path, model: str) -> None:
    options = ["--format", "jpg", "--size", "150", "--seed", "0", "--tries", "2"]
    gen = ["gen", "2", "--no-window", "--model", model, "--out", str(tmp_path)]
    assert cli.main([*gen, *options]) == 0
    loaded = Model.load(model)
    for seed in range(2):
        path, face = tmp_path / f"face-{seed}.jpg", loaded.face(seed, tries=2)
        small = images.resize(face.image, 150)
        assert np.array_equal(
            images.decode(path.read_bytes()), images.decode(images.encode(small, "jpg"))
        )
        assert float(images.read_metadata(path)["score"]) == pytest.approx(face.score, abs=1e-4)


def test_grid_writes_one_sheet_instead(tmp_path: Path, model: str) -> None:
    options = ["--grid", "--seed", "3", "--size", "40", "--out", str(tmp_path)]
    assert cli.main(["gen", "4", "--no-window", "--model", model, *options]) == 0
    (sheet,) = tmp_path.iterdir()
    assert sheet.name == "faces-3-4.png"
    pixels = images.decode(sheet.read_bytes())
    faces = [images.resize(face.image, 40) for face in Model.load(model).faces(4, 3)]
    np.testing.assert_array_equal(pixels, images.grid(np.stack(faces)))
    said = images.read_metadata(sheet)
    assert (said["seed"], said["count"]) == ("3", "4")
    assert len(said["score"].split(",")) == 4


def test_a_random_seed_is_told(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["gen", "1", "--no-window", "--out", str(tmp_path), "--model", model]) == 0
    found = re.search(r"from seed (\d+)", capsys.readouterr().out)
    assert found
    assert [path.name for path in tmp_path.iterdir()] == [f"face-{found[1]}.png"]


@pytest.mark.parametrize("count", ["0", "-1", "x", "1e9", "1.5", "", "99999999999999999999"])
def test_gen_refuses_what_is_no_number_of_faces(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["gen", count]) == 2
    line = only_error(capsys)
    assert "argument N" in line
    assert count in line


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--seed", "-1"], "--seed"),
        (["--seed", str(2**64)], "--seed"),
        (["--tries", "0"], "--tries"),
        (["--threshold", "nan"], "--threshold"),
        (["--truncation", "3"], "--truncation"),
        (["--truncation", "inf"], "--truncation"),
        (["--quality", "101"], "--quality"),
        (["--size", "0"], "--size"),
        (["--delay", "-1"], "--delay"),
        (["--scale", "0"], "--scale"),
        (["--format", "gif"], "--format"),
        (["--out", "a.gif"], "a.gif"),
        (["--out", "a.png"], "--grid"),
        (["--out", "a.png", "--format", "jpg", "--grid"], "--format jpg"),
        (["--model", "missing.safetensors"], "missing.safetensors"),
        (["--sed", "4"], "--sed"),
    ],
)
def test_gen_names_the_wrong_option(
    options: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gen", "2", "--no-window", *options]) == 2
    assert named in only_error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_too_large_a_sheet_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["1000000"], ["100", "--size", "2000"]):
        assert cli.main(["gen", *arguments, "--grid", "--no-window"]) == 2
        assert "--grid" in only_error(capsys)


def test_out_that_is_a_file_or_cannot_be_made(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    gen = ["gen", "1", "--no-window", "--model", model, "--out"]
    assert cli.main([*gen, str(tmp_path / "file")]) == 2
    assert "file" in only_error(capsys)
    assert cli.main([*gen, str(tmp_path / "file" / "below")]) == 1
    assert "below" in only_error(capsys)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_full_disk_ends_in_one_line_and_keeps_what_was_written(
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write = images.save

    def fail_at_the_third(path: Path, *rest: object) -> None:
        if path.name == "face-2.png":
            raise Error(f"cannot write {path}: No space left on device")
        write(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "save", fail_at_the_third)
    gen = ["gen", "5", "--seed", "0", "--no-window", "--out", str(tmp_path), "--model", model]
    assert cli.main(gen) == 1
    line = only_error(capsys)
    assert "No space left" in line
    assert "files written before: 2" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face-0.png", "face-1.png"]


@pytest.mark.parametrize(("stands", "count"), [(True, "2 files"), (False, "1 file")])
def test_ctrl_c_counts_the_file_that_it_came_upon(
    monkeypatch, tmp_path: Path, capsys, stands: bool, count: str
) -> None:
    save, calls = images.save, []

    def interrupted(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1 or stands:
            save(*arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(images, "save", interrupted)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gen", "3", "--no-window"]) == 130
    assert f"stopped with Ctrl+C, {count} written" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_gen_and_leaves_whole_files(
    number: signal.Signals, status: int, tmp_path: Path, model: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ffgan", "gen", "100000", "--no-window", "--model", model],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + SECONDS
    while len(list(tmp_path.glob("generated/*.png"))) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(number)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == status
    files = list((tmp_path / "generated").iterdir())
    assert len(files) >= 2
    assert all(images.decode(path.read_bytes()).shape == (162, 162, 3) for path in files)
    assert "Traceback" not in errors
    if number == signal.SIGINT:
        assert f"{len(files)} files written" in errors
        assert output.startswith(f"{len(files)} faces")


@pytest.mark.slow
def test_missing_system_library_is_one_line(tmp_path: Path, model: str) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    # The current directory is the first that `python -m` imports from.
    done = ffgan_command("gen", "1", "--model", model, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "libGL.so.1" in line
    assert "opencv-python-headless" in line


@pytest.mark.slow
def test_threads_decide_the_time_and_not_the_faces(tmp_path: Path, model: str) -> None:
    for threads in ("1", "3"):
        arguments = ("gen", "3", "--seed", "5", "--model", model, "--threads", threads)
        done = ffgan_command(*arguments, "--no-window", "--out", threads, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    for file in (tmp_path / "1").iterdir():
        assert file.read_bytes() == (tmp_path / "3" / file.name).read_bytes()
    done = ffgan_command("gen", "1", "--threads", "0", "--model", model, cwd=tmp_path)
    assert done.returncode == 2
    assert "--threads" in done.stderr
