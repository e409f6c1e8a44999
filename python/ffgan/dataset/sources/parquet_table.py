# SPDX-License-Identifier: GPL-3.0-or-later
"""Parquet files with a column of images, as Hugging Face's datasets exports them, by pyarrow."""

from __future__ import annotations

import itertools
import json
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from ffgan import images
from ffgan.dataset.names import Names
from ffgan.dataset.sources.archive import Archive
from ffgan.dataset.sources.listing import Look
from ffgan.dataset.sources.source import Member, check_size, label
from ffgan.errors import DatasetError, ExtraError
from ffgan.locations import RandomAccess, as_file, shown

MAGIC: Final = b"PAR1"

ROWS_AT_ONCE: Final = 64
"""Rows that are decoded at a time: a small file can say that each row has the same large value."""

LARGEST_GROUP: Final = 1 << 31
"""Bytes of images in a row group that is read."""

KEPT: Final = 128_000_000
"""Bytes of images in the row groups that were read last, of all tables, which are kept.

One image needs all of its group. They take up to twice as much memory, as pyarrow's buffers grow.
"""

EMPTY: Final = "path or row without a picture"
"""How rows without an image's bytes are counted."""

_NAMES: Final = ("file_name", "filename", "path", "image_path", "__key__", "key", "name")
"""Columns that may hold the images' names, the first that is there."""


