# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells: bins, shares, and which picture is of which."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from ffgan.errors import UsageError
from ffgan.synthesis.cells import Axis, Cells


def test_bins_are_told_in_words_and_read_again() -> None:
    axis = Axis.of("age=20/40")
    assert [axis.title(place) for place in range(axis.bins)] == [
        "below 20",
        "20 to 40",
        "40 and more",
    ]
    assert [axis.bin_of(age) for age in (3, 19.9, 20, 40, 90, math.nan)] == [0, 0, 1, 2, 2, None]
    assert Axis.of(axis.text) == axis
    assert Axis.of("gender").title(1) == "male"
    assert Axis.of("age").bounds == (13, 20, 30, 40, 50, 60)
    assert Axis.of("skin_tone").bounds == Axis.of("tone").bounds


def test_all_combinations_come_equally_often_in_any_part() -> None:
    cells = Cells.balanced(["age=20/40", "gender"])
    assert len(cells.places) == 6
    assert Counter(map(cells.cell_at, range(100, 160))) == dict.fromkeys(range(6), 10)
    assert cells.title(3) == "age 20 to 40, gender male"
    assert cells.asked(3) == {"age": (20, 40), "gender": "male"}
    assert cells.cell_of({"age": 25.0, "male": 0.9}) == 3
    assert cells.cell_of({"age": math.nan, "male": 0.9}) is None


def test_skin_is_asked_for_by_its_group_which_may_end_beyond_what_a_model_can_do() -> None:
    assert Cells.balanced(["skin_tone"]).asked(0) == {"tone": "dark"}


def test_the_joint_distribution_of_a_table(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = ["30,female,0.1"] * 6 + ["30,male,0.9"] * 3 + ["70,male,0.8"] + [",male,0.9"] * 5
    table.write_text("\n".join(["age,gender,male", *rows]))
    cells = Cells.like(table, ["age=50", "gender"])
    assert [cells.title(cell) for cell in range(3)] == [
        "age below 50, gender female", "age below 50, gender male", "age 50 and more, gender male",
    ]  # fmt: skip
    assert cells.shares == pytest.approx((0.6, 0.3, 0.1))
    for first in (0, 12_345):
        counts = Counter(map(cells.cell_at, range(first, first + 1000)))
        assert [counts[cell] for cell in range(3)] == pytest.approx([600, 300, 100], abs=3)
    assert Cells.like(table).attributes == ("age", "gender")
    words = tmp_path / "words.csv"
    words.write_text("gender\nfemale\nmale\n")
    assert Cells.like(words).shares == (0.5, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aeg", "did you mean 'age'?"),
        ("age=40/20", "give rising bounds"),
        ("age=", "give rising bounds"),
        ("age=nan", "give rising bounds"),
        ("age=x/3", "give rising bounds"),
        ("gender=0.5", "has the bins female, male"),
    ],
)
def test_bins_that_are_none(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        Axis.of(text)


def test_axes_of_one_measurement_and_too_many_cells() -> None:
    with pytest.raises(UsageError, match="measurement is named twice"):
        Cells.balanced(["tone", "skin_tone"])
    with pytest.raises(UsageError, match="cells are too many"):
        Cells.balanced(["age", "yaw", "pitch", "smile", "eye_open", "tone", "hair"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        (b"\xff\xfe\x00", "not a CSV file"),
        (b"", "no column of an attribute"),
        (b"name\nx\n", "no column of an attribute"),
        (b"age\nold\n", "'old' is no value of age"),
        (b"age,age\n20,30\n", "has two columns age"),
        (b"age\n\n", "has no row with age"),
    ],
)
def test_tables_that_are_none(content: bytes | None, said: str, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        Cells.like(table)
    if content == b"age\nold\n":
        with pytest.raises(UsageError, match="no column gender"):
            Cells.like(table, ["gender"])
