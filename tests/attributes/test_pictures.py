# SPDX-License-Identifier: GPL-3.0-or-later
"""Many picture files: rows in order, and those that are broken or have no face are listed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from support.archives import zipped

from ffgan import images
from ffgan.attributes import measure_files
from ffgan.attributes.measurement import Table
from ffgan.dataset import pack
from ffgan.errors import DatasetError, UsageError
from ffgan.images import decoding
from ffgan.typing import RGB


def test_every_file_is_measured_or_listed(album: Path, found: Table) -> None:
    told: list[tuple[int, int]] = []
    measured = measure_files(
        [album], ["yaw"], progress=lambda _, done, total: told.append((done, total))
    )
    assert measured.looked_at == 5
    assert [Path(name).name for name in measured.names] == ["0.png", "1.png", "two.png", "two.png"]
    assert (measured.table["yaw"][:2] == found["yaw"][:2]).all()
    assert np.allclose(np.sort(measured.table["yaw"][2:]), np.sort(found["yaw"][2:4]), atol=4)
    assert [Path(name).name for name in measured.without_face] == ["nobody.png"]
    [(name, reason)] = measured.broken
    assert Path(name).name == "torn.png" and reason
    assert told[-1] == (5, 5)


def test_single_pictures_come_in_the_order_given(album: Path) -> None:
    paths = [album / "1.png", album / "nowhere.png", album / "0.png"]
    measured = measure_files(paths, "brightness")
    assert measured.names == [str(paths[0]), str(paths[2])]
    [(name, reason)] = measured.broken
    assert name == str(paths[1]) and "No such file" in reason


def test_a_packed_file_holds_faces_too(people: RGB, found: Table, tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for number, image in enumerate(people[:2]):
        images.save(tmp_path / "faces" / f"{number}.png", image)
    pack(tmp_path / "faces", tmp_path / "faces.pack", include_generated=True)
    measured = measure_files([tmp_path / "faces.pack"], ["yaw"])
    assert measured.names == [f"{tmp_path}/faces.pack: {number}.png" for number in range(2)]
    assert (measured.table["yaw"] == found["yaw"][:2]).all()


def test_archives_hold_faces_too(people: RGB, found: Table, tmp_path: Path) -> None:
    pictures = [(f"{number}.png", images.encode(people[number], "png")) for number in range(2)]
    archive = zipped(tmp_path / "faces.zip", pictures)
    measured = measure_files([archive], ["yaw"])
    assert measured.names == [f"{archive}/{number}.png" for number in range(2)]
    assert (measured.table["yaw"] == found["yaw"][:2]).all()


def test_nothing_to_look_at_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give pictures"):
        measure_files([])
    with pytest.raises(DatasetError, match="no image"):
        measure_files([tmp_path])


def test_a_single_path_is_not_taken_for_its_letters(album: Path) -> None:
    for path in (album / "0.png", str(album / "0.png")):
        assert measure_files(path, "brightness").names == [str(album / "0.png")]
    with pytest.raises(UsageError, match="give their paths"):
        measure_files(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="give their paths as text"):
        measure_files([b"0.png"])  # type: ignore[list-item]


def test_what_a_folder_holds_but_cannot_be_read_is_listed_by_name_once(
    album: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes((album / "0.png").read_bytes())
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    measured = measure_files([tmp_path, tmp_path / "gone.png"], "brightness")
    assert measured.looked_at == 3 and len(measured.table) == 1
    assert measured.broken == [
        (f"{tmp_path}/gone.png", "the link leads nowhere"),
        (f"{tmp_path}/gone.png", "No such file or directory"),
    ]


def test_names_that_are_not_text_are_escaped(album: Path, tmp_path: Path) -> None:
    content = (album / "0.png").read_bytes()
    for name in (b"\xff.png", b"two\nlines.png"):
        path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
        path.write_bytes(content)
        [shown] = measure_files([path], "brightness").names
        assert shown == f"{tmp_path}/" + name.decode("utf-8", "backslashreplace").replace(
            "\n", "\\n"
        )


def test_the_place_is_that_in_a_picture_too_large_to_be_decoded_whole(
    people: RGB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph = np.full((640, 800, 3), 110, np.uint8)
    photograph[200:524, 300:624] = people[1].repeat(2, 0).repeat(2, 1)
    images.save(tmp_path / "large.jpg", photograph)
    [whole] = measure_files(tmp_path / "large.jpg", "yaw").table
    monkeypatch.setattr(decoding, "MAX_PIXELS", 300_000)
    [half] = measure_files(tmp_path / "large.jpg", "yaw").table
    for side in ("left", "top", "right", "bottom"):
        assert half[side] == pytest.approx(whole[side], abs=24), side  # of 324
    assert half["yaw"] == pytest.approx(whole["yaw"], abs=3)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    measured = measure_files(tmp_path / "pipe.png", "brightness")
    assert measured.broken == [(f"{tmp_path}/pipe.png", "not a regular file")]
