# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.faces import turned

from ffgan import _core, faces
from ffgan.errors import ModelError, UsageError
from ffgan.typing import RGB


def test_a_box_lies_around_its_face(people: RGB) -> None:
    found = faces.detect_all(people)
    assert sum(len(boxes) == 1 for boxes in found) >= len(people) - 1
    for boxes in found:
        for box in boxes:
            assert abs((box.left + box.right) / 2 - 81) < 30
            assert abs((box.top + box.bottom) / 2 - 81) < 30
            assert 80 <= box.right - box.left <= 162
            assert box.confidence > 0


def test_every_face_of_a_crowd_is_found_where_it_is(crowd: RGB) -> None:
    boxes = faces.detect(crowd)
    cells = {
        ((box.left + box.right) // 2 // 162, (box.top + box.bottom) // 2 // 162) for box in boxes
    }
    assert len(cells) == len(boxes) >= 11
    assert [box.confidence for box in boxes] == sorted((b.confidence for b in boxes), reverse=True)


def test_a_small_face_needs_an_upsampling(people: RGB) -> None:
    small = np.zeros((200, 200, 3), np.uint8)
    small[50:120, 60:130] = cv2.resize(people[0], (70, 70), interpolation=cv2.INTER_AREA)
    assert faces.detect(small) == []
    [box] = faces.detect(small, upsample=1)
    assert 60 <= box.left < box.right <= 131
    assert 50 <= box.top < box.bottom <= 121


def test_a_higher_threshold_finds_fewer(crowd: RGB) -> None:
    everything = faces.detect(crowd, threshold=-0.5)
    limit = sorted(box.confidence for box in everything)[len(everything) // 2]
    certain = faces.detect(crowd, threshold=limit)
    assert 0 < len(certain) < len(everything)
    assert all(box.confidence >= limit for box in certain)


def test_images_of_any_size_and_threads_give_the_same_boxes(people: RGB, crowd: RGB) -> None:
    several = [people[0], crowd, np.zeros((1, 1, 3), np.uint8), people[1][:, ::-1]]
    one_by_one = [faces.detect(image) for image in several]
    assert faces.detect_all(several) == one_by_one
    assert one_by_one[2] == []
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(faces.detect, several * 3)) == one_by_one * 3


@pytest.mark.usefixtures("files")
def test_the_network_finds_what_the_frontal_detector_does_not(people: RGB) -> None:
    side = turned(people[0], 60)
    assert faces.detect(side) == []
    [box] = faces.detect(side, detector="cnn")
    assert abs((box.left + box.right) / 2 - 162) < 30
    assert abs((box.top + box.bottom) / 2 - 162) < 30
    assert faces.detect(np.full((300, 300, 3), 128, np.uint8), detector="cnn") == []
    small = cv2.resize(turned(people[0], 0), (110, 110), interpolation=cv2.INTER_AREA)
    assert faces.detect(small, detector="cnn") == []
    [box] = faces.detect(small, detector="cnn", upsample=1)
    assert 15 < box.left < box.right < 95


@pytest.mark.usefixtures("files")
def test_the_network_says_the_same_from_any_thread(people: RGB) -> None:
    several = [people[0], turned(people[1], 0), people[2][:, ::-1]]
    one_by_one = [faces.detect(image, detector="cnn") for image in several]
    assert faces.detect_all(several, detector="cnn") == one_by_one
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda image: faces.detect(image, detector="cnn"), several * 2)
        assert list(found) == one_by_one * 2


@pytest.mark.usefixtures("files")
def test_landmarks_are_eyes_and_nose(people: RGB) -> None:
    for image in people:
        for points in faces.landmarks(image):
            assert points.shape == (5, 2)
            outer_right, inner_right, outer_left, inner_left, nose = points
            assert outer_left[0] < inner_left[0] < nose[0] < inner_right[0] < outer_right[0]
            assert nose[1] > points[:4, 1].max()


@pytest.mark.usefixtures("files")
def test_68_landmarks_have_the_five_among_them(people: RGB) -> None:
    picture = turned(people[0], 0)
    boxes = faces.detect(picture)
    [five] = faces.landmarks(picture, boxes)
    [many] = faces.landmarks(picture, boxes, count=68)
    assert many.shape == (68, 2)
    assert np.abs(many[[45, 42, 36, 39, 33]] - five).max() < 12


def test_wrong_arguments_are_named(people: RGB, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"float64 \(162, 162, 3\), not uint8"):
        faces.detect(people[0] / 255)
    for upsample in (-1, 2.5, 9):
        with pytest.raises(UsageError, match=f"upsample {upsample}: give a whole number from 0"):
            faces.detect(people[0], upsample=upsample)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="threshold is not a number"):
        faces.detect(people[0], threshold=float("nan"))
    with pytest.raises(UsageError, match="give 'hog' or 'cnn'"):
        faces.detect(people[0], detector="eyes")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"ffgan\.faces\.align makes them"):
        faces.embed(people)
    with pytest.raises(ModelError, match=r"no such file: .*nothing\.dat"):
        faces.align(people[0], file=tmp_path / "nothing.dat")


@pytest.mark.usefixtures("files")
def test_dlib_objects_refuse_other_arrays(people: RGB) -> None:
    predictor = _core.FaceLandmarks(str(faces.model_file(faces.LANDMARKS_FILE)))
    with pytest.raises(TypeError):
        predictor.find(people[0], np.zeros((1, 4), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"boxes has not the shape \(n, 4\)"):
        predictor.find(people[0], np.zeros((1, 3), np.int64))
    assert predictor.count == 5
