# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch norm and dropout's expectation folded into the convolutions, as far as they can be.

What precedes a convolution as x * scale + shift goes into its weights and bias; only a shift in
front of a convolution that pads with zeros cannot, since zero is then no longer what is padded
with. That leaves four additions in `table`, whose batch norms follow the activations, and nothing
elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure.workload import Parameters

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

EPS = 1e-4
LEAKY_SLOPE = 0.2

# (stride, padding) of each convolution, from docs/networks.md.
GENERATOR = ((1, 0), (3, 1), (2, 1), (2, 1), (2, 1), (2, 0))
PROGRAM = ((2, 0), (2, 1), (2, 1), (3, 1), (2, 1), (1, 0))
TABLE = ((1, 0), (2, 1), (1, 0), (2, 1), (2, 1), (2, 1))
DISCRIMINATORS = {"program": PROGRAM, "table": TABLE}


@dataclass(frozen=True)
class Layer:
    """A convolution (transposed in the generator), and what follows it.

    `shift`, one value per channel or None, is added after the activation.
    """

    weight: Float32
    bias: Float32
    stride: int
    padding: int
    activation: str
    shift: Float32 | None = None


@dataclass(frozen=True)
class FullyConnected:
    """weight (1, inputs), bias (1,)."""

    weight: Float32
    bias: Float32


def scale_and_shift(parameters: Parameters, number: int) -> tuple[Float64, Float64]:
    """Batch norm `number` on its running statistics, as x * scale + shift."""
    gamma, beta, mean, variance = (
        parameters[f"norm{number}.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + EPS)
    return scale, beta - mean * scale


def generator(parameters: Parameters) -> list[Layer]:
    """The generator's layers: ReLU, at the end a sigmoid."""
    layers = []
    for number, (stride, padding) in enumerate(GENERATOR, start=1):
        weight = parameters[f"conv{number}.weight"].astype(np.float64)
        last = number == len(GENERATOR)
        if last:
            bias = parameters[f"conv{number}.bias"].astype(np.float64)
        else:
            scale, bias = scale_and_shift(parameters, number)
            weight *= scale[None, :, None, None]
        layers.append(
            Layer(
                weight.astype(np.float32),
                bias.astype(np.float32),
                stride,
                padding,
                "sigmoid" if last else "relu",
            )
        )
    return layers


def discriminator(
    name: str, parameters: Parameters, dropout: float
) -> tuple[list[Layer], FullyConnected]:
    """A discriminator's layers at inference: leaky ReLU, where there is one."""
    geometry = DISCRIMINATORS[name]
    keep = 1 - dropout
    layers: list[Layer] = []
    # What the next convolution still has to do to its input: (x + shift) * scale.
    scale, shift = np.ones(3), np.zeros(3)
    for number, (stride, padding) in enumerate(geometry, start=1):
        weight = parameters[f"conv{number}.weight"].astype(np.float64)
        weight *= scale[None, :, None, None]
        bias = np.zeros(len(weight))
        if f"conv{number}.bias" in parameters:
            bias += parameters[f"conv{number}.bias"]
        if padding == 0:
            bias += (weight * shift[None, :, None, None]).sum((1, 2, 3))
        elif shift.any():
            layers[-1] = _shifted(layers[-1], shift)

        scale, shift = np.ones(len(weight)), np.zeros(len(weight))
        activation = "leaky_relu"
        if name == "table":
            scale, offset = scale_and_shift(parameters, number)
            shift = offset / scale
            scale = scale * keep
        elif f"norm{number}.weight" in parameters:
            factor, offset = scale_and_shift(parameters, number)
            weight *= factor[:, None, None, None]
            bias = bias * factor + offset
            scale *= keep
        elif number == len(geometry):
            activation = "none"
        else:
            scale *= keep
        layers.append(
            Layer(weight.astype(np.float32), bias.astype(np.float32), stride, padding, activation)
        )
    weight = parameters["fc.weight"].astype(np.float64).reshape(len(scale), -1)
    bias = parameters["fc.bias"] + (weight * (scale * shift)[:, None]).sum()
    weight = (weight * scale[:, None]).reshape(1, -1)
    return layers, FullyConnected(weight.astype(np.float32), bias.astype(np.float32))


def _shifted(layer: Layer, shift: Float64) -> Layer:
    return Layer(
        layer.weight,
        layer.bias,
        layer.stride,
        layer.padding,
        layer.activation,
        shift.astype(np.float32),
    )
