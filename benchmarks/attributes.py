# SPDX-License-Identifier: GPL-3.0-or-later
"""How steadily attributes are measured, and how fast: the tables of docs/attributes.md.

Each face of DIR (162x162 pixels, in the training framing) is measured, and measured again after a
change that does not change the face. What is then different is the error; yaw, roll and light of a
mirror image are compared with their opposites.

    python -m benchmarks.attributes DIR [--count 200] [--fast]     test and retest
    python -m benchmarks.attributes DIR --landmarks                beside dlib's detector
    python -m benchmarks.attributes DIR --known                    known turns, light and brightness
    python -m benchmarks.attributes DIR --speed                    milliseconds of a core
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ffgan import _core, attributes, faces
from ffgan.attributes import ATTRIBUTES, landmarks
from ffgan.attributes.head_pose import head_pose
from ffgan.dataset import Dataset
from ffgan.errors import DatasetError
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB

MIDDLE = ((IMAGE_SIZE - 1) / 2,) * 2
OPPOSITE = ("yaw", "roll", "light")  # of a mirror image


def jpeg(face: RGB) -> RGB:
    content = cv2.imencode(".jpg", face[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    return cv2.imdecode(content, cv2.IMREAD_COLOR)[:, :, ::-1]


def moved(face: RGB, matrix: object) -> RGB:
    size = (IMAGE_SIZE, IMAGE_SIZE)
    return cv2.warpAffine(face, np.asarray(matrix), size, borderMode=cv2.BORDER_REPLICATE)


def turned(face: RGB, degrees: float, scale: float = 1.0) -> RGB:
    return moved(face, cv2.getRotationMatrix2D(MIDDLE, -degrees, scale))


CHANGES: dict[str, Callable[[RGB], RGB]] = {
    "mirror": lambda face: face[:, ::-1],
    "JPEG 75": jpeg,
    "blur": lambda face: cv2.GaussianBlur(face, (0, 0), 1.0),
    "1 pixel": lambda face: moved(face, np.float32([[1, 0, 1], [0, 1, 1]])),
    "2 % larger": lambda face: turned(face, 0, 1.02),
    "brighter": lambda face: np.clip(face * 1.15, 0, 255).astype(np.uint8),
    "grey": lambda face: cv2.cvtColor(
        cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB
    ),
}


def read(directory: Path, count: int) -> RGB:
    with Dataset(directory) as dataset:
        found = []
        for index in range(len(dataset)):
            try:
                found.append(dataset.image(index))
            except DatasetError as error:
                print(error, file=sys.stderr)
            if len(found) == count:
                break
    return np.stack(found)


def changed(images: RGB, change: Callable[[RGB], RGB]) -> RGB:
    return np.stack([np.ascontiguousarray(change(np.ascontiguousarray(face))) for face in images])


def numbers() -> list[str]:
    return list(dict.fromkeys(one.column for one in ATTRIBUTES.values()))


def test_and_retest(images: RGB, robust: bool) -> None:
    """Prints by how much each attribute differs: the mean, and what 5 % exceed."""
    before = attributes.measure(images, robust=robust)
    print(
        f"{len(images)} faces, " + ("robust" if robust else "fast") + ": mean / 95th percentile\n"
    )
    print("| attribute | between faces | " + " | ".join(CHANGES) + " | in deviations |")
    print("|---|---|" + "---|" * len(CHANGES) + "---|", flush=True)
    after = {
        name: attributes.measure(changed(images, change), robust=robust)
        for name, change in CHANGES.items()
    }
    for column in numbers():
        spread = float(np.nanstd(before[column]))
        cells, shares = [], []
        for name, table in after.items():
            sign = -1 if name == "mirror" and column in OPPOSITE else 1
            difference = np.abs(sign * table[column] - before[column])
            difference = difference[np.isfinite(difference)]
            if not len(difference):
                cells.append("-")
                continue
            ends = difference.mean(), np.percentile(difference, 95)
            cells.append(" / ".join(f"{end:.2g}" if end > spread / 1000 else "0" for end in ends))
            if name != "grey":
                shares.append(difference.mean() / max(spread, 1e-9))
        print(f"| {column} | {spread:.3g} | {' | '.join(cells)} | {np.mean(shares):.2f} |")
    other = {name: np.mean(table["gender"] != before["gender"]) for name, table in after.items()}
    print("\nother gender: " + ", ".join(f"{name} {share:.1%}" for name, share in other.items()))


def compare_landmarks(images: RGB) -> None:
    """Prints how far landmarks from the fixed box are from those of the detector's box."""
    apart, turns, missed = [], [], 0
    for face in images:
        boxes = faces.detect(face)
        own = landmarks.find(face, 68, robust=False)
        if not boxes:
            missed += 1
            continue
        points = faces.landmarks(face, boxes[:1], count=68)[0]
        apart.append(np.linalg.norm(points - own, axis=1))
        turns.append(abs(head_pose(own).yaw))
    distance = np.array(apart)
    print(f"{len(distance)} faces found by the detector, {missed} not; pixels apart")
    groups = {"all": np.ones(len(turns), bool)}
    for low, high in ((0, 10), (10, 20), (20, 90)):
        groups[f"yaw {low} to {high}"] = (np.array(turns) >= low) & (np.array(turns) < high)
    for name, some in groups.items():
        if some.any():
            each = distance[some].mean(axis=1)
            inner = distance[some][:, 17:].mean()
            print(
                f"{name:14} {some.sum():5} faces: mean {each.mean():.2f}, without the jaw "
                f"{inner:.2f}, 95 % below {np.percentile(each, 95):.2f}, most {each.max():.2f}"
            )


