# SPDX-License-Identifier: GPL-3.0-or-later
"""A latent in a file: what `ffgan project` writes, and what takes a latent from there.

The form is the JSON that the server's GET /latents answers and POST /latents takes, with one latent
and the hash of its model: ``{"latents": [[100 numbers]], "model": "..."}``. The pictures that are
written beside it hold the same text in their metadata.
"""

from __future__ import annotations

import codecs
import io
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ffgan import storage
from ffgan.errors import Error, UsageError
from ffgan.images import read_metadata
from ffgan.model import Model
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import Float32

logger = logging.getLogger("ffgan.projection")

MAX_BYTES: Final = 16 << 20
"""Larger files hold no latent: a picture of 4096 pixels is smaller."""

MAX_VALUE: Final = 100.0
"""Noise beyond 6 practically never occurs; far beyond, sums in the network would overflow."""

METADATA_KEY: Final = "latent"
"""Under which the pictures hold a latent file's text."""


def latent_text(latent: Float32, model: str, **more: Any) -> str:
    """Return the text of a latent file: of a latent (100,), its model's hash, and what is given.

    ``more`` must be what JSON holds.
    """
    # The shortest text of each number that gives the same float32 again.
    numbers = [float(str(value)) for value in np.asarray(latent, np.float32)]
    return json.dumps({"latents": [numbers], "model": model, **more})


def save_latent(
    path: str | os.PathLike[str], latent: Float32, model: Model | str, **more: Any
) -> None:
    """Write a latent (100,) of a model, or of the model of that hash, to a file; see `load_latent`.

    ``more`` is kept beside it and must be what JSON holds. Raises `UsageError` for what
    `load_latent` would refuse, `Error` when the file cannot be written.
    """
    array = np.asarray(latent, np.float32)
    if array.shape != (LATENT_SIZE,) or not (np.abs(array) <= MAX_VALUE).all():
        raise UsageError(
            f"no latent to write to {path}: give {LATENT_SIZE} numbers from -{MAX_VALUE:g} to "
            f"{MAX_VALUE:g}"
        )
    text = latent_text(latent, model if isinstance(model, str) else model.hash, **more)
    try:
        storage.write_atomically(Path(path), text.encode() + b"\n")
    except OSError as error:
        raise Error(
            f"cannot write {path}: {storage.reason(error)}; "
            + storage.way_out(error, "give another file")
        ) from error


def load_latent(path: str | os.PathLike[str], model: Model | None = None) -> Float32:
    """Return the latent in a file, (100,) float32.

    The file: what `save_latent` writes, a picture of `ffgan project`, the answer of the server's
    GET /latents for one face, or a NumPy file of (100,) or (1, 100) floats. A file from anywhere is
    safe to read. With ``model`` the logger ``ffgan.projection`` warns when the file says that its
    latent belongs to another one. Raises `UsageError` for a file that is none of these, `Error`
    when it cannot be read.
    """
    data = _read(path)
    if data.startswith(b"\x93NUMPY"):
        return _checked(_from_npy(data, path), path)
    # Windows' editors begin a text with a mark of its encoding.
    data = data.removeprefix(codecs.BOM_UTF8)
    text = data if data.lstrip()[:1] == b"{" else _from_picture(data, path)
    content = _from_json(text, path)
    own = content.get("model")
    if model is not None and isinstance(own, str) and own != model.hash:
        logger.warning(f"{path}: the latent is of the model {own[:12]!r}, not of {model.hash[:12]}")
    return _checked(content["latents"], path)


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            data = bytearray()
            # A part at a time: the memory is that of the file, not of the largest one.
            while len(data) <= MAX_BYTES and (part := file.read(1 << 16)):
                data += part
    except OSError as error:
        raise Error(f"cannot read {path}: {storage.reason(error)}") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is no latent: it has more than {MAX_BYTES >> 20} MB")
    return bytes(data)


def _from_picture(data: bytes, path: object) -> bytes:
    try:
        found = read_metadata(data).get(METADATA_KEY)
    except UsageError as error:
        raise _no_latent(path) from error
    if found is None:
        raise UsageError(f"{path} is a picture without a latent: ffgan project finds one")
    return found.encode()


def _from_npy(data: bytes, path: object) -> Any:
    if len(data) > 1 << 16:
        raise _no_latent(path)
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # NumPy uses Python's parser for it, which raises many types
        raise _no_latent(path) from error


def _from_json(text: bytes, path: object) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError too
        raise _no_latent(path) from error
    if not isinstance(content, dict) or "latents" not in content:
        raise _no_latent(path)
    return content


def _checked(values: Any, path: object) -> Float32:
    """The one latent among values of any kind."""
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:  # of lists of different lengths
        raise _no_latent(path) from error
    if array.ndim == 2 and len(array) > 1 and array.shape[1] == LATENT_SIZE:
        raise UsageError(f"{path} has {len(array)} latents: give a file with one")
    if array.dtype.kind not in "fiu" or array.shape not in ((LATENT_SIZE,), (1, LATENT_SIZE)):
        raise _no_latent(path)
    with np.errstate(invalid="ignore"):  # some bits are no number
        wide = array.reshape(LATENT_SIZE).astype(np.float64)
    if not (np.abs(wide) <= MAX_VALUE).all():
        raise UsageError(f"{path}: a latent's numbers are from -{MAX_VALUE:g} to {MAX_VALUE:g}")
    return wide.astype(np.float32)


def _no_latent(path: object) -> UsageError:
    return UsageError(
        f"{path} holds no latent: give a file that ffgan project wrote, or a NumPy file of "
        f"{LATENT_SIZE} floats"
    )
