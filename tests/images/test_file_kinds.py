# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of every kind come with the right pixels, or are refused with the right words."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from support.file_kinds import DECODERS, KINDS, Kind

from ffgan import images
from ffgan.errors import DatasetError

SHOWN = [kind for kind in KINDS if kind.pixels is not None]
REFUSED = [kind for kind in KINDS if kind.pixels is None]


def named(kind: Kind) -> str:
    return kind.name


def difference(ours: np.ndarray, right: np.ndarray | None) -> int:
    assert right is not None
    assert ours.dtype == np.uint8
    assert ours.shape == right.shape
    return int(np.abs(ours.astype(int) - right).max())


@pytest.mark.parametrize("kind", SHOWN, ids=named)
def test_a_file_has_the_right_pixels(kind: Kind, capfd: pytest.CaptureFixture[str]) -> None:
    assert difference(images.decode(kind.data), kind.pixels) <= kind.tolerance
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", REFUSED, ids=named)
def test_a_file_is_refused_in_one_line(kind: Kind, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DatasetError) as refusal:
        images.decode(kind.data)
    assert re.search(kind.reason, str(refusal.value))
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [kind for kind in SHOWN if kind.by], ids=named)
def test_other_decoders_agree_on_the_pixels(kind: Kind) -> None:
    for name in kind.by:
        if name == "ImageMagick" and shutil.which("convert") is None:
            pytest.skip("there is no ImageMagick")
        assert difference(DECODERS[name](kind.data), kind.pixels) <= kind.tolerance, name
