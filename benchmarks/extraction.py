# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what docs/extract.md says of `ffgan extract`: faces found, landmarks, framing, turns.

    python benchmarks/extraction.py --photos DLIB/examples/faces
    python benchmarks/extraction.py --synthetic FACES --count 10000

The photographs are those of dlib's own examples, with their boxes and landmarks in *.xml, from
dlib's repository. The synthetic faces fill their pictures, as tools/synthesize_faces.py makes them;
each is put into a larger one, turned, moved and scaled, and has to come back to where it was.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np

import ffgan
from ffgan import _core, extraction, faces, images
from ffgan.faces import alignment, orientation
from ffgan.faces.pose import pose
from ffgan.typing import RGB

BOXES = ("training.xml", "testing.xml")
LANDMARKS = ("training_with_face_landmarks.xml", "testing_with_face_landmarks.xml")
SAME = 0.4  # intersection over union from which a box is the true one; dlib's boxes are coarse
SETTINGS: tuple[tuple[faces.Detector, int], ...] = (
    ("hog", 0),
    ("hog", 1),
    ("hog", 2),
    ("cnn", 0),
    ("cnn", 1),
    ("cnn", 2),
)
FIVE_OF_68 = (45, 42, 36, 39, 33)
CANVAS = 400


def truth(folder: Path, files: Sequence[str]) -> Iterator[tuple[str, RGB, np.ndarray, list]]:
    """Name, picture, boxes (k, 4), and landmarks (k, 68, 2) where there are any."""
    for file in files:
        for image in ElementTree.parse(folder / file).getroot().iter("image"):
            boxes, points = [], []
            for box in image.iter("box"):
                left, top, width, height = (
                    int(box.get(name, "")) for name in ("left", "top", "width", "height")
                )
                boxes.append((left, top, left + width, top + height))
                points.append(
                    [(int(p.get("x", "")), int(p.get("y", ""))) for p in box.iter("part")]
                )
            name = image.get("file", "")
            yield name, images.decode((folder / name).read_bytes()), np.array(boxes), points


def overlaps(boxes: Sequence[faces.Box], true: np.ndarray) -> np.ndarray:
    """Intersection over union of each found box with each true one."""
    found = np.array([(b.left, b.top, b.right, b.bottom) for b in boxes]).reshape(-1, 1, 4)
    size = np.minimum(found[..., 2:], true[..., 2:]) - np.maximum(found[..., :2], true[..., :2])
    common = np.prod(np.maximum(size, 0), axis=-1)
    areas = [np.prod(b[..., 2:] - b[..., :2], axis=-1) for b in (found, true)]
    return common / (areas[0] + areas[1] - common)


def detection(folder: Path) -> None:
    """Recall, false alarms and speed of both detectors; one core."""
    photos = list(truth(folder, BOXES))
    total = sum(len(true) for _, _, true, _ in photos)
    megapixels = sum(image.size / 3e6 for _, image, _, _ in photos)
    print(f"{len(photos)} photographs with {total} true boxes, {megapixels:.2f} megapixels")
    print("| detector | upsample | found | false alarms | s per megapixel and core |")
    print("|---|---|---|---|---|")
    _core.set_threads(1)
    for detector, upsample in SETTINGS:
        faces.detect(photos[0][1], detector=detector, upsample=upsample)  # reads the network
        hits = false = 0
        began = time.process_time()  # so that other work on the machine does not count
        results = [faces.detect(p[1], detector=detector, upsample=upsample) for p in photos]
        seconds = time.process_time() - began
        for (_, _, true, _), boxes in zip(photos, results, strict=True):
            overlap = overlaps(boxes, true)
            while overlap.size and overlap.max() >= SAME:
                found, box = np.unravel_index(overlap.argmax(), overlap.shape)
                overlap[found], overlap[:, box] = 0, 0
                hits += 1
                false -= 1
            false += len(boxes)
        print(
            f"| {detector} | {upsample} | {hits} of {total} | {false} "
            f"| {seconds / megapixels:.2f} |",
            flush=True,
        )


