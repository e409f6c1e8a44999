# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: the real commands in processes of their own, and bad input in this one."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffgan
from ffgan import _core, cli, images
from ffgan.cli import explore, program
from ffgan.cli import train as train_command
from ffgan.cli.original_flags import modern
from ffgan.errors import Error
from ffgan.model import Model, save_model
from ffgan.training import Settings

SECONDS = 120


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model file of random weights."""
    trainer = _core.Trainer(seed=1)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    metadata = {"steps": "0", "data": "none, random weights"}
    save_model(path, trainer.parameters("averaged"), trainer.parameters("discriminator"), metadata)
    return str(path)


def environment() -> dict[str, str]:
    """This process's, without a display."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def ffgan_command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ffgan", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def only_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("ffgan: error: ")
    return line


# ---------------------------------------------------------------------------- gen


def test_gen_without_a_display_says_so_in_one_line_and_writes_files(
    tmp_path: Path, model: str
) -> None:
    done = ffgan_command("gen", "3", "--seed", "7", "--model", model, cwd=tmp_path)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "DISPLAY" in line
    assert "faces" in line
    names = sorted(path.name for path in (tmp_path / "faces").iterdir())
    assert names == ["face-7.png", "face-8.png", "face-9.png"]
    assert re.match(r"3 faces, \d+ tries, [\d.]+ s, from seed 7: 3 files in faces", done.stdout)


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


def test_format_and_size(tmp_path: Path, model: str) -> None:
    options = ["--format", "jpg", "--size", "150", "--seed", "0", "--out", str(tmp_path)]
    assert cli.main(["gen", "2", "--no-window", "--model", model, *options]) == 0
    for name in ("face-0.jpg", "face-1.jpg"):
        assert images.decode((tmp_path / name).read_bytes()).shape == (150, 150, 3)


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
    while len(list(tmp_path.glob("faces/*.png"))) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(number)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == status
    files = list((tmp_path / "faces").iterdir())
    assert len(files) >= 2
    assert all(images.decode(path.read_bytes()).shape == (162, 162, 3) for path in files)
    assert "Traceback" not in errors
    if number == signal.SIGINT:
        assert f"{len(files)} files written" in errors
        assert output.startswith(f"{len(files)} faces")


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


# ---------------------------------------------------------------------------- info


