# SPDX-License-Identifier: GPL-3.0-or-later
"""Model files: safetensors with both networks' parameters, checked before anything is allocated."""

from __future__ import annotations

import json
import math
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffgan import _core, storage
from ffgan.errors import ModelError, ModelWriteError
from ffgan.typing import Float32

FORMAT = "ffgan-1"

PACKAGED_MODELS = {"program": "ffgan-162.safetensors", "table": "ffgan-162-table.safetensors"}
"""The models that come with the package, by their discriminator; both have the same generator."""

# A model has some 5 million parameters; a header or a file far beyond that is no model.
_LARGEST_HEADER = 1 << 20
_LARGEST_FILE = 256 << 20


def packaged_model(discriminator: str = "program") -> Path:
    """Return the path of the model that comes with the package, with that discriminator."""
    name = PACKAGED_MODELS[discriminator]
    beside = Path(__file__).parents[1] / "weights" / name
    in_the_source_tree = Path(__file__).parents[3] / "weights" / name
    return in_the_source_tree if in_the_source_tree.exists() and not beside.exists() else beside


def by_network(tensors: Mapping[str, Float32]) -> dict[str, dict[str, Float32]]:
    """Return the tensors by the first part of their names: ``a.b.c`` as ``["a"]["b.c"]``."""
    networks: dict[str, dict[str, Float32]] = {}
    for name, tensor in tensors.items():
        network, _, rest = name.partition(".")
        networks.setdefault(network, {})[rest] = tensor
    return networks


def parameters_hash(parameters: Mapping[str, Float32]) -> str:
    """Return the SHA-256, as hex, of the parameters: names, shapes and float32 bytes, by name."""
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in parameters.items()}
    return storage.tensor_digest(arrays, lambda name, array: f"{name}{list(array.shape)}")


def save_model(
    path: str | os.PathLike[str],
    generator: Mapping[str, Float32],
    discriminator: Mapping[str, Float32],
    metadata: Mapping[str, str],
    *,
    half: bool = False,
) -> Path:
    """Write a model file, whole or not at all.

    ``half`` rounds the parameters to float16. Raises `ModelError` when it cannot be written.
    """
    dtype = np.float16 if half else np.float32
    tensors = {
        f"{network}.{name}": np.ascontiguousarray(array, dtype=dtype)
        for network, arrays in (("generator", generator), ("discriminator", discriminator))
        for name, array in arrays.items()
    }
    stored = {name: array.astype(np.float32) for name, array in tensors.items()}
    complete = {
        "discriminator": "program",
        **metadata,
        "format": FORMAT,
        "generator": "table",
        "parameters_sha256": parameters_hash(stored),
    }
    write_file(Path(path), storage.encode_tensors(tensors, complete))
    return Path(path)


def with_metadata(path: Path, changes: Mapping[str, str]) -> bytes:
    """Return a model file's bytes with some of its metadata changed, and its tensors as they are.

    Raises `ModelError` for a file that is no model.
    """
    read_model(path)
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    description = json.loads(data[8 : 8 + length])
    description["__metadata__"] |= changes
    header = json.dumps(description, sort_keys=True).encode()
    header += b" " * (-len(header) % 8)  # the tensors stay aligned
    if len(header) > _LARGEST_HEADER:
        raise ModelError(f"{path}: its metadata would become too large to be read again")
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def write_file(path: Path, content: bytes) -> None:
    """Write a model's file so that it is the old or the new one at every moment.

    Raises `ModelError`.
    """
    try:
        storage.write_atomically(path, content)
    except OSError as error:
        raise ModelWriteError(
            f"{path} cannot be written: {storage.reason(error)}; "
            + storage.way_out(error, "give another file")
        ) from error


def read_model(path: Path) -> tuple[dict[str, str], dict[str, Float32]]:
    """Return the metadata and the float32 parameters of a model file.

    The header is checked against the networks' own names, shapes and the file's size before the
    tensors are read. Raises `ModelError`.
    """
    metadata, parameters = read_unverified(path)
    verify(path, metadata, parameters)
    return metadata, parameters


def verify(path: Path, metadata: Mapping[str, str], parameters: Mapping[str, Float32]) -> None:
    """Raise `ModelError` for parameters that are not those of which the metadata have the SHA-256.

    Nothing is raised where the metadata have none.
    """
    stated = metadata.get("parameters_sha256")
    if stated is not None and stated != parameters_hash(parameters):
        raise ModelError(f"{path} is damaged: its parameters do not match their SHA-256")


