# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of faces in figures: percentiles, shares of groups, sets side by side."""

from __future__ import annotations

import numpy as np
import pytest

from ffgan.attributes import summary
from ffgan.attributes.measurement import columns
from ffgan.attributes.summary import text


def faces(ages: list[float], tones: list[float]) -> np.ndarray:
    table = np.zeros(len(ages), columns(["age", "gender", "tone", "skin_tone"]))
    table["age"], table["skin_tone"] = ages, tones
    table["gender"] = np.where(np.arange(len(ages)) % 4 == 0, "male", "female")
    table["tone"] = ["" if np.isnan(tone) else "dark" if tone < -30 else "tan" for tone in tones]
    return table


def test_shares_are_of_the_faces_that_were_measured() -> None:
    figures = summary(faces([5, 25, 25, 70], [-40, 20, np.nan, 20]))
    assert figures["faces"] == 4
    assert figures["age"]["median"] == 25
    assert figures["age"]["deviation"] == pytest.approx(np.std([5, 25, 25, 70]))
    shares = figures["age"]["shares"]
    assert shares["0 to 12"] == 0.25 and shares["20 to 29"] == 0.5 and shares["60 and more"] == 0.25
    assert sum(shares.values()) == 1
    assert figures["gender"]["shares"] == {"female": 0.75, "male": 0.25}
    assert figures["tone"]["measured"] == figures["skin_tone"]["measured"] == 3
    assert figures["tone"]["shares"]["dark"] == pytest.approx(1 / 3)


def test_two_sets_stand_side_by_side() -> None:
    one = summary(faces([20, 30, 40], [20, 20, 20]))
    other = summary(faces([60, 60, 60], [np.nan] * 3))
    lines = text({"here": one, "there": other}).splitlines()
    assert lines[0].split() == ["here", "there"]
    assert lines[1].split() == ["3", "faces", "3", "faces"]
    [ages] = [line.split() for line in lines if line.startswith("Age (years)")]
    assert ages[2:4] == ["30", "21"] and ages[6] == "60"
    [tone] = [line for line in lines if line.startswith("Skin tone")]
    assert tone.split()[-1] == "-"  # nothing was measured there


def test_nothing_is_minus_nothing() -> None:
    assert "-0" not in text({"here": summary(faces([-0.2, -0.2], [20, 20]))})


def test_no_face_has_no_figures() -> None:
    figures = summary(faces([], []))
    assert figures["faces"] == 0 and figures["age"] == {"measured": 0}
    assert "0 faces" in text({"nobody": figures})


def test_groups_are_shown_where_only_the_second_set_has_them() -> None:
    grey = summary(faces([20], [np.nan]))
    lines = text({"grey": grey, "there": summary(faces([20, 20], [20, 20]))}).splitlines()
    assert lines[1].split() == ["1", "face", "2", "faces"]
    [tan] = [line.split() for line in lines if line.startswith("  tone group tan")]
    assert tan[-3:] == ["-", "100.0", "%"]


def test_words_are_counted_without_the_numbers_behind_them() -> None:
    whole = faces([20, 30], [20, np.nan])
    assert summary(whole[["gender", "tone"]])["tone"] == summary(whole)["tone"]