def test_info_prints_the_tables_of_the_networks(tmp_path: Path, model: str) -> None:
    done = ffgan_command("info", "--model", model, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    generator, discriminator = done.stdout.split("discriminator", 1)
    shapes = ("4x4x512", "10x10x256", "20x20x128", "40x40x128", "80x80x64", "162x162x3")
    positions = [generator.index(shape) for shape in shapes]
    assert positions == sorted(positions)
    for shape in ("80x80x64", "40x40x128", "20x20x128", "7x7x256", "3x3x512", "3x3x3"):
        assert shape in discriminator
    assert Model.load(model).hash in done.stdout
    assert model in done.stdout
    assert "random weights" in done.stdout
    assert "20.0.1" in done.stdout


def test_info_as_json(tmp_path: Path, model: str) -> None:
    done = ffgan_command("info", "--json", "--model", model, cwd=tmp_path)
    facts = json.loads(done.stdout)
    for title in ("generator", "discriminator"):
        layers = facts[title]["layers"]
        for count in ("parameters", "multiply_adds"):
            assert facts[title][count] == sum(layer[count] for layer in layers) > 0
    assert facts["generator"]["layers"][-1]["shape"] == [162, 162, 3]
    assert facts["discriminator"]["network"] == "program"
    assert facts["model"]["hash"] == Model.load(model).hash
    assert facts["engine"] == _core.engine()
    assert facts["versions"]["ffgan"] == ffgan.__version__


def test_info_of_the_other_discriminator(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["info", "--json", "--discriminator", "table", "--model", model]
    assert cli.main(arguments) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["discriminator"]["network"] == "table"
    assert facts["discriminator"]["multiply_adds"] == pytest.approx(8.24e9, rel=0.01)
    assert facts["model"]["discriminator"] == "program"


def test_info_measures_every_layer(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--json", "--profile", "--batch", "2", "--model", model]) == 0
    measured = json.loads(capsys.readouterr().out)["profile"]
    layers = [f"conv{i}" for i in range(1, 7)]
    for network in ("generator", "program"):
        times = dict(measured["inference"][network])
        assert list(times) == [*layers, "input and output"]
        assert all(time > 0 for time in times.values())
        assert [row[0] for row in measured["training"][network]] == layers
        assert all(time > 0 for row in measured["training"][network] for time in row[1:])
    assert measured["batch"] == 2
    # The model has no `table`: only its training can be measured.
    arguments = ["info", "--profile", "--batch", "1", "--model", model, "--discriminator", "table"]
    assert cli.main(arguments) == 0
    output = capsys.readouterr().out
    assert "generator, inference of one image" in output
    assert "table, inference" not in output
    assert "table, convolutions in training, per image of 1" in output


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


def test_info_on_a_terminal_draws_tables(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "140")
    assert cli.main(["info", "--model", model]) == 0
    output = capsys.readouterr().out
    assert "multiply-adds" in output
    assert "162x162x3" in output
    assert Model.load(model).hash in output


def test_info_whose_reader_leaves_early(model: str) -> None:
    # A pipe whose reading end is closed before the first line.
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "ffgan", "info", "--model", model]
    done = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, timeout=SECONDS, check=False, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


# ---------------------------------------------------------------------------- train


def test_every_setting_of_training_is_an_option() -> None:
    offered = [option.field for options in train_command.OPTIONS.values() for option in options]
    assert sorted(offered) == sorted(field.name for field in dataclasses.fields(Settings))


def test_train_options_arrive_as_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    received: dict[str, object] = {}

    def train(directory: Path, **settings: object) -> Path:
        received.update(settings, directory=directory)
        return Path("model.safetensors")

    monkeypatch.setattr("ffgan.training.train", train)
    words = "--train photos --batch 8 --learning-rate-g 1e-4 --augment colour,cutout --flip"
    assert cli.main([*words.split(), "--no-window", "--init", "model:a.safetensors"]) == 0
    assert received == {
        "directory": Path("photos"),
        "batch": 8,
        "learning_rate_g": 1e-4,
        "augment": "colour,cutout",
        "flip": True,
        "window": False,
        "init": "model:a.safetensors",
    }


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--batch", "0"], "--batch"),
        (["--batch", "many"], "--batch"),
        (["--learning-rate-g", "0"], "--learning-rate-g"),
        (["--beta1", "1"], "--beta1"),
        (["--dropout", "nan"], "--dropout"),
        (["--augment", "colour,rotation"], "--augment"),
        (["--init", "somewhere"], "--init"),
        (["--discriminator", "third"], "--discriminator"),
        (["--steps", "0"], "--steps"),
        (["--minutes", "-3"], "--minutes"),
        (["--workers", "0"], "--workers"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_train_names_the_wrong_option(
    options: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", str(tmp_path), *options]) == 2
    assert named in only_error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_train_on_no_folder_and_on_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        assert cli.main(["train", name, "--init", "scratch"]) == 2
        assert name in only_error(capsys)


@pytest.mark.slow
def test_what_was_trained_can_be_drawn_from(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (162, 162, 3), dtype=np.uint8)
        images.save(photos / f"{number}.png", pixels)
    train = (
        "train",
        "photos",
        "--init",
        "scratch",
        "--recipe",
        "original",
        "--steps",
        "2",
        "--batch",
        "2",
    )
    done = ffgan_command(*train, "--sample-every", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trained = str(Path("runs") / "photos" / "model.safetensors")
    assert trained in done.stdout
    drawn = ffgan_command("gen", "1", "--no-window", "--model", trained, cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert len(list((tmp_path / "faces").iterdir())) == 1


def test_dry_run_tells_settings_and_time_and_writes_nothing(tmp_path: Path) -> None:
    images.save(tmp_path / "a.png", np.zeros((162, 162, 3), np.uint8))
    arguments = ("--dry-run", "--steps", "1000", "--batch", "2", "--init", "scratch")
    arguments += ("--recipe", "original")
    done = ffgan_command("train", ".", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "batch: 2" in done.stdout
    assert "estimated time" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


# ---------------------------------------------------------------------------- import and export


def test_import_names_a_file_that_is_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "model.dnn"
    source.write_bytes(b"not a model")
    target = tmp_path / "model.safetensors"
    assert cli.main(["import", str(source), str(target)]) == 2
    assert "model.dnn" in only_error(capsys)
    assert not target.exists()


def test_import_and_export_check_the_file_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["import", "a.dnn", "b.bin"]) == 2
    assert ".safetensors" in only_error(capsys)
    assert cli.main(["export", "b.bin"]) == 2
    assert ".onnx" in only_error(capsys)


@pytest.mark.parametrize("name", ["faces.dnn", "faces.onnx"])
def test_export_writes_the_file(name: str, tmp_path: Path, model: str) -> None:
    done = ffgan_command("export", name, "--model", model, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert name in done.stdout
    assert (tmp_path / name).stat().st_size > 1_000_000


def test_what_is_exported_can_be_imported(tmp_path: Path, model: str) -> None:
    assert ffgan_command("export", "a.dnn", "--model", model, cwd=tmp_path).returncode == 0
    done = ffgan_command("import", "a.dnn", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    np.testing.assert_array_equal(
        Model.load(tmp_path / "a.safetensors").generate(2, 5), Model.load(model).generate(2, 5)
    )


# ---------------------------------------------------------------------------- the whole


def test_web_refuses_a_wrong_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--web", "--port", "70000"]) == 2
    assert "--port" in only_error(capsys)


def test_web_hands_its_options_to_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("ffgan.server.serve", lambda model, **how: seen.update(how))
    tokens = tmp_path / "tokens"
    tokens.write_text("one\ntwo\n")
    command = ["web", "--workers", "3", "--grace", "2", "--tries", "4", "--queue", "7"]
    command += ["--max-upload", "5", "--batch-wait", "1.5", "--token-file", str(tokens)]
    command += ["--cors", "https://a.org", "--cors", "https://b.org", "--root-path", "/x"]
    assert cli.main([*command, "--access-log", "json"]) == 0
    assert (seen["workers"], seen["grace"]) == (3, 2.0)
    settings = seen["settings"]
    assert (settings.tries, settings.queue, settings.max_upload) == (4, 7, 5)
    assert (settings.batch_wait, settings.root_path) == (1.5, "/x")
    assert settings.tokens == ("one", "two")
    assert settings.cors == ("https://a.org", "https://b.org")
    assert settings.access_log is True
    assert settings.batch == 8  # what is not given stays


@pytest.mark.parametrize(
    "wrong",
    [["--queue", "-1"], ["--max-frames", "x"], ["--root-path", "x"], ["--token-file", "/none"]],
)
def test_wrong_options_of_web_are_one_line(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["web", *wrong]) == 2
    error = only_error(capsys)
    assert wrong[0].strip("-").replace("-", "_").partition("_")[0] in error or "/none" in error


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_web_serves_until_a_signal(
    number: signal.Signals, status: int, tmp_path: Path, model: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ffgan", "--web", "--port", "0", "--model", model],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = re.search(r"http://\S+", process.stdout.readline())
    assert address, process.communicate()
    with urllib.request.urlopen(f"{address[0]}/face.png?seed=7", timeout=SECONDS) as answer:
        pixels = images.decode(answer.read())
    np.testing.assert_array_equal(pixels, Model.load(model).face(7).image)
    process.send_signal(number)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == status
    assert "Traceback" not in errors


# As `BROWSER`: keeps the address that it is given.
BROWSER = """
import pathlib, sys
pathlib.Path("address").write_text(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--seed", "7"], ["--no-browser"]])
def test_explore_opens_the_page_in_the_browser_until_ctrl_c(
    options: list[str], tmp_path: Path, model: str
) -> None:
    (tmp_path / "browser.py").write_text(BROWSER)
    browser = f"{sys.executable} {tmp_path / 'browser.py'} %s"
    process = subprocess.Popen(
        [sys.executable, "-m", "ffgan", "explore", "--model", model, *options],
        cwd=tmp_path,
        env=environment() | {"BROWSER": browser},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    said = re.fullmatch(r"ffgan: the page is at (http://\S+) \(Ctrl\+C stops\)\n", line)
    assert said, process.communicate()
    with urllib.request.urlopen(said[1], timeout=SECONDS) as page:
        assert "<title>ffgan" in page.read().decode()
    opened = tmp_path / "address"
    if "--no-browser" not in options:
        end = time.monotonic() + SECONDS
        while not (opened.exists() and opened.read_text()):
            assert time.monotonic() < end, "no browser was opened"
            time.sleep(0.05)
        assert opened.read_text() == said[1]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert errors == "ffgan: stopped with Ctrl+C\n"
    assert opened.exists() == ("--no-browser" not in options)
    assert said[1].endswith("/?seed=7" if "--seed" in options else "/")


def test_explore_says_so_where_no_browser_can_be_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing() -> webbrowser.BaseBrowser:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.delenv("BROWSER", raising=False)
    for get in (nothing, lambda: webbrowser.GenericBrowser("lynx")):
        monkeypatch.setattr(webbrowser, "get", get)
        explore.open_browser("http://127.0.0.1:1/")
        (line,) = capsys.readouterr().err.splitlines()
        assert "open the address yourself" in line


def test_a_taken_port_is_one_line(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert cli.main(["web", "--port", port, "--model", model]) == 1
    assert port in only_error(capsys)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--gen", "10"], ["gen", "10"]),
        (["--gen=10", "--seed", "4"], ["gen", "10", "--seed", "4"]),
        (["--seed", "4", "--gen", "10"], ["gen", "10", "--seed", "4"]),
        (["--debug", "--web"], ["web", "--debug"]),
        (["--train", "photos", "--steps", "5"], ["train", "photos", "--steps", "5"]),
        (["gen", "3", "--out", "--web"], ["gen", "3", "--out", "--web"]),
        ([], []),
    ],
)
def test_the_forms_of_the_original(given: list[str], meant: list[str]) -> None:
    assert modern(given, program.COMMANDS) == meant


def test_version(tmp_path: Path) -> None:
    done = ffgan_command("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"ffgan {ffgan.__version__}\n")


@pytest.mark.parametrize("command", [None, *program.COMMANDS])
def test_help_gives_examples_and_defaults(
    command: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--help"] if command is None else [command, "--help"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^examples?:\n  ffgan ", text, re.MULTILINE)
    if command is not None:
        # An option's text runs up to the next option.
        options = re.split(r"\n  (?=--)", text.split("\nexample")[0])[1:]
        for option in (" ".join(option.split()) for option in options):
            told = "(default: " in option or "required" in option or "--debug" in option
            assert told, option


def test_without_a_command_the_help_comes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "commands:" in capsys.readouterr().out
    assert cli.main(["dream"]) == 2
    assert "dream" in only_error(capsys)


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["gen", "x", "--debug"]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("Traceback")
    assert errors.splitlines()[-1].startswith("ffgan: error: ")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (KeyboardInterrupt(), 130, "Ctrl+C"),
        (PermissionError(13, "Permission denied", "a/b"), 1, "a/b: Permission denied"),
        (MemoryError(), 1, "memory"),
        (ZeroDivisionError("first\nsecond"), 1, "ZeroDivisionError: first second"),
    ],
)
def test_whatever_fails_is_one_line(
    error: BaseException,
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(path: object) -> Model:
        raise error

    monkeypatch.setattr(Model, "load", fail)
    assert cli.main(["gen", "1", "--no-window"]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line
