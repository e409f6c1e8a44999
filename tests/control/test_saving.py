# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitted attributes in a model file: they come, and everything else stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ffgan import cli, control
from ffgan.errors import ModelError
from ffgan.model import Model


def test_a_map_goes_into_a_file_and_nothing_else_changes(
    tmp_path: Path,
    packaged: Model,
    small_map: control.AttributeMap,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert packaged.path is not None
    original = packaged.path.read_bytes()
    target = tmp_path / "model.safetensors"
    control.save(small_map, packaged.path, target)
    written = Model.load(target)
    assert written.hash == packaged.hash
    size = sum(array.size for array in written.parameters.values()) * 2
    assert target.read_bytes()[-size:] == original[-size:]
    without = {k: v for k, v in packaged.metadata.items() if k != "attributes"}
    assert {k: v for k, v in written.metadata.items() if k != "attributes"} == without
    assert control.attribute_map(written).limits == small_map.limits

    assert cli.main(["info", "--json", "--model", str(target)]) == 0
    told = json.loads(capsys.readouterr().out)["model"]
    assert set(told["attributes"]) == {"brightness", "background"}
    assert told["attributes"]["brightness"]["high"] == small_map.limits["brightness"][1]
    assert "attributes" not in told["metadata"]

    # Once more, over itself.
    control.save(small_map, target, target)
    assert Model.load(target).metadata == written.metadata


def test_only_a_model_gets_a_map(tmp_path: Path, small_map: control.AttributeMap) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"no model")
    with pytest.raises(ModelError, match="not a model file"):
        control.save(small_map, other, other)
    assert other.read_bytes() == b"no model"


def test_where_the_fitted_model_cannot_go_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    command = ["fit-attributes", "table", "--samples", "1000000"]
    assert cli.main([*command, "--out", str(tmp_path / "file" / "a.safetensors")]) == 2
    assert "file is not a folder: give another --out" in capsys.readouterr().err


@pytest.mark.slow
def test_fit_attributes_writes_a_file_that_gives_faces(
    tmp_path: Path, packaged: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "fitted.safetensors"
    command = ["fit-attributes", str(packaged.path), "--samples", "200", "--out", str(target)]
    assert cli.main(command) == 0
    first, *rows, last = capsys.readouterr().out.splitlines()
    assert first.split() == ["column", "from", "to", "R2", "linear", "R2"]
    assert "brightness" in {row.split()[0] for row in rows}
    assert last == f"model: {target}"
    model = Model.load(target)
    assert model.hash == packaged.hash
    assert control.face(model, 1, control.Constraints.of({"yaw": 10})).reached
