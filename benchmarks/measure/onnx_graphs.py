# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks as ONNX files of one batch size, which lets a runtime plan for it.

The generator is the file that `ffgan export` writes, ended at the sigmoid: float32 images, as the
other engines give them, and no rounding to uint8. The discriminators, which ffgan does not export,
are written here from their folded layers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.measure import folding, workload
from benchmarks.output.rows import Task

INPUT = "input"
OUTPUT = "output"
OPSET = 13
IR_VERSION = 8
SIZE = 162


def graph(folder: Path, task: Task) -> bytes:
    if task.kind == "generator":
        return generator(folder, task.batch)
    dropout = workload.info(folder)["dropouts"][task.network]
    parameters = workload.parameters(folder, task.network)
    return discriminator(task.batch, *folding.discriminator(task.network, parameters, dropout))


def generator(folder: Path, batch: int) -> bytes:
    """latents (batch, 100) to images (batch, 3, 162, 162)."""
    model = onnx.load(folder / "generator.onnx")
    nodes = list(model.graph.node)
    last = next(i for i, node in enumerate(nodes) if node.op_type == "Sigmoid")
    kept = nodes[: last + 1]
    (name,) = [value.name for value in model.graph.input]
    for node in kept:
        node.input[:] = [INPUT if used == name else used for used in node.input]
    kept[-1].output[0] = OUTPUT
    used = {value for node in kept for value in node.input}
    constants = [value for value in model.graph.initializer if value.name in used]
    return _model(kept, constants, [batch, 100], [batch, 3, SIZE, SIZE])


def discriminator(batch: int, layers: list[folding.Layer], fc: folding.FullyConnected) -> bytes:
    """images (batch, 3, 162, 162), pixels / 256, to logits (batch, 1)."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, array: Any) -> str:
        constants.append(numpy_helper.from_array(array, name))
        return name

    def add(operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operation.lower()}{len(nodes)}"
        nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    x = INPUT
    for i, layer in enumerate(layers, start=1):
        weight = constant(f"conv{i}.weight", layer.weight)
        bias = constant(f"conv{i}.bias", layer.bias)
        strides, pads = [layer.stride] * 2, [layer.padding] * 4
        x = add("Conv", x, weight, bias, strides=strides, pads=pads)
        if layer.activation == "leaky_relu":
            x = add("LeakyRelu", x, alpha=folding.LEAKY_SLOPE)
        if layer.shift is not None:
            x = add("Add", x, constant(f"shift{i}", layer.shift[None, :, None, None]))
    x = add("Flatten", x)
    weight, bias = constant("fc.weight", fc.weight), constant("fc.bias", fc.bias)
    add("Gemm", x, weight, bias, output=OUTPUT, transB=1)
    return _model(nodes, constants, [batch, 3, SIZE, SIZE], [batch, 1])


def _model(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    taken: list[int],
    given: list[int],
) -> bytes:
    body = helper.make_graph(
        nodes,
        "benchmark",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, taken)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, given)],
        constants,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(body, ir_version=IR_VERSION, opset_imports=[opset])
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
