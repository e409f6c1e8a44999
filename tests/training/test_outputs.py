# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fills up, or is away, under a run: steps are never lost for what it writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.disk import small_disk
from support.training import MEASURED, SHORT, SmallTrainer, checkpoints, stop_at

from ffgan.errors import CheckpointError
from ffgan.training import train
from ffgan.training.run_folder import RunFolder


def at(**doing: Callable[[], object]) -> Callable[[Any, Any], None]:
    """What happens during which step."""

    def during(trainer: SmallTrainer, result: dict[str, float]) -> None:
        doing.get(f"step_{trainer.steps}", lambda: None)()

    return during


ALONE = {**SHORT, "keep_checkpoints": 1}  # no older checkpoint that could make room


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb") as file, pytest.raises(OSError, match="No space"):
        while True:
            os.write(file.fileno(), bytes(512))


def clear(disk: Path) -> None:
    (disk / "ballast").unlink()


def last_bytes(runs: str | Path, name: str = "step-00000008.safetensors") -> bytes:
    return Path(runs, "faces", "checkpoints", name).read_bytes()


def test_a_disk_that_is_full_for_a_while_costs_nothing(small, faces, tmp_path, caplog) -> None:
    train(faces, **ALONE, runs="whole")
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        # Full for three lines of the log, a sample grid and a checkpoint.
        small.during_step = at(step_1=lambda: fill(disk), step_7=lambda: clear(disk))
        train(faces, **ALONE, runs=disk)
        assert last_bytes(disk) == last_bytes("whole")
        lines = (disk / "faces" / "train.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [2, 4, 6, 8]
        assert (disk / "faces" / "report.html").exists()
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    for what in ("step-00000004.png", "step-00000004.safetensors", "train.jsonl"):
        (line,) = [line for line in said if what in line]  # once, also if it fails twice
        assert "No space left on device; make room or choose another --runs folder" in line
        assert "training goes on without it" in line
    assert "train.jsonl can be written again" in caplog.text


def test_what_is_in_the_way_is_said_once_for_each_kind_of_file(
    small, faces, tmp_path, caplog
) -> None:
    """Each sample grid has a name of its own, and so has each temporary file."""
    samples = tmp_path / "runs" / "faces" / "samples"

    def block() -> None:
        samples.rmdir()
        samples.write_text("")

    small.during_step = at(step_1=block)
    train(faces, **ALONE, runs=tmp_path / "runs")
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    (line,) = [line for line in said if "samples" in line]
    assert "move away what has its name or that of its folder" in line


def test_at_its_end_a_full_disk_is_waited_for(small, faces, tmp_path, monkeypatch, caplog) -> None:
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        waited: list[float] = []

        def pause(self: object, seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 2:
                clear(disk)

        monkeypatch.setattr("ffgan.training.outputs.Outputs._pause", pause)
        small.during_step = at(step_7=lambda: fill(disk))
        train(faces, **ALONE, runs=disk)
        assert "step-00000008.safetensors" in os.listdir(disk / "faces" / "checkpoints")
        assert (disk / "faces" / "model.safetensors").exists()
    assert len(waited) == 2
    assert "trying again for 300 s" in caplog.text


def test_a_full_disk_that_stays_full_ends_it_with_what_is_saved_and_how_to_resume(
    small, faces, tmp_path, monkeypatch
) -> None:
    train(faces, **ALONE, runs="whole")
    monkeypatch.setenv("FFGAN_PATIENCE", "0.2")
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        small.during_step = at(step_7=lambda: fill(disk))
        with pytest.raises(CheckpointError) as error:
            train(faces, **ALONE, runs=disk)
        assert error.value.exit_code == 1
        text = str(error.value)
        assert "step-00000008.safetensors: No space left on device; make room" in text
        assert "8 steps are done, of which 4 are saved: resume with python -m ffgan train" in text
        assert text.endswith(f"--name faces --runs {disk}")
        clear(disk)
        small.during_step = None
        train(faces, runs=disk)
        assert last_bytes(disk) == last_bytes("whole")


def test_a_signal_ends_the_wait_for_room(small, faces, tmp_path) -> None:
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        small.during_step = at(
            step_3=lambda: (fill(disk), stop_at(3)(SmallTrainer.calls[-1]["self"], {}))
        )
        with pytest.raises(CheckpointError, match="3 steps are done, of which 0 are saved"):
            train(faces, **ALONE, runs=disk)


def test_a_runs_folder_that_goes_away_is_waited_for_and_ends_it_with_status_1(
    small, faces, tmp_path, monkeypatch
) -> None:
    train(faces, **SHORT, runs="whole")
    monkeypatch.setenv("FFGAN_PATIENCE", "0.2")
    runs, away = tmp_path / "drive", tmp_path / "away"
    small.during_step = at(step_5=lambda: runs.rename(away))
    with pytest.raises(
        CheckpointError, match=r"No such file .*; see that its folder is there or choose another"
    ):
        train(faces, **SHORT, runs=runs)
    assert not runs.exists()  # nothing is made where a drive is mounted
    away.rename(runs)
    small.during_step = None
    train(faces, runs=runs)
    assert last_bytes(runs) == last_bytes("whole")


def test_an_evaluation_that_cannot_be_kept_does_not_end_the_run(
    small, faces, strangers, off, tmp_path, caplog
) -> None:
    train(faces, **ALONE, runs="whole")
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        small.during_step = at(step_3=lambda: fill(disk), step_7=lambda: clear(disk))
        train(faces, **ALONE, **MEASURED, heldout=strangers, runs=disk)
        assert (disk / "faces" / "best.safetensors").exists()
    assert "step 4: Frechet distance" in caplog.text
    assert "the best, which could not be written" in caplog.text


def test_too_small_a_disk_is_said_before_the_first_step(
    small, faces, tmp_path, monkeypatch, caplog
) -> None:
    # Checkpoints that grow after the first step, as those of the real trainer do by its moments.
    big = np.zeros(400_000 // 4, np.float32)
    original = SmallTrainer.state

    def state(self: SmallTrainer) -> dict[str, Any]:
        return {**original(self), "big": big, **({"solver_g": big} if self.steps else {})}

    monkeypatch.setattr(SmallTrainer, "state", state)
    with small_disk(tmp_path / "disk", "size=2m") as disk:
        with pytest.raises(CheckpointError, match=r"2 MB are free .* 1 MB each: make room for 2"):
            train(faces, **ALONE, runs=disk)
        assert small.calls == []
        assert list(disk.iterdir()) == []
    with small_disk(tmp_path / "larger", "size=3m") as disk:
        train(faces, **SHORT, runs=disk)
        assert RunFolder(disk / "faces").newest()[1] == []
    assert "fewer than --keep-checkpoints 3 may be kept" in caplog.text


def test_what_a_kill_left_out_at_the_end_is_written_when_the_run_is_started_again(
    small, faces
) -> None:
    train(faces, **SHORT)
    folder = RunFolder("runs/faces")
    model = folder.model.read_bytes()
    folder.model.unlink()
    folder.report.unlink()
    before = checkpoints("faces")
    train(faces)
    assert folder.model.read_bytes() == model
    assert folder.report.exists()
    assert checkpoints("faces") == before


@pytest.mark.parametrize("name", ["report.html", "model.safetensors"])
def test_an_old_file_survives_a_failed_write_of_the_new_one(small, faces, tmp_path, name) -> None:
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        train(faces, **{**ALONE, "steps": 4}, runs=disk)
        old = (disk / "faces" / name).read_bytes()
        small.during_step = at(
            step_5=lambda: (fill(disk), stop_at(5)(SmallTrainer.calls[-1]["self"], {}))
        )
        with pytest.raises(CheckpointError):
            train(faces, steps=8, runs=disk)
        assert (disk / "faces" / name).read_bytes() == old
