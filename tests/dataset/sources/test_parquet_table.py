# SPDX-License-Identifier: GPL-3.0-or-later
"""Parquet files as data sets: of Hugging Face's datasets, of pyarrow alone, and bad ones."""

from __future__ import annotations

import builtins
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.archives import files_below
from support.training_images import jpeg, numbers

from ffgan.dataset import Dataset, ImageFiles
from ffgan.dataset.sources import parquet_table
from ffgan.errors import DatasetError, ExtraError, UnavailableError

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(path: Path, rows: list[dict[str, Any]], group: int = 5, **columns: Any) -> Path:
    content = pa.table({"image": pa.array(rows, STRUCT), **columns})
    parquet.write_table(content, path, row_group_size=group)
    return path


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [{"bytes": content, "path": name} for name, content in files_below(folder)]


def test_a_table_is_the_folder_of_its_images(folder: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "faces.parquet", rows_of(folder), age=list(range(12)))
    assert Dataset(path).hash == Dataset(folder).hash
    assert numbers(path, 5, 6) == numbers(folder, 5, 6)


@pytest.mark.slow  # datasets takes seconds to import
def test_what_datasets_exports_is_read(folder: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"label": datasets.Value("int32"), "photo": datasets.Image()})
    rows = [{"label": 1, "photo": row} for row in rows_of(folder)]
    content = datasets.Dataset.from_list(rows, features=features)
    export = tmp_path / "export"
    (export / "data").mkdir(parents=True)
    for shard in range(3):
        name = f"train-{shard:05}-of-00003.parquet"
        content.shard(3, shard).to_parquet(str(export / "data" / name))
    (export / "README.md").write_text("a card")
    data = ImageFiles(export)
    assert data.hash == ImageFiles(folder).hash
    assert data.read(7) == (folder / "07.jpg").read_bytes()
    assert ImageFiles(export / "data" / "train-*.parquet").hash == data.hash


def test_images_without_names_of_their_own_are_called_by_their_rows(
    folder: Path, tmp_path: Path
) -> None:
    contents = [content for _, content in files_below(folder)]
    plain = pa.table({"thumbnail": [b"none"] * 12, "picture": contents})
    parquet.write_table(plain, tmp_path / "plain.parquet")
    files = ImageFiles(tmp_path / "plain.parquet")
    assert [files.names[0], files.names[11]] == [b"000000000", b"000000011"]
    assert files.read(11) == contents[11]
    named = plain.append_column("file_name", pa.array([f"{k}.jpg" for k in range(12)]))
    parquet.write_table(named, tmp_path / "named.parquet")
    assert ImageFiles(tmp_path / "named.parquet").names[1] == b"1.jpg"
    same = [{"bytes": content, "path": "same.jpg"} for content in contents]
    files = ImageFiles(table(tmp_path / "same.parquet", same))
    assert len(files) == 12
    assert files.names[3] == b"000000003"


def test_rows_without_a_picture_are_counted_and_no_path_is_opened(
    folder: Path, tmp_path: Path
) -> None:
    rows = [{"bytes": None, "path": str(folder / "00.jpg")}, {"bytes": b"", "path": "b"}, None]
    with pytest.raises(DatasetError, match=r"no image in .*3 path or row without a picture"):
        ImageFiles(table(tmp_path / "a.parquet", rows))
    rows = [{"bytes": jpeg(1), "path": "../../a.jpg"}, {"bytes": b"text", "path": "b"}]
    files = ImageFiles(table(tmp_path / "a.parquet", rows))
    assert list(files.names) == [b"a.jpg"]
    assert files.left_out == "1 other file ignored: 1 text"


def test_bad_tables_are_refused_in_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"age": [1], "name": ["x"]}), path)
    with pytest.raises(DatasetError, match="has no column of images, only age, name"):
        Dataset(path)
    whole = table(path, rows_of(folder)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="is no whole Parquet file: ") as got:
        Dataset(path)
    assert "\n" not in str(got.value)
    path.write_bytes(whole)
    find = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return find(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExtraError, match=r"pip install 'ffgan\[parquet\]' reads those"):
        Dataset(path)


def test_a_table_that_changes_is_waited_for_and_a_damaged_one_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_table, "KEPT", 1)
    content = pa.table({"image": pa.array([*rows_of(folder), noise(0), noise(1)], STRUCT)})
    path = tmp_path / "a.parquet"
    parquet.write_table(content, path, row_group_size=13, use_dictionary=False)
    files = ImageFiles(path)
    damaged = bytearray(path.read_bytes())
    damaged[4:40] = bytes(36)
    path.write_bytes(damaged)
    with pytest.raises(UnavailableError, match="has changed since it was opened"):
        files.read(5)
    with pytest.raises(DatasetError, match="is no whole Parquet file"):
        ImageFiles(path)


def noise(number: int) -> dict[str, Any]:
    """A row larger than what is read ahead."""
    content = np.random.default_rng(number).bytes(500_000)
    return {"bytes": jpeg() + content, "path": f"noise{number}.jpg"}


def test_memory_is_bounded_whatever_rows_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One value of a dictionary for all rows: 100 KB that say to be 20 MB."""
    value = jpeg(1) + bytes(100_000)
    rows = [{"bytes": value, "path": None}] * 200
    path = table(tmp_path / "a.parquet", rows, group=200)
    assert path.stat().st_size < 1_000_000
    largest = 0
    batches = parquet_table.ParquetTable._batches

    def measured(self: Any, group: int, column: str) -> Any:
        nonlocal largest
        for values in batches(self, group, column):
            largest = max(largest, values.nbytes)
            yield values

    monkeypatch.setattr(parquet_table.ParquetTable, "_batches", measured)
    monkeypatch.setattr(parquet_table, "LARGEST_GROUP", 1 << 20)
    files = ImageFiles(path)
    assert len(files) == 200
    assert largest < 70 * len(value)
    with pytest.raises(DatasetError, match=r"in a row group of 0\.0 GB"):
        files.read(0)


def test_few_row_groups_are_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_table, "KEPT", 1)
    files = ImageFiles(table(tmp_path / "a.parquet", rows_of(folder), group=2))
    expected = [content for _, content in files_below(folder)]
    wrong: list[int] = []

    def read(seed: int) -> None:
        order = np.random.default_rng(seed).integers(0, 12, 60)
        wrong.extend(int(k) for k in order if files.read(int(k)) != expected[int(k)])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(parquet_table.ParquetTable._kept) == 1


def test_all_tables_together_keep_few_row_groups(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(folder)
    for shard in range(4):
        table(tmp_path / f"{shard}.parquet", rows[shard::4])
    expected = [content for _, content in files_below(folder)]
    monkeypatch.setattr(parquet_table, "KEPT", sum(map(len, expected)) // 2)
    files = ImageFiles(tmp_path / "*.parquet")
    for _ in range(2):
        assert [files.read(k) for k in range(12)] == expected
    assert 1 <= len(parquet_table.ParquetTable._kept) <= 2
