# SPDX-License-Identifier: GPL-3.0-or-later
"""Features by the user's own network, an ONNX file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import ModelError
from ffgan.features import onnx_session
from ffgan.features.batching import BATCH, in_parts, resized
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float32

if TYPE_CHECKING:
    import onnxruntime


class OnnxFile:
    """Features by an ONNX file, for instance the Inception network of published FID figures.

    Its one input takes images, either float32 (n, 3, h, w), RGB from 0 to 1, or uint8
    (n, h, w, 3); they are resized to the h = w that it states, if it does. ``tensor``, or else its
    first output, is float32 (n, d), or (n, d, rows, columns), which is averaged over the places.
    Raises ExtraError, and ModelError for any other file.
    """

    def __init__(self, path: Path, tensor: str | None) -> None:
        onnx_session.require()
        self.path = path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from error
        self.digest = hashlib.sha256(data).hexdigest()[:12]
        self.session, self.tensor = self._open(data, tensor)
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(f"{path} has {len(inputs)} inputs, not one for images")
        (self.input,) = inputs
        shape = list(self.input.shape)
        self.planar = self.input.type == "tensor(float)"
        if self.planar:
            shape = [shape[0], *shape[2:], shape[1]] if len(shape) == 4 else shape
        known = [side if isinstance(side, int) else None for side in shape]
        if (
            self.input.type not in ("tensor(float)", "tensor(uint8)")
            or len(known) != 4
            or known[3] not in (3, None)
            or known[1] != known[2]
        ):
            raise ModelError(
                f"{path} takes {self.input.type} {self.input.shape}, neither square images "
                "float32 (n, 3, h, w) nor uint8 (n, h, w, 3)"
            )
        self.together, self.size = known[0] or BATCH, known[1]
        if self.together > 1 and known[0]:
            raise ModelError(f"{path} takes {known[0]} images at once: let it take any number")
        side = self.size or IMAGE_SIZE
        self.features = self._run(np.zeros((1, side, side, 3), np.uint8)).shape[1]

    def _open(self, data: bytes, tensor: str | None) -> tuple[onnxruntime.InferenceSession, str]:
        import onnx

        try:
            model = onnx.load_model_from_string(data)
            if tensor is not None and not any(tensor in node.output for node in model.graph.node):
                raise ModelError(f"{self.path} has no tensor {tensor!r}")
            if tensor is not None and tensor not in (value.name for value in model.graph.output):
                # ONNX Runtime finds the type by itself.
                model.graph.output.append(onnx.ValueInfoProto(name=tensor))
            return onnx_session.session(model.SerializeToString()), tensor or model.graph.output[
                0
            ].name
        except ModelError:
            raise
        except Exception as error:  # they have exceptions of many kinds, without a common one
            raise ModelError(
                f"{self.path} is no ONNX file that can be used: {_line(error)}"
            ) from error

    @property
    def description(self) -> str:
        size = "as they are" if self.size is None else f"resized to {self.size}x{self.size}"
        file = f"{self.path.name} ({self.digest})"
        return f"{file}, {self.features} features {self.tensor}, images {size}"

    def extract(self, batch: RGB) -> Float32:
        return in_parts(batch, self.together, self._run, self.features)

    def _run(self, part: RGB) -> Float32:
        x: NDArray[Any] = part if self.size is None else resized(part, self.size)
        if self.planar:
            x = np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        try:
            (result,) = self.session.run([self.tensor], {self.input.name: x})
        except Exception as error:  # as in _open
            raise ModelError(f"{self.path} cannot compute {self.tensor}: {_line(error)}") from error
        if result.ndim == 4:
            result = result.mean(axis=(2, 3))
        if result.ndim != 2 or len(result) != len(part) or result.dtype != np.float32:
            raise ModelError(
                f"{self.tensor} of {self.path} is {result.dtype} {result.shape}, no features "
                "float32 (n, d) or (n, d, rows, columns)"
            )
        return np.asarray(result, np.float32)


def _line(error: Exception) -> str:
    """The first line of what went wrong."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
