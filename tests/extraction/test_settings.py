# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of `extract` as keyword arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffgan.errors import UsageError
from ffgan.extraction import Settings, extract


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 5}, "--size must be from 16 to 4096, not 5"),
        ({"framing": "training", "padding": 0.1}, "has no padding"),
        ({"framing": "loose"}, "--framing must be dlib or training, not 'loose'"),
        ({"min_light": 300}, "--min-light must be from 0 to 255, not 300"),
        ({"per_identity": 0}, "--per-identity must be from 1 to"),
        ({"upsample": 0.5}, "--upsample must be a whole number, not 0.5"),
        ({"duplicates": "all"}, "--duplicates must be hash, embedding or keep"),
        ({"min_sharpnes": 1}, "unknown setting min_sharpnes: did you mean min_sharpness?"),
        ({"btach": 8}, "unknown setting btach: ffgan extract --help-all lists them"),
    ],
)
def test_wrong_settings_are_named(
    photos: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        extract(photos, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_journal_keeps_every_setting_that_changes_the_result() -> None:
    kept = Settings().detection().keys() | Settings().selection().keys()
    assert set(Settings.model_fields) - kept == {"size", "padding", "threads"}
    # Those two stand in the journal as the framing of the chips.
    assert Settings(size=90, padding=0.5).detection()["framing"] == ["dlib", 90, 0.5]
    assert Settings(framing="training").detection()["framing"] == ["training", 162, 0.0]


def test_values_may_be_text_as_in_a_file_or_on_the_command_line() -> None:
    given = Settings(size="90", min_sharpness="1.5", grey="false", landmarks=Path("a.dat"))
    assert (given.size, given.min_sharpness, given.grey) == (90, 1.5, False)
    assert given.landmarks == "a.dat"
    assert given.least_size == 45
