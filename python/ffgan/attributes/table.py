# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of measured faces as files: CSV, JSON, JSON lines, NumPy's .npy and Parquet."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from ffgan import storage
from ffgan.attributes.definitions import ATTRIBUTES
from ffgan.attributes.measurement import Table
from ffgan.errors import Error, ExtraError, UsageError

DIGITS: Final = 5
"""Significant digits of numbers in text; errors of measurement are far larger."""


def with_images(names: list[str], table: Table) -> Table:
    """Return a table with a first column ``image``, text: the file of each row."""
    width = max(map(len, names), default=1)
    kind: Any = table.dtype
    whole = np.zeros(
        len(table), [("image", np.str_, width), *((name, kind[name]) for name in kind.names)]
    )
    whole["image"] = names
    for name in kind.names:
        whole[name] = table[name]
    return whole


def save(path: Path, table: Table) -> None:
    """Write a table to a file of the kind that its name ends in, whole or not at all.

    What could not be measured is an empty cell, null, or NaN in .npy. Raises `UsageError` for
    another ending, `ExtraError` for Parquet without pyarrow, `Error` when it cannot be written.
    """
    write = writer(path)
    try:
        with storage.atomic_file(path) as file:
            write(table, file)
    except OSError as error:
        raise _cannot_write(path, error) from error


def check(path: Path) -> None:
    """Raise what `save` would, as far as it can be told beforehand."""
    writer(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> Error:
    way_out = storage.way_out(error, "give another file")
    return Error(f"cannot write {path}: {storage.reason(error)}; {way_out}")


def writer(path: Path) -> Callable[[Table, IO[bytes]], None]:
    """Return what writes a table to such a file. Raises `UsageError`, `ExtraError`."""
    kind = path.suffix.lower()
    if kind not in WRITERS:
        raise UsageError(f"{path}: give a file that ends in {', '.join(WRITERS)}")
    if kind == ".parquet":
        _pyarrow()
    return WRITERS[kind]


def _rows(table: Table) -> Iterator[dict[str, Any]]:
    """The rows as Python's types, None where nothing could be measured."""
    names = table.dtype.names or ()
    for row in table:
        yield {name: _value(row[name]) for name in names}


def _value(value: Any) -> Any:
    plain = value.item()
    if isinstance(plain, float):
        return float(f"{plain:.{DIGITS}g}") if math.isfinite(plain) else None
    return plain if plain != "" else None


def _write_csv(table: Table, file: IO[bytes]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="")
    rows = csv.DictWriter(text, table.dtype.names or (), lineterminator="\n")
    rows.writeheader()
    rows.writerows(_rows(table))
    text.detach()


def _write_lines(table: Table, file: IO[bytes]) -> None:
    for row in _rows(table):
        file.write(json.dumps(row).encode() + b"\n")


def _write_json(table: Table, file: IO[bytes]) -> None:
    lines = ",\n".join(json.dumps(row) for row in _rows(table))
    file.write(f"[\n{lines}\n]\n".encode())


def _write_npy(table: Table, file: IO[bytes]) -> None:
    np.save(file, table, allow_pickle=False)


def _write_parquet(table: Table, file: IO[bytes]) -> None:
    pyarrow, parquet = _pyarrow()
    columns = {}
    for name in table.dtype.names or ():
        values = table[name]
        text = values.dtype.kind == "U"
        missing = values == "" if text else np.zeros(len(values), bool)
        if values.dtype.kind == "f":
            missing = np.isnan(values)
        # pyarrow takes no strided columns.
        plain = values.astype(object) if text else np.ascontiguousarray(values)
        columns[name] = pyarrow.array(plain, pyarrow.string() if text else None, mask=missing)
    units = {name: one.unit for name, one in ATTRIBUTES.items() if one.unit and name in columns}
    made = pyarrow.table(columns).replace_schema_metadata({"ffgan units": json.dumps(units)})
    parquet.write_table(made, file)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ExtraError(
            "a .parquet file needs pyarrow: pip install 'ffgan[parquet]', or give a .csv file"
        ) from error
    return pyarrow, parquet


WRITERS: Final[dict[str, Callable[[Table, IO[bytes]], None]]] = {
    ".csv": _write_csv,
    ".jsonl": _write_lines,
    ".json": _write_json,
    ".npy": _write_npy,
    ".parquet": _write_parquet,
}
"""What writes a table to a file, by how its name ends."""
