# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs in other colour spaces, and of kinds that need an extra, from one run to the next."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from support import profiles
from support.photographs import photograph

from ffgan import extraction, images
from ffgan.extraction import extract
from ffgan.typing import RGB

P3 = profiles.rgb_profile(profiles.P3, profiles.srgb_light)


@pytest.fixture
def photo(tmp_path: Path, people: RGB) -> Path:
    """A folder with one photograph in Display P3."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(photograph(people[0])).save(folder / "a.png", icc_profile=P3)
    return folder


def chip(out: Path) -> np.ndarray:
    return images.decode((out / "a-png-0.png").read_bytes()).astype(int)


def test_what_an_earlier_run_did_with_colours_goes_on_unless_it_is_told_otherwise(
    photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert extract(photo, out, format="png", colour="ignore").colours == {"ignored": 1}
    as_stored = chip(out)
    header = json.loads((out / "extract.jsonl").read_text().splitlines()[0])
    assert "colour" not in header["looked_for"]  # as in journals of earlier versions
    assert extract(photo, out, format="png").looked_at == 0
    assert (chip(out) == as_stored).all()
    told = extract(photo, out, format="png", colour="convert")
    assert (told.looked_at, told.colours) == (1, {"converted": 1})
    assert (chip(out) != as_stored).any()
    assert extract(photo, out, format="png").looked_at == 0
    table = extraction.table(extract(photo, out, format="png"), out)
    assert "1 photograph in another colour space, converted to sRGB" in table


def test_once_an_extra_is_installed_the_same_command_reads_what_lacked_it(
    photo: Path, tmp_path: Path, people: RGB, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(photograph(people[1]))).save(buffer, quality=90)
    (photo / "b.heic").write_bytes(buffer.getvalue())
    (photo / "named-otherwise.jpg").write_bytes(buffer.getvalue())
    out = tmp_path / "out"
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pillow_heif", None)
        found = extract(photo, out)
        assert (found.photos, found.broken, found.kept) == (2, 1, 1)
        assert "1 HEIC (pip install 'ffgan[photos]' reads them)" in found.summary
        assert "pip install 'ffgan[photos]' reads those" in (out / "skipped.log").read_text()
    found = extract(photo, out, duplicates="keep")
    assert (found.looked_at, found.broken, found.kept) == (2, 0, 3)
