# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks in PyTorch that are trained: what several steps share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measure import folding, workload


class Trained(nn.Module):
    """Parameters and running statistics under their names, with _ for the dots."""

    def __init__(self, tensors: workload.Parameters) -> None:
        super().__init__()
        for name, array in tensors.items():
            value = torch.from_numpy(array)
            if ".running_" in name:
                self.register_buffer(name.replace(".", "_"), value)
            else:
                self.register_parameter(name.replace(".", "_"), nn.Parameter(value))

    def of(self, name: str) -> Any:
        return getattr(self, name, None)

    def norm(self, number: int, x: Tensor, update: bool) -> Tensor:
        """On the batch's statistics, which update the running ones or not."""
        return F.batch_norm(
            x,
            self.of(f"norm{number}_running_mean") if update else None,
            self.of(f"norm{number}_running_var") if update else None,
            self.of(f"norm{number}_weight"),
            self.of(f"norm{number}_bias"),
            training=True,
            eps=folding.EPS,
        )


class Generator(Trained):
    def forward(self, latents: Tensor) -> Tensor:
        x = latents[:, :, None, None]
        last = len(folding.GENERATOR)
        for i, (stride, padding) in enumerate(folding.GENERATOR, start=1):
            weight, bias = self.of(f"conv{i}_weight"), self.of(f"conv{i}_bias")
            x = F.conv_transpose2d(x, weight, bias, stride, padding)
            if i < last:
                x = F.relu(self.norm(i, x, True), inplace=True)
        return torch.sigmoid(x) * workload.SIGMOID_SCALE
