# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan info`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import SECONDS, ffgan_command

import ffgan
from ffgan import _core, cli
from ffgan.control import Constraints
from ffgan.model import Model


@pytest.mark.slow
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
    told, here = facts["engine"], _core.engine()
    assert {name: told[name] for name in here if "threads" not in name} == {
        name: value for name, value in here.items() if "threads" not in name
    }
    assert facts["versions"]["ffgan"] == ffgan.__version__


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "options", "expected"),
    [
        ({"FFGAN_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, [], (3, "FFGAN_NUM_THREADS")),
        ({"OMP_NUM_THREADS": "5,2"}, [], (5, "OMP_NUM_THREADS")),
        ({"OMP_NUM_THREADS": "5"}, ["--threads", "4"], (4, "the program")),
        ({"OMP_NUM_THREADS": ""}, [], (None, "the CPUs of the process")),
    ],
)
def test_info_tells_how_many_threads_there_are_and_what_decided_it(
    variables: dict[str, str],
    options: list[str],
    expected: tuple[int | None, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    model: str,
) -> None:
    for name in ("FFGAN_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = ffgan_command("info", "--json", "--model", model, *options, cwd=tmp_path)
    engine = json.loads(done.stdout)["engine"]
    count, source = expected
    assert engine["threads_from"] == source
    if count is not None:
        assert engine["threads"] == count
    else:
        assert 1 <= engine["threads"] <= len(os.sched_getaffinity(0))


def test_info_lists_what_faces_can_be_asked_for_by_the_names_that_ask_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["info"]) == 0
    rows = dict(
        line.split(None, 2)[1:]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  attribute ")
    )
    assert rows["age"].endswith(" years")
    assert rows["gender"] == "female, male"
    assert "male" not in rows
    for name, can in rows.items():
        asked = can.split(" to ")[0].split(", ")[0]
        assert Constraints.of({name: asked})


def test_info_of_the_other_discriminator(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["info", "--json", "--discriminator", "table", "--model", model]
    assert cli.main(arguments) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["discriminator"]["network"] == "table"
    assert facts["discriminator"]["multiply_adds"] == pytest.approx(8.24e9, rel=0.01)
    assert facts["model"]["discriminator"] == "program"


@pytest.mark.slow
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
