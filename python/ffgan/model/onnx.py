# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator as an ONNX file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ffgan import _core
from ffgan.errors import Error
from ffgan.model.directions import NORM_EPSILON
from ffgan.model.file import by_network, write_file
from ffgan.model.model import Model
from ffgan.shapes import IMAGE_SHAPE, LATENT_SIZE
from ffgan.typing import Float32

if TYPE_CHECKING:
    import onnx

# Old enough for every runtime in use, new enough for the rounding to uint8.
ONNX_OPSET = 13
ONNX_IR_VERSION = 8


def export_onnx(model: Model, out: str | os.PathLike[str]) -> Path:
    """Write the generator as an ONNX file.

    It maps ``latents`` (N, 100) float32 to ``images`` (N, 162, 162, 3) uint8 RGB, those of
    `Model.render` up to the runtime's own rounding: a value on the boundary of two pixel values may
    go to either. Batch norm is folded into the convolutions. Returns ``out``.
    Raises `Error` without the package onnx, `ModelError` when ``out`` cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise Error("writing ONNX needs the package onnx: pip install onnx") from error
    graph = _onnx_graph(by_network(model.parameters)["generator"])
    proto = onnx.helper.make_model(
        graph,
        producer_name="ffgan",
        producer_version=_core.__version__,
        ir_version=ONNX_IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", ONNX_OPSET)],
    )
    onnx.helper.set_model_props(proto, {**model.metadata, "parameters_sha256": model.hash})
    onnx.checker.check_model(proto, full_check=True)
    write_file(Path(out), proto.SerializeToString(deterministic=True))
    return Path(out)


def strides_and_paddings() -> list[tuple[int, int]]:
    """Of the generator's transposed convolutions, from the latent to the image.

    The core tells the side s of a layer's input, t of its output and k of its filter, and
    t = stride (s - 1) + k - 2 padding. The stride is the smallest that needs no negative padding.
    """
    sides = {layer["name"]: layer["shape"][0] for layer in _core.layers("generator")}
    found = []
    side = 1
    for name, shape in _core.parameter_shapes("generator").items():
        if name.startswith("conv") and name.endswith(".weight"):
            layer, filter_side = name.removesuffix(".weight"), shape[-1]
            grown = sides[layer] - filter_side
            stride = -(-grown // (side - 1)) if side > 1 else 1
            found.append((stride, (stride * (side - 1) - grown) // 2))
            side = sides[layer]
    return found


def _folded(parameters: dict[str, Float32], number: int) -> tuple[Float32, Float32]:
    """Return the weight and bias of a transposed convolution with its batch norm folded in."""
    weight = parameters[f"conv{number}.weight"].astype(np.float64)
    if f"norm{number}.weight" not in parameters:
        return weight.astype(np.float32), parameters[f"conv{number}.bias"]
    gamma, beta, mean, variance = (
        parameters[f"norm{number}.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + NORM_EPSILON)
    weight *= scale[None, :, None, None]
    return weight.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _onnx_graph(parameters: dict[str, Float32]) -> onnx.GraphProto:
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, NDArray[Any]] = {
        "latent_shape": np.array([0, LATENT_SIZE, 1, 1], np.int64),
        "white": np.array(255, np.float32),
        "half": np.array(0.5, np.float32),
    }
    nodes: list[onnx.NodeProto] = []

    def add(operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operation.lower()}{len(nodes)}"
        nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    value = add("Reshape", "latents", "latent_shape")
    layers = strides_and_paddings()
    for number, (stride, padding) in enumerate(layers, start=1):
        weight, bias = f"conv{number}.weight", f"conv{number}.bias"
        constants[weight], constants[bias] = _folded(parameters, number)
        value = add("ConvTranspose", value, weight, bias, strides=[stride] * 2, pads=[padding] * 4)
        value = add("Relu" if number < len(layers) else "Sigmoid", value)
    value = add("Floor", add("Add", add("Mul", value, "white"), "half"))
    value = add("Cast", value, to=TensorProto.UINT8)
    add("Transpose", value, output="images", perm=[0, 2, 3, 1])
    return helper.make_graph(
        nodes,
        "ffgan generator",
        [helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["N", LATENT_SIZE])],
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *IMAGE_SHAPE])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
