# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan dataset`: its options, its line, and the command in the data card."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.commands import only_error

from ffgan import cli

SMALL = ["--count", "6", "--shard-size", "4", "--attributes", "none"]


def test_a_line_tells_what_was_made_and_the_card_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["dataset", str(tmp_path / "a set"), *SMALL, "--split", "train=0.5,test=0.5"]
    monkeypatch.setattr(sys, "argv", ["ffgan", *given])
    assert cli.main(given) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("6 pictures in 2 shards, 0.1 MB, ")
    assert captured.out.endswith(f" s: {tmp_path}/a set\n")
    card = (tmp_path / "a set" / "README.md").read_text()
    assert "\n    ffgan dataset OUT --count 6 --shard-size 4 " in card
    assert str(tmp_path) not in card
    (tmp_path / "a set" / "train" / "00000" / "000000001.jpg").unlink()
    assert cli.main(given) == 0
    captured = capsys.readouterr()
    assert captured.err == "ffgan: 3 of 6 pictures are there\n"
    assert captured.out.startswith("6 pictures in 2 shards, 3 of them made now, 0.1 MB, ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--count", "0"], "must be from 1 to"),
        ([], "say how many pictures"),
        (["--count", "3", "--where", "age >"], "it is not an expression"),
        (["--count", "3", "--balance", "aeg"], "did you mean 'age'?"),
        (["--count", "3", "--split", "train"], "give shares, such as train=0.9,test=0.1"),
        (["--count", "3", "--attributes", ","], "--attributes: give all, none, or"),
        (["--count", "3", "--set", "age"], "give NAME=VALUE"),
        (["--count", "3", "--format", "zip"], "must be folder, parquet"),
    ],
)
def test_bad_input_is_told_in_one_line(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["dataset", str(tmp_path / "set"), *options]) == 2
    assert said in only_error(capsys)
    assert not (tmp_path / "set").exists()
