# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a whole: help, errors, the original's flags."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.commands import ffgan_command, only_error

import ffgan
from ffgan import cli, images
from ffgan.cli import program
from ffgan.cli.original_flags import modern
from ffgan.model import Model


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


# What one face waits for: the fifth of a second that it takes is mostly these imports.
FREE_GEN = """
ffgan _build _core _core._testing _cpu _openblas errors latent progress shapes storage typing
wording
cli cli.asked cli.background_writer cli.commands cli.face_files cli.gen cli.gen_people
cli.gen_strips cli.options cli.original_flags cli.output cli.parser cli.people_files cli.program
cli.progress cli.streams cli.termination
images images.chunks images.encoding images.kinds images.labels images.lazy_opencv
images.metadata_writing images.room images.transforms
model model.candidate_search model.checks model.directions model.file model.model
""".split()  # noqa: SIM905


def test_a_free_face_waits_for_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    script = (
        "import sys; from ffgan import cli; "
        f"cli.main(['gen', '1', '--no-window', '--out', {str(tmp_path)!r}]); "
        "print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == ""
    loaded = done.stdout.splitlines()
    own = {name.removeprefix("ffgan.") for name in loaded if name.split(".")[0] == "ffgan"}
    assert own <= set(FREE_GEN)
    packages = {name.split(".")[0] for name in loaded}
    heavy = {"PIL", "fastapi", "onnx", "onnxruntime", "pydantic", "rich", "safetensors", "uvicorn"}
    assert {"cv2", "numpy"} <= packages
    assert not packages & (heavy | {"asyncio", "difflib", "http", "multiprocessing", "zoneinfo"})


def test_version(tmp_path: Path) -> None:
    done = ffgan_command("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"ffgan {ffgan.__version__}\n")


@pytest.mark.parametrize("command", [None, *program.COMMANDS])
def test_help_gives_examples_and_defaults_in_80_columns(
    command: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--help"] if command is None else [command, "--help"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^examples?:\n  ffgan ", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80
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
    def fail(path: object, *, precision: str) -> Model:
        raise error

    monkeypatch.setattr(Model, "load", fail)
    assert cli.main(["gen", "1", "--no-window"]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line


@pytest.mark.parametrize("command", ["train .", "train {}", "pack {} x.pack"])
def test_a_current_folder_that_was_removed_is_named(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "photos").mkdir()
    images.save(tmp_path / "photos" / "a.png", np.zeros((9, 9, 3), np.uint8))
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()
    assert cli.main(command.format(tmp_path / "photos").split()) == 1
    assert "current folder has been removed: change to another one" in only_error(capsys)
