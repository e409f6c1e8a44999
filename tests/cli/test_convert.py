# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan import` and `ffgan export`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.commands import ffgan_command, only_error

from ffgan import cli
from ffgan.model import Model


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


@pytest.mark.slow
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
