# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of other programs: the original FFgan's ``.dnn`` in and out, ONNX out."""

from __future__ import annotations

import bz2
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ffgan import _core
from ffgan.errors import Error, ModelError
from ffgan.model import Model, by_network, write_file
from ffgan.shapes import IMAGE_SHAPE, LATENT_SIZE

if TYPE_CHECKING:
    import onnx

BZIP2_MAGIC = b"BZh"

# dlib's default, with which the networks were trained.
BATCH_NORM_EPS = 1e-4

# Of the generator's transposed convolutions, from the latent to the image.
STRIDES = (1, 3, 2, 2, 2, 2)
PADDINGS = (0, 1, 1, 1, 1, 0)

# Old enough for every runtime in use, new enough for rounding on uint8's side of the graph.
ONNX_OPSET = 13
ONNX_IR_VERSION = 8


def import_dnn(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path:
    """Write the original program's model file ``path`` as a model file of this program, ``out``.

    ``path`` is a dlib serialisation of the original's generator and discriminator, plain or
    bzip2-compressed, as its releases ship it; its ``.sync`` files, which begin the same, do too.
    Returns ``out``. Raises `ModelError` when ``path`` is missing, damaged or holds other networks,
    or ``out`` cannot be written.
    """
    source = Path(path)
    with _uncompressed(source) as plain:
        try:
            model = _core.read_dnn(os.fspath(plain))
        except RuntimeError as error:
            raise ModelError(str(error).replace(os.fspath(plain), os.fspath(source))) from error
    metadata = {
        "discriminator": "program",
        "dropout": repr(round(model["dropout"], 6)),
        "threshold": "0.0",
        "data": f"imported from {source.name}",
    }
    return Model(model["generator"], model["discriminator"], metadata).save(out)


def export_dnn(model: Model, out: str | os.PathLike[str]) -> Path:
    """Write ``model`` as the original program's model file, which any dlib program can load.

    The file holds the generator, closed by a fully connected layer without meaning because a dlib
    network must end in a loss, then the discriminator. Returns ``out``. Raises `ModelError` when
    the model's discriminator is not "program", the only one the format has, or ``out`` cannot be
    written.
    """
    if model.discriminator != "program":
        raise ModelError(
            f'the discriminator is "{model.discriminator}", and a .dnn file holds "program": '
            "export to .onnx, or train with --discriminator program"
        )
    try:
        _core.write_dnn(
            os.fspath(out),
            by_network(model.parameters)["generator"],
            by_network(model.parameters)["discriminator"],
            model.dropout,
        )
    except (RuntimeError, ValueError) as error:
        raise ModelError(str(error)) from error
    return Path(out)


def export_onnx(model: Model, out: str | os.PathLike[str]) -> Path:
    """Write the generator as an ONNX file: `latents` (N, 100) float32 to `images` (N, 162, 162, 3).

    The images are uint8 RGB as `Model.render` makes them, up to the runtime's own rounding: a
    value that falls on the boundary of two pixel values may go to either. Batch norm is folded
    into the convolutions. Returns ``out``. Raises `Error` without the package onnx, `ModelError`
    when ``out`` cannot be written.
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


@contextmanager
def _uncompressed(path: Path) -> Iterator[Path]:
    """Yield ``path``, or a temporary file with its content when it is bzip2-compressed."""
    try:
        with path.open("rb") as file:
            compressed = file.read(len(BZIP2_MAGIC)) == BZIP2_MAGIC
        if not compressed:
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="ffgan-") as folder:
            plain = Path(folder) / "model.dnn"
            with bz2.open(path) as packed, plain.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
            yield plain
    except (OSError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(f"{path} cannot be read: {reason}") from error


def _folded(
    parameters: dict[str, NDArray[np.float32]], number: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weight and bias of a transposed convolution with its batch norm folded in."""
    weight = parameters[f"conv{number}.weight"].astype(np.float64)
    if f"norm{number}.weight" not in parameters:
        return weight.astype(np.float32), parameters[f"conv{number}.bias"]
    gamma, beta, mean, variance = (
        parameters[f"norm{number}.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPS)
    weight *= scale[None, :, None, None]
    return weight.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _onnx_graph(parameters: dict[str, NDArray[np.float32]]) -> onnx.GraphProto:
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
    for number, (stride, padding) in enumerate(zip(STRIDES, PADDINGS, strict=True), start=1):
        weight, bias = f"conv{number}.weight", f"conv{number}.bias"
        constants[weight], constants[bias] = _folded(parameters, number)
        value = add("ConvTranspose", value, weight, bias, strides=[stride] * 2, pads=[padding] * 4)
        value = add("Relu" if number < len(STRIDES) else "Sigmoid", value)
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
