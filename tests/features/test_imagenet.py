# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from support.evaluation import need_feature_networks

from ffgan import features
from ffgan.features import efficientnet
from ffgan.features.efficientnet import LITE0


@pytest.fixture(scope="module", autouse=True)
def networks() -> None:
    need_feature_networks()


@pytest.mark.slow
def test_imagenet_features_are_those_of_the_published_network() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install '.[oracle]')")
    functional = torch.nn.functional
    path = efficientnet.find(LITE0)
    assert path is not None
    weights = torch.load(path, weights_only=True)
    read = efficientnet.read(LITE0, path)
    assert read.keys() == weights.keys()
    for name, tensor in weights.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())

    def layer(x: Any, name: str, norm: str, stride: int = 1, relu: bool = True) -> Any:
        filters = weights[f"{name}.weight"]
        kernel, side = filters.shape[2], x.shape[2]
        padding = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        before, after = padding // 2, padding - padding // 2
        x = functional.pad(x, [before, after, before, after])
        groups = filters.shape[0] if filters.shape[1] == 1 else 1
        x = functional.conv2d(x, filters, stride=stride, groups=groups)
        mean, variance, gamma, beta = (
            weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)
        return x.clamp(0, 6) if relu else x

    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    images[1] = cv2.GaussianBlur(images[1], (0, 0), 9)
    with torch.no_grad():
        x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
        x = layer(x, "_conv_stem", "_bn0", 2)
        # (blocks, stride of the first): the table of EfficientNet-B0, Tan and Le 2019.
        strides = [s for n, s0 in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
                   for s in (s0, *[1] * (n - 1))]  # fmt: skip
        for number, stride in enumerate(strides):
            block, y = f"_blocks.{number}", x
            if number:
                y = layer(y, f"{block}._expand_conv", f"{block}._bn0")
            y = layer(y, f"{block}._depthwise_conv", f"{block}._bn1", stride)
            y = layer(y, f"{block}._project_conv", f"{block}._bn2", relu=False)
            x = x + y if x.shape == y.shape else y
        expected = layer(x, "_conv_head", "_bn1").mean((2, 3)).numpy()
    ours = features.load("imagenet").extract(images)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-3)
