# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from ffgan.faces.pose import FIVE_OF_68, pose

# The points of an average face in space, in units of the face: to the right, down, to the viewer.
HEAD = np.array(
    [[0.3695, 0.0, 0.0], [0.16, 0.0, 0.05], [-0.3695, 0.0, 0.0], [-0.16, 0.0, 0.05],
     [0.0, 0.414, 0.25]]
)  # fmt: skip


def seen(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """The points of the head, pitched, then yawed, then rolled, as a far camera sees them."""
    a, b, c = np.radians([yaw, pitch, roll])
    down = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    right = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    turn = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    points = HEAD @ (turn @ right @ down).T
    return np.rint(points[:, :2] * 1000 + 3000).astype(np.int64)


@pytest.mark.parametrize("angle", [-50, -20, 0, 20, 50])
def test_a_turn_to_the_side_is_measured(angle: float) -> None:
    found = pose(seen(yaw=angle))
    assert found.yaw == pytest.approx(angle, abs=1)
    assert found.pitch == pytest.approx(0, abs=1)


@pytest.mark.parametrize("angle", [-40, -20, 0, 20])
def test_a_nod_is_measured(angle: float) -> None:
    assert pose(seen(pitch=angle)).pitch == pytest.approx(angle, abs=1)
    assert pose(seen(pitch=angle)).yaw == pytest.approx(0, abs=1)


@pytest.mark.parametrize("angle", [-90, -30, 45, 150])
def test_a_tilt_is_measured_and_changes_nothing_else(angle: float) -> None:
    found = pose(seen(yaw=15, pitch=-10, roll=angle))
    assert found.roll == pytest.approx(angle, abs=4)
    upright = pose(seen(yaw=15, pitch=-10))
    assert found.yaw == pytest.approx(upright.yaw, abs=4)
    assert found.pitch == pytest.approx(upright.pitch, abs=4)


def test_of_68_points_the_same_five_count() -> None:
    points = np.zeros((68, 2), np.int64)
    points[list(FIVE_OF_68)] = seen(yaw=25)
    assert pose(points) == pose(seen(yaw=25))


def test_points_that_lie_on_each_other_are_no_error() -> None:
    assert np.isfinite(pose(np.zeros((5, 2), np.int64))).all()
