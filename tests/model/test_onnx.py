# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator as an ONNX file, run by another engine."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.batches import random_latents
from support.rendered import assert_same_images

from ffgan.errors import Error, ModelError
from ffgan.model import Model
from ffgan.model.onnx import export_onnx


def test_onnxruntime_makes_our_faces(moved_model: Model, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = export_onnx(moved_model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 5):
        latents = random_latents(n, seed=n)
        (images,) = session.run(["images"], {"latents": latents})
        assert images.dtype == np.uint8
        assert_same_images(images, moved_model.render(latents))
    assert session.get_modelmeta().custom_metadata_map["parameters_sha256"] == moved_model.hash


def test_exporting_onnx_without_its_package_names_the_package(
    moved_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(Error, match="pip install onnx"):
        export_onnx(moved_model, tmp_path / "model.onnx")


def test_a_missing_output_folder_is_named(moved_model: Model, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
    with pytest.raises(ModelError, match="absent"):
        export_onnx(moved_model, tmp_path / "absent" / "model")