def known_changes(images: RGB) -> None:
    """Prints what is measured of a change that is known."""
    before = attributes.measure(images)
    for degrees in (-10, -5, 5, 10):
        after = attributes.measure(
            changed(images, lambda face, by=degrees: turned(face, by)), ["yaw", "pitch", "roll"]
        )
        roll = after["roll"] - before["roll"]
        others = [np.abs(after[name] - before[name]).mean() for name in ("yaw", "pitch")]
        print(
            f"turned by {degrees:3} degrees: roll {roll.mean():+.2f}, deviation {roll.std():.2f}; "
            f"yaw and pitch change by {others[0]:.2f} and {others[1]:.2f}"
        )
    ramp = np.linspace(-0.15, 0.15, IMAGE_SIZE)[None, :, None]
    for sign in (-1, 1):
        shaded = np.clip(images * (1 + sign * ramp), 0, 255).astype(np.uint8)
        after = attributes.measure(shaded, ["light", "yaw", "age"])
        light, yaw, age = (after[name] - before[name] for name in ("light", "yaw", "age"))
        side = "right" if sign > 0 else "left"
        print(
            f"30 % more light from the {side}: light {light.mean():+.1f}, deviation "
            f"{light.std():.1f}; yaw {np.abs(yaw).mean():.2f}, age {np.abs(age).mean():.2f}"
        )


def speed(images: RGB, directory: Path) -> None:
    """Prints the milliseconds of one core for each face, by attribute, and from files."""
    _core.set_threads(1)
    print("| attribute | robust, ms | fast, ms |\n|---|---|---|", flush=True)
    for name in (*ATTRIBUTES, None):
        cells = []
        for robust in (True, False):
            attributes.measure(images[:2], name and [name], robust=robust)
            began = time.process_time()
            attributes.measure(images, name and [name], robust=robust)
            cells.append(f"{(time.process_time() - began) / len(images) * 1000:.2f}")
        print(f"| {name or 'all'} | {' | '.join(cells)} |", flush=True)
    files = sorted(path for path in directory.iterdir() if path.is_file())[: len(images)]
    cells = []
    for robust in (True, False):
        began = time.process_time()
        attributes.measure_files(files, robust=robust)
        cells.append(f"{(time.process_time() - began) / len(files) * 1000:.2f}")
    print(f"| all, from files | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="faces of 162x162 pixels")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--fast", action="store_true", help="without averaging")
    parser.add_argument("--landmarks", action="store_true")
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    images = read(given.directory, given.count)
    if given.landmarks:
        compare_landmarks(images)
    elif given.known:
        known_changes(images)
    elif given.speed:
        speed(images, given.directory)
    else:
        test_and_retest(images, robust=not given.fast)


if __name__ == "__main__":
    main()
