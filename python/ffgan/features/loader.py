# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature networks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from ffgan import faces
from ffgan.errors import UsageError
from ffgan.features import imagenet
from ffgan.features.batching import resized
from ffgan.features.efficientnet import LITE0
from ffgan.features.onnx_file import OnnxFile
from ffgan.typing import RGB, Float32

Name: TypeAlias = Literal["imagenet", "faces"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)


@dataclass(frozen=True)
class Network:
    """A feature network: ``extract`` turns images (n, h, w, 3) uint8 RGB into (n, d) float32."""

    name: str
    description: str
    extract: Callable[[RGB], Float32]


def load(name: str, *, recognition: faces.File | None = None) -> Network:
    """Return a feature network by name.

    ``imagenet``: EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946; Google's weights, Apache
    2.0), trained on ImageNet; 1280 features, the averages of its last convolution. ``faces``:
    dlib's face recognition network; 128 features, see `ffgan.faces.embed`; ``recognition`` gives
    its file. ``FILE.onnx`` or ``FILE.onnx:TENSOR``: the user's own network, see
    `ffgan.features.onnx_file.OnnxFile`. Images are resized as `ffgan.images.resize` does. Raises
    `UsageError` for another name, `ExtraError` when the extra `evaluate` is not installed,
    `ModelError` for a damaged file.
    """
    if name == "imagenet":
        session = imagenet.load_session()
        return Network(
            name,
            f"{LITE0.name} trained on ImageNet, {imagenet.FEATURES} features, "
            f"images resized to {imagenet.SIZE}x{imagenet.SIZE}",
            lambda batch: imagenet.extract(session, batch),
        )
    if name == "faces":
        size = faces.CHIP_SIZE
        file = faces.model_file(faces.EMBEDDING_FILE, recognition)
        return Network(
            name,
            f"dlib's face recognition network, 128 features, whole images resized to {size}x{size}",
            lambda batch: faces.embed(resized(batch, size), file=file),
        )
    file_name, dot, tensor = name.partition(".onnx")
    if dot and (not tensor or (tensor[0] == ":" and len(tensor) > 1)):
        own = OnnxFile(Path(file_name + dot), tensor[1:] or None)
        return Network(name, own.description, own.extract)
    raise UsageError(f"features {name!r}: give one of {', '.join(NAMES)}, or a FILE.onnx")