def read_unverified(path: Path) -> tuple[dict[str, str], dict[str, Float32]]:
    """As `read_model`, but for the SHA-256, which takes as long as all the rest."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise ModelError(f"{path} is a folder: give a .safetensors model file")
        with path.open("rb") as file:
            header = _header(path, file.read(8), size)
            description = json.loads(file.read(header))
            metadata = _check_header(path, description)
            content = np.empty(size - 8 - header, np.uint8)
            if file.readinto(content.data) != len(content):
                raise ValueError("it is cut off")
            parameters = _tensors(description, content)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} does not exist: give a model file, or train one: python -m ffgan train DIR"
        ) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged or not a safetensors file: {error}") from error
    return metadata, parameters


def _header(path: Path, start: bytes, size: int) -> int:
    if len(start) < 8:
        raise ModelError(f"{path} is not a model file: give a .safetensors file of one")
    length = int(struct.unpack("<Q", start)[0])
    if length > min(_LARGEST_HEADER, size - 8) or size > _LARGEST_FILE:
        raise ModelError(f"{path} is not a model file of this program, or is truncated")
    return length


def _tensors(description: Mapping[str, Any], content: NDArray[np.uint8]) -> dict[str, Float32]:
    """The float32 tensors of a header that `_check_header` has seen, of the bytes behind it.

    They share one block of memory. The library safetensors would copy each twice on its way here,
    which takes longer than all this. Raises ValueError.
    """
    entries = {name: entry for name, entry in description.items() if name != "__metadata__"}
    shapes = {name: tuple(map(int, entry["shape"])) for name, entry in entries.items()}
    block = np.empty(sum(map(math.prod, shapes.values())), np.float32)
    tensors, taken, read = {}, 0, 0
    for name, entry in sorted(entries.items(), key=lambda item: _offsets(*item)):
        begin, end = _offsets(name, entry)
        kind = np.dtype("<f2" if entry["dtype"] == "F16" else "<f4")
        count = math.prod(shapes[name])
        if begin != read or end - begin != count * kind.itemsize or end > len(content):
            raise ValueError(f"the bytes of the tensor '{name}' are not where they should be")
        values = block[taken : taken + count]
        values[...] = content[begin:end].view(kind)
        tensors[name] = values.reshape(shapes[name])
        taken, read = taken + count, end
    if read != len(content):
        raise ValueError("bytes are left behind its tensors")
    return tensors


def _offsets(name: str, entry: Mapping[str, Any]) -> tuple[int, int]:
    """Where the bytes of a tensor begin and end; raises ValueError unless that is told."""
    offsets = entry.get("data_offsets")
    if not (isinstance(offsets, list) and len(offsets) == 2 and {*map(type, offsets)} == {int}):
        raise ValueError(f"it does not tell where the tensor '{name}' is")
    begin, end = offsets
    return begin, end


def _check_header(path: Path, description: object) -> dict[str, str]:
    if not isinstance(description, dict):
        raise ModelError(f"{path} is damaged: its header is not a table")
    metadata = description.get("__metadata__")
    metadata = metadata if isinstance(metadata, dict) else {}
    if "checkpoint" in metadata:
        raise ModelError(
            f"{path} is a checkpoint of a training run, no model: give the run's model.safetensors"
        )
    if (stated := metadata.get("format")) != FORMAT:
        newer = re.fullmatch(r"ffgan-[0-9]+", str(stated)) is not None
        raise ModelError(
            f"{path} has format {stated}, this version reads {FORMAT}: update ffgan"
            if newer
            else f"{path} is not a model of this program (no format '{FORMAT}')"
        )
    name = metadata.get("discriminator", "program")
    if name not in ("program", "table"):
        raise ModelError(
            f"{path}: the discriminator '{name}' is unknown: "
            "this version knows 'program' and 'table', a newer one may know more: update ffgan"
        )
    expected = {
        **{f"generator.{k}": v for k, v in _core.parameter_shapes("generator").items()},
        **{f"discriminator.{k}": v for k, v in _core.parameter_shapes(name).items()},
    }
    given = {key: value for key, value in description.items() if key != "__metadata__"}
    for key in given.keys() ^ expected.keys():
        state = "unknown" if key in given else "missing"
        raise ModelError(f"{path} is not a model of this program: the tensor '{key}' is {state}")
    for key, shape in expected.items():
        entry = given[key]
        if not isinstance(entry, dict) or entry.get("shape") != list(shape):
            raise ModelError(f"{path}: the tensor '{key}' has not the shape {list(shape)}")
        if entry.get("dtype") not in ("F32", "F16"):
            raise ModelError(f"{path}: the tensor '{key}' is neither float32 nor float16")
    return {str(key): str(value) for key, value in metadata.items()}
