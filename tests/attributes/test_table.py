# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of faces in files: every kind holds the same, and what is not known is empty."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ffgan.attributes.measurement import columns
from ffgan.attributes.table import WRITERS, check, save, with_images
from ffgan.errors import Error, ExtraError, UsageError


@pytest.fixture
def table() -> np.ndarray:
    """Two faces, one of which has no tone."""
    rows = np.zeros(2, columns(["age", "gender", "tone"]))
    rows["age"] = [30.123456, 61]
    rows["male"], rows["gender"] = [0.25, 0.75], ["female", "male"]
    rows["skin_tone"], rows["tone"] = [48, np.nan], ["light", ""]
    return with_images(["a, b.png", "ä.png"], rows)


EXPECTED = [
    {
        "image": "a, b.png",
        "age": 30.123,
        "gender": "female",
        "male": 0.25,
        "tone": "light",
        "skin_tone": 48.0,
    },
    {
        "image": "ä.png",
        "age": 61.0,
        "gender": "male",
        "male": 0.75,
        "tone": None,
        "skin_tone": None,
    },
]


def test_text_holds_the_rows(table: np.ndarray, tmp_path: Path) -> None:
    for kind in ("csv", "json", "jsonl"):
        save(tmp_path / f"t.{kind}", table)
    content = (tmp_path / "t.csv").read_text("utf-8")
    rows = list(csv.DictReader(content.splitlines()))
    assert [list(row) for row in rows] == [list(EXPECTED[0])] * 2
    assert rows[0]["image"] == "a, b.png" and float(rows[0]["age"]) == 30.123
    assert rows[1]["tone"] == rows[1]["skin_tone"] == ""
    assert json.loads((tmp_path / "t.json").read_text("utf-8")) == EXPECTED
    lines = (tmp_path / "t.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == EXPECTED


def test_npy_holds_the_array(table: np.ndarray, tmp_path: Path) -> None:
    save(tmp_path / "t.NPY", table)
    read = np.load(tmp_path / "t.NPY")
    assert read.dtype == table.dtype
    assert (read["image"] == table["image"]).all() and np.isnan(read["skin_tone"][1])


def test_parquet_holds_types_and_missing_values(table: np.ndarray, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    save(tmp_path / "t.parquet", table)
    read = parquet.read_table(tmp_path / "t.parquet")
    assert read.column("tone").to_pylist() == ["light", None]
    assert read.column("skin_tone").to_pylist() == [48.0, None]
    assert str(read.schema.field("age").type) == "float"
    assert json.loads(read.schema.metadata[b"ffgan units"])["age"] == "years"


def test_an_empty_table_has_its_columns(table: np.ndarray, tmp_path: Path) -> None:
    for kind in WRITERS:
        if kind != ".parquet":
            save(tmp_path / f"t{kind}", table[:0])
    assert (tmp_path / "t.csv").read_text() == ",".join(EXPECTED[0]) + "\n"
    assert json.loads((tmp_path / "t.json").read_text()) == []


def test_what_cannot_be_written_is_told_with_the_way_out(
    table: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"ends in \.csv, \.jsonl"):
        save(tmp_path / "t.xlsx", table)
    with pytest.raises(Error, match="cannot write"):
        save(tmp_path / "nowhere" / "t.csv", table)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExtraError, match=r"pip install 'ffgan\[parquet\]'"):
        save(tmp_path / "t.parquet", table)
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_file_can_be_is_told_beforehand(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    for path, told in {"t.csv": "Is a directory", "nowhere/t.csv": "No such file"}.items():
        with pytest.raises(Error, match=f"cannot write .*{path}: {told}.* give another file"):
            check(tmp_path / path)
    check(tmp_path / "u.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