class ParquetTable(Archive):
    """The images in a column of a Parquet file.

    A column of ``struct<bytes, path>``, or of binary values. An image is called by its path, or by
    another column that holds names, unless one of them is missing or comes twice: then all are
    called by the numbers of their rows. Names are never used as paths.

    Raises DatasetError for a file that is damaged or has no images in it, ExtraError without
    pyarrow.
    """

    _kept: ClassVar[OrderedDict[tuple[int, int], tuple[int, Any]]] = OrderedDict()
    _kept_lock: ClassVar = threading.Lock()
    _numbers: ClassVar = itertools.count()

    kind = "Parquet file"
    what = "a table"

    def __init__(self, file: RandomAccess) -> None:
        super().__init__(file)
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise ExtraError(
                f"{shown(self.location)} is a Parquet file: pip install 'ffgan[parquet]' reads "
                "those"
            ) from error
        self._failures = (pyarrow.ArrowException, OSError, ValueError, KeyError)
        self._lock = threading.Lock()
        self._number = next(self._numbers)
        self._groups, self._rows, self._sizes = array("L"), array("L"), array("Q")
        self._group_bytes = array("Q")
        try:
            self._table = parquet.ParquetFile(as_file(file))
            self._image, self._name = self._columns(self._table.schema_arrow)
            self._list()
        except self._failures as error:
            raise self._damaged(str(error).splitlines()[0]) from error
        self.listing.sort()

    # ------------------------------------------------------------------ listing

    def _columns(self, schema: Any) -> tuple[str, str | None]:
        """The columns of the images' bytes and of their names."""
        from pyarrow import types

        def is_bytes(kind: Any) -> bool:
            return bool(types.is_binary(kind) or types.is_large_binary(kind))

        def is_text(kind: Any) -> bool:
            return bool(types.is_string(kind) or types.is_large_string(kind))

        structs, plain = {}, []
        for field in schema:
            if types.is_struct(field.type):
                parts = {part.name: part.type for part in field.type}
                if is_bytes(parts.get("bytes")):
                    structs[field.name] = is_text(parts.get("path"))
            elif is_bytes(field.type):
                plain.append(field.name)
        for name in (*_declared(schema.metadata), *structs):
            if name in structs:
                return f"{name}.bytes", f"{name}.path" if structs[name] else None
        if not plain:
            columns = ", ".join(schema.names[:20])
            raise DatasetError(
                f"{shown(self.location)} has no column of images, only {columns}: give one with a "
                "column of bytes, or of bytes and paths"
            )
        texts = [field.name for field in schema if is_text(field.type)]
        name = next((each for each in _NAMES if each in texts), None)
        return self._of_images(plain), name

    def _of_images(self, columns: list[str]) -> str:
        """Of several columns of bytes the first in whose first rows there is an image."""
        kinds = set(images.suffixes().values())
        for column in columns if self._table.num_row_groups else ():
            values = next(self._batches(0, column), ())
            first = next((value for value in values if value.is_valid), None)
            if first is not None and images.describe(_content(first, images.SNIFFED)) in kinds:
                return column
        return columns[0]

    def _batches(self, group: int, column: str) -> Iterator[Any]:
        """The values of a column in the rows of a group, some at a time."""
        from pyarrow import compute, types

        for batch in self._table.iter_batches(
            ROWS_AT_ONCE, row_groups=[group], columns=[column], use_threads=False
        ):
            values = batch.column(0)
            if types.is_struct(values.type):
                values = compute.struct_field(values, column.rpartition(".")[2])
            yield values

    def _names(self) -> Names | None:
        """The images' names, None where they do not tell them apart."""
        assert self._name is not None
        seen: set[bytes] = set()
        names = []
        for group in range(self._table.num_row_groups):
            for values in self._batches(group, self._name):
                for value in values:
                    name = label((value.as_py() or "").encode("utf-8", "surrogatepass"))
                    if not name or name in seen:
                        return None
                    seen.add(name)
                    names.append(name)
        return Names(names)

    def _list(self) -> None:
        names = None if self._name is None else self._names()
        number = 0
        for group in range(self._table.num_row_groups):
            row = total = 0
            for values in self._batches(group, self._image):
                for value in values:
                    size = len(value.as_buffer()) if value.is_valid else 0
                    if not size:
                        self.listing.ignored[EMPTY] += 1
                    else:
                        name = b"%09d" % number if names is None else names[number]
                        if self.listing.add_member(name, size, _look_into(value)):
                            self._groups.append(group)
                            self._rows.append(row)
                            self._sizes.append(size)
                    total += size
                    row, number = row + 1, number + 1
            self._group_bytes.append(total)

    # ------------------------------------------------------------------ reading

    def _size(self, number: int) -> int:
        return self._sizes[number]

    def read(self, member: Member, limit: int | None = None) -> bytes:
        number = member.number
        if limit is None:
            check_size(self._sizes[number])
        try:
            with self._lock:  # a ParquetFile is for one thread
                values = self._group(self._groups[number])
            value = values[self._rows[number]]
            if len(value.as_buffer()) != self._sizes[number]:
                raise DatasetError("damaged in its table: it has another size than before")
            return _content(value, limit)
        except self._failures as error:
            self._file.check_unchanged()
            raise DatasetError(f"damaged in its table: {str(error).splitlines()[0]}") from error

    def _group(self, group: int) -> Any:
        """The images of a row group."""
        import pyarrow

        place = self._number, group
        with self._kept_lock:
            if place in self._kept:
                self._kept.move_to_end(place)
                return self._kept[place][1]
        if self._group_bytes[group] > LARGEST_GROUP:
            raise DatasetError(
                f"in a row group of {self._group_bytes[group] / 1e9:.1f} GB, all of which would "
                "have to be read: write smaller ones"
            )
        values = pyarrow.chunked_array(list(self._batches(group, self._image)))
        with self._kept_lock:
            self._kept[place] = self._group_bytes[group], values
            while len(self._kept) > 1 and sum(size for size, _ in self._kept.values()) > KEPT:
                self._kept.popitem(last=False)
        return values


def _look_into(value: Any) -> Look:
    return lambda count: _content(value, count)


def _content(value: Any, count: int | None) -> bytes:
    """The first bytes of a binary scalar, the last for a negative count, None: all."""
    buffer = value.as_buffer()
    if count is None:
        return bytes(buffer)
    start = max(0, len(buffer) + count) if count < 0 else 0
    return bytes(buffer.slice(start, min(abs(count), len(buffer) - start)))


def _declared(metadata: dict[bytes, bytes] | None) -> list[str]:
    """The columns of which the metadata of Hugging Face's datasets say that they are images."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return [name for name, kind in features.items() if kind.get("_type") == "Image"]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return []
