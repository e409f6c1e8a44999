# SPDX-License-Identifier: GPL-3.0-or-later
"""One face as a PNG file, by PyTorch from a model file: what the row `process` compares with.

    python -m benchmarks.pytorch_face MODEL.safetensors OUT.png

As short as it can be: PyTorch, safetensors and zlib are all that is imported.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

STRIDES = (1, 3, 2, 2, 2, 2)
PADDINGS = (0, 1, 1, 1, 1, 0)
EPS = 1e-4


def png(image: torch.Tensor) -> bytes:
    """Of (rows, columns, 3) uint8."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    rows, columns, _ = image.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in image.numpy())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines, 1))
        + chunk(b"IEND", b"")
    )


def main() -> None:
    tensors = load_file(sys.argv[1])
    torch.manual_seed(7)
    x = torch.randn(1, 100, 1, 1)
    with torch.inference_mode():
        for i, (stride, padding) in enumerate(zip(STRIDES, PADDINGS, strict=True), start=1):
            weight = tensors[f"generator.conv{i}.weight"].float()
            if i == len(STRIDES):
                bias = tensors[f"generator.conv{i}.bias"].float()
                x = F.conv_transpose2d(x, weight, bias, stride, padding).sigmoid_()
                continue
            gamma, beta, mean, variance = (
                tensors[f"generator.norm{i}.{name}"].float()
                for name in ("weight", "bias", "running_mean", "running_var")
            )
            x = F.conv_transpose2d(x, weight, None, stride, padding)
            x = F.batch_norm(x, mean, variance, gamma, beta, eps=EPS).relu_()
        pixels = x[0].mul(255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    Path(sys.argv[2]).write_bytes(png(pixels))


if __name__ == "__main__":
    main()