def landmarks(folder: Path) -> None:
    """Distance of the points from the true ones, as a share of that between the outer eye corners.

    The faces are those that hog finds with one upsampling.
    """
    for count in (5, 68):
        errors = []
        for _, image, true, points in truth(folder, LANDMARKS):
            boxes = faces.detect(image, upsample=1)
            overlap = overlaps(boxes, true)
            found = faces.landmarks(image, boxes, count=count)
            for i in range(len(boxes)):
                if overlap[i].max() < SAME:
                    continue
                right = np.array(points[overlap[i].argmax()], float)
                eyes = np.linalg.norm(right[36] - right[45])
                right = right if count == 68 else right[list(FIVE_OF_68)]
                errors.append(np.linalg.norm(found[i] - right, axis=1).mean() / eyes)
        print(
            f"{count} landmarks of {len(errors)} faces: mean error {np.mean(errors):.1%}, "
            f"median {np.median(errors):.1%}, largest {np.max(errors):.1%} of the eyes' distance"
        )


def padded(face: RGB, seed: int) -> tuple[RGB, np.ndarray]:
    """The face in a larger picture, turned and scaled; and where its corners are there (4, 2)."""
    random = np.random.default_rng(seed)
    scale, angle = random.uniform(0.8, 1.6), random.uniform(-20, 20)
    side = face.shape[0]
    to = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
    to[:, 2] += CANVAS / 2 - side / 2 + random.uniform(-25, 25, 2)
    # What lies around is the face's own border, blurred: a sharp edge would be no photograph.
    around = cv2.GaussianBlur(
        cv2.warpAffine(face, to, (CANVAS, CANVAS), borderMode=cv2.BORDER_REPLICATE), (0, 0), 4
    )
    inside = cv2.warpAffine(np.ones(face.shape, np.float32), to, (CANVAS, CANVAS))
    sharp = cv2.warpAffine(
        face, to, (CANVAS, CANVAS), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    picture = (inside * sharp + (1 - inside) * around).round().astype(np.uint8)
    end = side - 0.5
    corners = np.array([(-0.5, -0.5, 1), (end, -0.5, 1), (end, end, 1), (-0.5, end, 1)])
    return picture, corners @ to.T


def seed_of(path: Path) -> int:
    """A seed of its own for each file."""
    return zlib.crc32(path.stem.encode())


def corners_of(square: np.ndarray, size: int) -> np.ndarray:
    """The outer corners (4, 2) of a chip of that size, in the photograph."""
    x, y, dlib_side, angle = square
    side = (dlib_side - 1) * size / (size - 1)
    half = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * side / 2
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    return half @ turn + (x, y)


def find(picture: RGB, middle: np.ndarray) -> tuple[str, list[faces.Box]]:
    """The face around that place, and what found it: the cheapest that does."""
    for detector, upsample in (("hog", 0), ("hog", 1), ("cnn", 1)):
        boxes = faces.detect(picture, detector=detector, upsample=upsample)
        for box in boxes:
            place = np.array([box.left + box.right, box.top + box.bottom]) / 2
            if np.hypot(*(place - middle)) < 60:
                return f"{detector}, upsample {upsample}", [box]
    return "nothing", []


def back_again(path: Path) -> tuple[str, float, float]:
    """What finds a face, and how far corners and middle are off, in pixels of its own 162."""
    face = images.decode(path.read_bytes())
    picture, true = padded(face, seed_of(path))
    finder, boxes = find(picture, true.mean(axis=0))
    if not boxes:
        return finder, np.nan, np.nan
    points = faces.landmarks(picture, boxes, count=68)
    size = alignment.SIZES["training"]
    [square] = alignment.squares(points, "training", size=size, padding=0)
    off = corners_of(square, size) - true
    pixel = np.linalg.norm(true[1] - true[0]) / face.shape[0]
    corners = np.linalg.norm(off, axis=1).mean() / pixel
    return finder, float(corners), float(np.linalg.norm(off.mean(axis=0)) / pixel)


def framings(folder: Path, count: int, workers: int) -> None:
    """Faces of the training set, padded into larger pictures: are they found, and where."""
    paths = sorted(folder.glob("*.jpg"))
    paths = paths[:: max(len(paths) // count, 1)][:count]
    began = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(back_again, paths))
    seconds = time.perf_counter() - began
    by = Counter(finder for finder, _, _ in results)
    errors = np.array([off for finder, *off in results if finder != "nothing"])
    print(f"{len(paths)} synthetic faces, {seconds:.0f} s; found by")
    for finder, count_of in by.most_common():
        print(f"  {finder}: {count_of}")
    for name, column in zip(("corners", "middle"), errors.T, strict=True):
        quantiles = np.quantile(column, (0.5, 0.9, 0.99))
        print(
            f"{name}: off by {quantiles[0]:.2f} pixels in the median, {quantiles[1]:.2f} in 90 % "
            f"and {quantiles[2]:.2f} in 99 %; within 2 pixels {np.mean(column <= 2):.1%}"
        )


def turned_back(picture: RGB, detector: faces.Detector, middle: np.ndarray) -> np.ndarray:
    """For each quarter turn (4,): 1 where a face is found as it lies, -1 otherwise, 0 for none."""
    result = np.zeros(4, int)
    for turn in range(4):
        lying = np.ascontiguousarray(np.rot90(picture, -turn))
        place = middle.copy()
        for k in range(turn):
            place = np.array([picture.shape[k % 2] - 1 - place[1], place[0]])
        for face in orientation.find(lying, detector=detector):
            at = np.array([face.box.left + face.box.right, face.box.top + face.box.bottom]) / 2
            leaning = (pose(face.points).roll - 90 * turn + 180) % 360 - 180
            right = face.turn == turn and abs(leaning) < 50 and np.hypot(*(at - place)) < 60
            if face.fits:
                result[turn] = 1 if right and result[turn] >= 0 else -1
    return result


def orientations(folder: Path, count: int, workers: int) -> None:
    """Faces in pictures that lie on their side: how many come back, how many of them wrong."""
    paths = sorted(folder.glob("*.jpg"))
    paths = paths[:: max(len(paths) // count, 1)][:count]
    pictures = [padded(images.decode(path.read_bytes()), seed_of(path)) for path in paths]
    print(f"{len(paths)} synthetic faces, by how many quarter turns they lie")
    print("| detector | | 0 | 1 | 2 | 3 |")
    print("|---|---|---|---|---|---|")
    for detector in faces.DETECTORS:
        with ThreadPoolExecutor(workers) as pool:
            jobs = [(p, detector, true.mean(axis=0)) for p, true in pictures]
            results = np.array(list(pool.map(lambda job: turned_back(*job), jobs)))
        for what, value in (("right", 1), ("wrong", -1)):
            counts = " | ".join(str(n) for n in (results == value).sum(axis=0))
            print(f"| {detector} | {what} | {counts} |", flush=True)


def photographs_turned(folder: Path) -> None:
    """Photographs that lie: faces found in each turn; and what looking for nothing costs."""
    photos = list(truth(folder, BOXES))
    for detector in faces.DETECTORS:
        line = []
        for turn in range(4):
            found = wrong = 0
            for _, image, _, _ in photos:
                lying = np.ascontiguousarray(np.rot90(image, -turn))
                every = orientation.find(lying, detector=detector, upsample=1)
                found += sum(face.fits for face in every)
                wrong += sum(face.fits and face.turn != turn for face in every)
            line.append(f"{found} ({wrong} wrong)")
        print(f"{detector}: faces in {len(photos)} photographs, by turn: {', '.join(line)}")
    empty = [np.ascontiguousarray(np.tile(image[:60, :60], (8, 8, 1))) for _, image, _, _ in photos]
    _core.set_threads(1)
    for detector in faces.DETECTORS:
        for rotate in ("never", "auto"):
            began = time.process_time()
            faces_of = [orientation.find(e, detector=detector, rotate=rotate) for e in empty]
            seconds = (time.process_time() - began) / sum(e.size / 3e6 for e in empty)
            found = sum(map(len, faces_of))
            print(
                f"{detector}, {rotate}: no faces in {len(empty)}, found {found}, {seconds:.2f} s/MP"
            )


def damaged(picture: RGB, corners: np.ndarray) -> dict[str, RGB]:
    """The picture, and what could be wrong with it; the face's square has these corners."""
    pixel = np.linalg.norm(corners[1] - corners[0]) / alignment.SIZES["training"]
    left = int(corners[:, 0].min() + 30 * pixel)
    small = 60 / alignment.SIZES["training"] / pixel
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return {
        "as it is": picture,
        "saved again at 3/4": resized(picture, 0.75),
        "blurred, sigma 2.5 pixels": cv2.GaussianBlur(picture, (0, 0), 2.5 * pixel),
        "at a quarter of the light": (picture * 0.25).astype(np.uint8),
        "overexposed": np.clip(picture * 2.5 + 60.0, 0, 255).astype(np.uint8),
        "without colour": cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB),
        "cut off by 30 of 162 pixels": np.ascontiguousarray(picture[:, max(left, 1) :]),
        "60 pixels": resized(picture, small),
    }


def resized(picture: RGB, factor: float) -> RGB:
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def reasons(folder: Path, count: int) -> None:
    """A messy folder: what `extract` says of faces of which each has something wrong with it."""
    paths = sorted(folder.glob("*.jpg"))
    paths = paths[:: max(len(paths) // count, 1)][:count]
    with tempfile.TemporaryDirectory(prefix="ffgan-extraction-") as name:
        photos = Path(name) / "photos"
        photos.mkdir()
        kinds: list[str] = []
        for path in paths:
            picture, corners = padded(images.decode(path.read_bytes()), seed_of(path))
            for kind, (what, image) in enumerate(damaged(picture, corners).items()):
                quality = 70 if kind == 1 else 95
                data = images.encode(image, "jpg", quality)
                (photos / f"{path.stem}-{kind}.jpg").write_bytes(data)
                kinds = [*kinds, what] if len(kinds) == kind else kinds
        began = time.process_time()
        out = Path(name) / "out"
        result = ffgan.extract(photos, out, grey=False, framing="training", min_size=81, sheet=0)
        seconds = time.process_time() - began
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
        with (out / extraction.MANIFEST).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                kind = kinds[int(row["photo"][: -len(".jpg")].rpartition("-")[2])]
                counts[kind][row["reason"] or "kept"] += 1
        rate = result.photos / seconds
        print(f"{result.photos} pictures of some {CANVAS}x{CANVAS}, {rate:.1f} a second and core")
        print(f"| {len(paths)} faces | what extract says |")
        print("|---|---|")
        for kind, of_kind in counts.items():
            of_kind["not found"] = max(len(paths) - of_kind.total(), 0)
            said = ", ".join(f"{reason} {n}" for reason, n in of_kind.most_common() if n)
            print(f"| {kind} | {said} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="dlib's examples/faces, with its *.xml")
    parser.add_argument("--synthetic", type=Path, help="folder of faces like the training set's")
    parser.add_argument("--count", type=int, default=1000, help="how many of these")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.photos is None and options.synthetic is None:
        parser.error("give --photos or --synthetic")
    if options.photos is not None:
        detection(options.photos)
        landmarks(options.photos)
        photographs_turned(options.photos)
    if options.synthetic is not None:
        framings(options.synthetic, options.count, options.workers)
        orientations(options.synthetic, max(options.count // 50, 1), options.workers)
        reasons(options.synthetic, max(options.count // 10, 1))


if __name__ == "__main__":
    main()
