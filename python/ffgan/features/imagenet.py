# SPDX-License-Identifier: GPL-3.0-or-later
"""ImageNet features: EfficientNet-Lite as an ONNX graph, Lite0 for `evaluate`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ffgan.features import efficientnet, onnx_session
from ffgan.features.batching import BATCH, in_parts, resized
from ffgan.features.efficientnet import LITE0, Variant
from ffgan.typing import RGB, Float32

if TYPE_CHECKING:
    import onnx
    import onnxruntime

SIZE: Final = efficientnet.SIDE
FEATURES: Final = 1280

_ONNX_OPSET: Final = 13


def extract(session: onnxruntime.InferenceSession, batch: RGB, size: int = SIZE) -> Float32:
    """Return the features (n, 1280) float32 of images (n, h, w, 3) uint8 RGB.

    ``size``: that of `load_session`, to which they are resized.
    """

    def run(part: RGB) -> Float32:
        result: Float32 = session.run(None, {"images": resized(part, size)})[0]
        return result

    return in_parts(batch, BATCH, run, FEATURES)


@functools.cache
def load_session(variant: Variant = LITE0, size: int = SIZE) -> onnxruntime.InferenceSession:
    """Return a network for images of this side, which is built once.

    Raises `ExtraError`, `ModelError`.
    """
    onnx_session.require()
    return onnx_session.session(_graph(variant, size, _weights(variant)).SerializeToString())


def _weights(variant: Variant = LITE0) -> dict[str, Float32]:
    path = efficientnet.find(variant)
    if path is None:
        raise onnx_session.missing(variant.package.replace("_", "-"))
    return efficientnet.convolutions(variant, efficientnet.read(variant, path))


def _graph(variant: Variant, size: int, convolutions: dict[str, Float32]) -> onnx.ModelProto:
    """The network up to its features as an ONNX graph."""
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, np.ndarray[Any, Any]] = {
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
    for number, stride in enumerate(variant.strides):
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
    sides = [size, size, 3]
    graph = helper.make_graph(
        nodes,
        variant.name,
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *sides])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", FEATURES])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = helper.make_opsetid("", _ONNX_OPSET)
    # An old runtime refuses files of a newer format, and this graph needs no newer one.
    return helper.make_model(graph, opset_imports=[opset], ir_version=7)
