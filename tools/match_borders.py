#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take off the frame of a generator's images, and change nothing else that it draws.

    python tools/match_borders.py runs/NAME/model.safetensors DIR --out matched.safetensors

The outermost pixels of a transposed convolution come from fewer taps than the others. Here the
generator goes on learning without an adversary, from random latents and with two aims: pixels near
the four sides differ from their neighbours as much as those of the images in DIR (the measure of
`--border-weight`, docs/training.md, with more weight for light and for the outermost places), and
everything else is as it was drawn before: each pixel further in, and near the sides what is left
when they are blurred. So it is a last touch, in a few minutes, to what a run has learnt, and what
`ffgan evaluate` says of faces should be looked at before and after: it can cost as it did for the
packaged model (docs/research-log.md).

The differences are known to little noise, since those of the same latents before are known: the
change is averaged over steps, and added to what many faces had at the start.

Needs PyTorch: pip install '.[oracle]'.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

try:
    import torch
    from torch import Tensor
    from torch.nn import functional as F
except ImportError as error:
    raise SystemExit("needs PyTorch: pip install '.[oracle]'") from error

from ffgan.dataset import Dataset
from ffgan.errors import Error, UsageError
from ffgan.evaluation import borders
from ffgan.latent import LATENT_SIZE
from ffgan.model import Model, by_network, save_model
from ffgan.model.directions import NORM_EPSILON
from ffgan.model.onnx import strides_and_paddings
from ffgan.typing import UInt8

PLACES = 8
"""The outermost rows and columns that are compared."""

E = 1 / 255
"""Differences much smaller than this one do not count."""

YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
CHANNEL_WEIGHTS = (1.0, 0.25, 0.25)

OUTERMOST_WEIGHT = 3.0
"""Of the places that `ffgan evaluate` tells, beside the others."""

LINE_WEIGHT = 0.25
"""Of the mean differences, beside their mean lengths."""

INNER_WEIGHT, BLURRED_WEIGHT = 200.0, 20.0
"""Of mean squared changes of pixels in 0 to 1."""

DECAY = 0.9
WARM_UP = 20
MEASURED = 2000
"""Faces whose differences are known at the start."""

AT_ONCE = 50
REPORT_EVERY = 20


def generate(parameters: dict[str, Tensor], latents: Tensor) -> Tensor:
    """Images (n, 3, 162, 162) in 0 to 1 of latents (n, 100), by the running statistics."""
    x = latents[:, :, None, None]
    layers = strides_and_paddings()
    for i, (stride, padding) in enumerate(layers, start=1):
        weight, bias = parameters[f"conv{i}.weight"], parameters.get(f"conv{i}.bias")
        x = F.conv_transpose2d(x, weight, bias, stride, padding)
        if i < len(layers):
            names = "running_mean", "running_var", "weight", "bias"
            mean, variance, gamma, beta = (parameters[f"norm{i}.{name}"] for name in names)
            x = F.relu(F.batch_norm(x, mean, variance, gamma, beta, eps=NORM_EPSILON))
    return torch.sigmoid(x)


def differences(images: Tensor) -> tuple[Tensor, Tensor]:
    """Of images (n, 3, h, w) in 0 to 1: mean lengths (3, 4, 8, 2), mean differences (3, 4, 8, 1).

    By channel (Y, Cb, Cr), side (top, bottom, left, right) and place, the outermost first. Lengths:
    across and along the side; differences: across it, which are 0 where there is no line.
    """
    x = torch.einsum("ck,nkhw->nchw", torch.tensor(YCBCR), images)
    turned = x.transpose(2, 3)
    lengths, means = [], []
    for side in (x, x.flip(2), turned, turned.flip(2)):
        across = side[:, :, 1 : PLACES + 1] - side[:, :, :PLACES]
        along = side[:, :, :PLACES, 1:] - side[:, :, :PLACES, :-1]
        both = [(torch.sqrt(d * d + E * E) - E).mean((0, 3)) for d in (across, along)]
        lengths.append(torch.stack(both, dim=-1))
        means.append(across.mean((0, 3))[..., None])
    return torch.stack(lengths, dim=1), torch.stack(means, dim=1)


