# SPDX-License-Identifier: GPL-3.0-or-later
"""Parquet files with the bytes of the pictures inside, as Hugging Face's datasets has them.

The schema's metadata say that the column ``image`` is a picture, so that `load_dataset` opens it
without being told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import numpy as np

from ffgan.attributes import ATTRIBUTES
from ffgan.errors import ExtraError
from ffgan.shapes import LATENT_SIZE
from ffgan.synthesis.labels import LATENT, Row, columns, latent_type
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.store import Sink, Store, Written
from ffgan.typing import Float32

ROW_GROUP: Final = 250
"""Pictures that a reader of one has to read, 3 MB of them as JPEG and 12 as PNG."""

encodes = True


def check(settings: Settings) -> None:
    _pyarrow()


def made_with() -> dict[str, str]:
    return {"pyarrow": _pyarrow().__version__}


def data_files(settings: Settings, split: str) -> list[str]:
    return [f"data/{split}-*.parquet"]


def loading(split: str, shards: int) -> str:
    return f'datasets.load_dataset("OUT", split="{split}")  # or pandas.read_parquet of a file'


@contextmanager
def opened(store: Store, settings: Settings, shard: Shard) -> Iterator[_Parquet]:
    name = f"data/{shard.name}.parquet"
    with store.file(name) as sink:
        writer = _Parquet(sink, name, settings)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.give_up()
            raise


class _Parquet:
    def __init__(self, sink: Sink, name: str, settings: Settings) -> None:
        from pyarrow import parquet

        self._sink = sink
        self._name = name
        self._suffix = settings.encoding
        self._columns = columns(settings)
        self._latent = latent_type(settings)
        self._schema = _schema(settings)
        self._rows: list[dict[str, Any]] = []
        # Pictures are compressed already, and statistics of their bytes are of no use.
        labels = [one.name for one in self._columns]
        self._writer = parquet.ParquetWriter(
            sink,
            self._schema,
            compression=dict.fromkeys(_leaves(self._schema), "zstd")
            | {"image.bytes": "none", "image.path": "none"},
            write_statistics=labels,
            use_dictionary=[one.name for one in self._columns if one.kind == "word"],
        )

    def add(self, picture: bytes, row: Row, latent: Float32) -> None:
        name = f"{row['index']:09d}.{self._suffix}"
        labels: dict[str, Any] = {"image": {"bytes": picture, "path": name}, **row}
        if self._latent is not None:
            labels[LATENT] = latent.astype(self._latent)
        self._rows.append(labels)
        if len(self._rows) == ROW_GROUP:
            self._write()

    def _write(self) -> None:
        pyarrow = _pyarrow()
        rows, self._rows = self._rows, []
        arrays = []
        for one in self._schema:
            values = [row[one.name] for row in rows]
            if one.name == LATENT:
                flat = pyarrow.array(np.concatenate(values))
                arrays.append(pyarrow.FixedSizeListArray.from_arrays(flat, LATENT_SIZE))
            else:
                arrays.append(pyarrow.array(values, one.type))
        table = pyarrow.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP)

    def finish(self) -> None:
        if self._rows:
            self._write()
        self._writer.close()

    def give_up(self) -> None:
        """Close it while its file is open: pyarrow's would do so when nobody holds it any more."""
        with suppress(Exception):
            self._writer.close()
        self._writer.is_open = False

    def files(self) -> list[Written]:
        return [self._sink.written(self._name)]


def _schema(settings: Settings) -> Any:
    """Arrow's types, and in the metadata those of datasets, and the units."""
    pyarrow = _pyarrow()
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    fields = [pyarrow.field("image", image)]
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    for one in columns(settings):
        kind = "string" if one.kind == "word" else one.kind
        fields.append(pyarrow.field(one.name, getattr(pyarrow, kind)()))
        features[one.name] = {"dtype": kind, "_type": "Value"}
    if (latent := latent_type(settings)) is not None:
        item = pyarrow.from_numpy_dtype(latent)
        fields.append(pyarrow.field(LATENT, pyarrow.list_(item, LATENT_SIZE)))
        value = {"dtype": str(latent), "_type": "Value"}
        features[LATENT] = {"feature": value, "length": LATENT_SIZE, "_type": "Sequence"}
    units = {name: one.unit for name, one in ATTRIBUTES.items() if one.unit and name in features}
    return pyarrow.schema(
        fields,
        {
            "huggingface": json.dumps({"info": {"features": features}}),
            "ffgan units": json.dumps(units),
        },
    )


def _leaves(schema: Any) -> list[str]:
    """The names that Parquet has for columns."""
    names = [one.name for one in schema if one.name not in ("image", LATENT)]
    return [*names, f"{LATENT}.list.element"] if LATENT in schema.names else names


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ExtraError(
            "Parquet needs pyarrow: pip install 'ffgan[dataset]', or take another format"
        ) from error
    return pyarrow
