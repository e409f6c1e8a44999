# SPDX-License-Identifier: GPL-3.0-or-later
"""The original FFgan's ``.dnn`` model files, in and out."""

from __future__ import annotations

import bz2
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ffgan import _core, storage
from ffgan.errors import ModelError, ModelWriteError
from ffgan.model.file import by_network
from ffgan.model.model import Model

BZIP2_MAGIC = b"BZh"

MOST_BYTES = 256 << 20
"""Of an unpacked file: the original's have some 50 MB, and little unpacks to any size."""

_BLOCK = 1 << 20


def import_dnn(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path:
    """Write the original program's model file ``path`` as a model file of this program, ``out``.

    ``path`` is a dlib serialisation of the original's generator and discriminator, plain or
    bzip2-compressed, as its releases ship it; its ``.sync`` files, which begin the same, do too.
    Returns ``out``. Raises `ModelError` when ``path`` is missing, damaged or holds other networks,
    or ``out`` cannot be written.
    """
    source = Path(path)
    with _uncompressed(source) as plain:
        try:
            model = _core.read_dnn(os.fspath(plain))
        except RuntimeError as error:
            raise ModelError(str(error).replace(os.fspath(plain), os.fspath(source))) from error
    metadata = {
        "discriminator": "program",
        "dropout": repr(round(model["dropout"], 6)),
        "threshold": "0.0",
        "data": f"imported from {source.name}",
    }
    return Model(model["generator"], model["discriminator"], metadata).save(out)


def export_dnn(model: Model, out: str | os.PathLike[str]) -> Path:
    """Write ``model`` as the original program's model file, which any dlib program can load.

    The file holds the generator, closed by a fully connected layer without meaning because a dlib
    network must end in a loss, then the discriminator. Returns ``out``. Raises `ModelError` when
    the model's discriminator is not "program", the only one the format has, or ``out`` cannot be
    written.
    """
    if model.discriminator != "program":
        raise ModelError(
            f'the discriminator is "{model.discriminator}", and a .dnn file holds "program": '
            "export to .onnx, or train with --discriminator program"
        )
    networks = by_network(model.parameters)
    try:
        _core.write_dnn(
            os.fspath(out),
            networks["generator"],
            networks["discriminator"],
            model.dropout,
        )
    except RuntimeError as error:
        raise ModelWriteError(str(error)) from error
    except ValueError as error:
        raise ModelError(str(error)) from error
    return Path(out)


@contextmanager
def _uncompressed(path: Path) -> Iterator[Path]:
    """Yield ``path``, or a temporary file with its content when it is bzip2-compressed."""
    try:
        with path.open("rb") as file:
            compressed = file.read(len(BZIP2_MAGIC)) == BZIP2_MAGIC
        if not compressed:
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="ffgan-") as folder:
            plain = Path(folder) / "model.dnn"
            with bz2.open(path) as packed, plain.open("wb") as unpacked:
                for _ in range(MOST_BYTES // _BLOCK):
                    if not unpacked.write(packed.read(_BLOCK)):
                        break
                else:
                    raise ModelError(
                        f"{path} holds more than {MOST_BYTES >> 20} MiB: it is no model file"
                    )
            yield plain
    except (OSError, EOFError) as error:
        if isinstance(error, OSError) and storage.is_full(error):
            raise ModelWriteError(
                f"{path} cannot be unpacked into {tempfile.gettempdir()}: "
                f"{storage.reason(error)}; make room there, or name another folder "
                "by the environment variable TMPDIR"
            ) from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(f"{path} cannot be read: {reason}") from error