def pixels(images: UInt8) -> Tensor:
    """Images (n, h, w, 3) uint8 as (n, 3, h, w) in 0 to 1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def of_generated(model: Model, count: int) -> tuple[Tensor, Tensor]:
    """The differences of its first draws of the seeds below ``count``."""
    parts = []
    for first in range(0, count, AT_ONCE):
        seeds = range(first, min(first + AT_ONCE, count))
        latents = np.concatenate([model.latents(1, seed) for seed in seeds])
        parts.append((len(seeds), differences(pixels(model.render(latents)))))
    return _mean(parts)


def of_images(directory: Path, count: int) -> tuple[Tensor, Tensor]:
    """The differences of images of a folder, spread over all of it."""
    parts = []
    with Dataset(directory) as dataset:
        chosen = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int))
        for first in range(0, len(chosen), AT_ONCE):
            some = np.stack([dataset.image(index) for index in chosen[first : first + AT_ONCE]])
            parts.append((len(some), differences(pixels(some))))
    return _mean(parts)


def _mean(parts: list[tuple[int, tuple[Tensor, Tensor]]]) -> tuple[Tensor, Tensor]:
    whole = sum(count for count, _ in parts)
    lengths = sum((lengths * (count / whole) for count, (lengths, _) in parts), torch.zeros(()))
    means = sum((means * (count / whole) for count, (_, means) in parts), torch.zeros(()))
    return lengths, means


def learnt(
    model: Model, real: tuple[Tensor, Tensor], *, steps: int, batch: int, rate: float, weight: float
) -> dict[str, np.ndarray]:
    """The generator's parameters after so many steps towards the differences ``real``."""
    old = {
        name: torch.from_numpy(np.array(values, np.float32))
        for name, values in by_network(model.parameters)["generator"].items()
    }
    new = {
        name: values.clone().requires_grad_(".running_" not in name) for name, values in old.items()
    }
    start = of_generated(model, MEASURED)
    units = real[0] + E, (real[0][..., 0] + E)[..., None]
    places = torch.ones(PLACES)
    places[: borders.PLACES] = OUTERMOST_WEIGHT
    cells = torch.tensor(CHANNEL_WEIGHTS)[:, None, None, None] * (places / places.mean())[:, None]
    changes = [torch.zeros_like(values) for values in start]
    trained = [values for values in new.values() if values.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=rate, betas=(0.9, 0.99))
    random = np.random.default_rng(0)
    for step in range(steps):
        for group in optimizer.param_groups:  # a short start, and down to 0 in the last 40 %
            group["lr"] = rate * min(1, (step + 1) / WARM_UP, (steps - step) / (0.4 * steps))
        latents = torch.from_numpy(random.standard_normal((batch, LATENT_SIZE), np.float32))
        with torch.no_grad():
            before = generate(old, latents)
            differed = differences(before)
        after = generate(new, latents)
        change = after - before
        inner = change[:, :, PLACES:-PLACES, PLACES:-PLACES].square().mean()
        loss = INNER_WEIGHT * inner + BLURRED_WEIGHT * F.avg_pool2d(change, 4, 2).square().mean()
        measure = 0.0
        for k, newest in enumerate(differences(after)):
            changes[k] = DECAY * changes[k] + (1 - DECAY) * (newest.detach() - differed[k])
            average = start[k] + changes[k] / (1 - DECAY ** (step + 1))
            excess = (average - real[k]) / units[k]
            share = cells * (1.0, LINE_WEIGHT)[k]
            measure += float((share * excess.square()).mean())
            # The gradient is that of the newest batch, as if all of the average moved with it.
            loss = loss + weight * (share * 2 * excess * newest / units[k]).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % REPORT_EVERY == 0 or step == steps - 1:
            levels = 255 * float(inner.detach().sqrt())
            print(
                f"step {step + 1}/{steps}: borders {measure:.4f}, inner pixels {levels:.2f} of 255"
            )
    return {name: values.detach().numpy() for name, values in new.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="images whose borders are right"
    )
    parser.add_argument("--images", type=int, default=4000, help="so many of them are looked at")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--rate", type=float, default=3e-5, help="learning rate of Adam")
    parser.add_argument("--weight", type=float, default=2.0, help="of the borders")
    parser.add_argument("--out", type=Path, required=True, help="the model to be written")
    given = parser.parse_args()
    settings = {name: getattr(given, name) for name in ("steps", "batch", "rate", "weight")}
    try:
        for name, value in (*settings.items(), ("images", given.images)):
            if value <= 0:
                raise UsageError(f"--{name} {value:g} must be more than 0")
        model = Model.load(given.model)
        generator = learnt(model, of_images(given.directory, given.images), **settings)
        # Not the attributes, which are fitted to the old generator.
        metadata = {k: v for k, v in model.metadata.items() if k != "attributes"}
        metadata["matched_borders"] = json.dumps(settings)
        discriminator = by_network(model.parameters)["discriminator"]
        save_model(given.out, generator, discriminator, metadata)
    except (Error, OSError) as error:
        raise SystemExit(str(error)) from error
    print(f"{given.out}: written; fit its attributes with ffgan fit-attributes")


if __name__ == "__main__":
    main()
