# SPDX-License-Identifier: GPL-3.0-or-later
"""One image of a data set; files that are broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.training_images import SMALL, jpeg, numbers

from ffgan import images
from ffgan.dataset import Dataset, fit_square
from ffgan.errors import DatasetError

# --- One image ---


def test_an_image_of_the_right_size_is_not_resampled(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (162, 162, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert np.array_equal(Dataset(tmp_path).image(0), noise)


def test_crop_takes_the_middle_and_stretch_takes_all(tmp_path: Path) -> None:
    wide = np.zeros((162, 362, 3), np.uint8)
    wide[:, 100:262] = 255
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert (Dataset(tmp_path).image(0) == 255).all()
    stretched = Dataset(tmp_path, fit="stretch").image(0)
    assert stretched.shape == (162, 162, 3)
    assert not stretched[:, :40].any()
    assert (stretched[:, 50:110] == 255).all()


def test_a_tall_image_is_cut_above_and_below(tmp_path: Path) -> None:
    tall = np.zeros((400, 200, 3), np.uint8)
    tall[100:300] = 255
    Image.fromarray(tall).save(tmp_path / "a.png")
    assert (Dataset(tmp_path).image(0) == 255).all()


@given(
    height=st.integers(1, 60), width=st.integers(1, 60), fit=st.sampled_from(["crop", "stretch"])
)
def test_whatever_the_shape_a_square_comes_out(height: int, width: int, fit: str) -> None:
    flat = np.full((height, width, 3), 99, np.uint8)
    square = fit_square(flat, 16, fit)  # type: ignore[arg-type]
    assert square.shape == (16, 16, 3)
    assert (square == 99).all()


def test_large_images_are_averaged_over_areas(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (324, 324, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    expected = noise.reshape(162, 2, 162, 2, 3).mean(axis=(1, 3))
    assert np.abs(Dataset(tmp_path).image(0) - expected).max() <= 0.5


def test_small_images_are_warned_of_before_and_counted_while_training(tmp_path: Path) -> None:
    for number in range(6):
        size = (100, 400) if number < 2 else (200, 162)
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number, size))
    with Dataset(tmp_path) as data:
        assert data.size_warning.startswith("warning: 2 of all 6 images are under 162 pixels")
        assert data.size_warning in data.summary
        assert data.small == 0
        next(data.batches(6, seed=0))
        assert data.small == 2


def test_headers_are_read_only_for_the_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    dimensions = images.dimensions

    def noted(data: bytes) -> tuple[int, int]:
        read.append(data)
        return dimensions(data)

    monkeypatch.setattr(images, "dimensions", noted)
    data = Dataset(folder)
    assert data.found
    assert data.image(0).shape == (162, 162, 3)
    assert read == []
    assert "12 of all 12 images are under 162 pixels" in data.size_warning
    assert data.size_warning
    assert len(read) == 12, "once"


def test_images_of_the_right_size_cost_no_warning(folder: Path) -> None:
    assert Dataset(folder, size=SMALL).size_warning == ""


# --- Broken files ---


def test_a_broken_image_is_named_with_the_reason(folder: Path) -> None:
    (folder / "03.jpg").write_bytes(jpeg()[:300])
    with pytest.raises(DatasetError, match=r"03\.jpg: the file is cut off"):
        Dataset(folder).image(3)


def test_broken_files_cost_one_line_each_and_nothing_on_the_terminal(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "02.jpg").write_bytes(jpeg()[:-200])
    (folder / "05.jpg").write_bytes(b"")
    (folder / "06.png").write_bytes(b"<html>")
    log = tmp_path / "skipped.log"
    with Dataset(folder, size=SMALL, skipped_log=log, workers=3) as data:
        stream = data.batches(5, seed=3)
        for _ in range(12):
            next(stream)
        assert data.skipped == 3
        assert f"3 broken files skipped, see {log}" in data.summary
    assert [line.partition(", ")[0] for line in sorted(log.read_text().splitlines())] == [
        "02.jpg\tthe file is cut off",
        "05.jpg\tthe file is empty",
        "06.png\tHTML",
    ]
    assert capfd.readouterr() == ("", "")
    with Dataset(folder, size=SMALL, skipped_log=log) as resumed:
        next(resumed.batches(30, seed=3))
    assert len(log.read_text().splitlines()) == 3


def test_in_place_of_a_broken_image_comes_the_next_one_of_the_order(folder: Path) -> None:
    whole = [number for batch in numbers(folder, 12, 2) for number in batch]
    (folder / f"{whole[4]:02}.jpg").write_bytes(b"broken")
    (folder / f"{whole[5]:02}.jpg").write_bytes(b"broken")
    expected = []
    for place, number in enumerate(whole[:12]):
        following = (other for other in whole[place:] if other not in (whole[4], whole[5]))
        expected.append(next(following))
        assert (expected[-1] == number) == (place not in (4, 5))
    assert numbers(folder, 12, 1) == [expected]


def test_if_all_images_are_broken_it_says_so(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"broken")
    log = tmp_path / "skipped.log"
    with (
        Dataset(tmp_path, skipped_log=log) as data,
        pytest.raises(DatasetError, match=r"none of the images .*skipped\.log says why"),
    ):
        next(data.batches(2, seed=0))


def test_a_log_that_cannot_be_written_is_told_in_the_summary(folder: Path, tmp_path: Path) -> None:
    (folder / "00.jpg").write_bytes(b"broken")
    with Dataset(folder, skipped_log=tmp_path / "none" / "skipped.log") as data:
        next(data.batches(12, seed=0))
        assert "skipped.log is not complete: No such file" in data.summary
