# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of options and commands that there are not."""

from __future__ import annotations

import pytest
from support.commands import only_error

from ffgan import cli
from ffgan.cli.program import build_parser


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("trian photos", "unknown command trian: did you mean ffgan train?"),
        ("dream", "unknown command dream: see ffgan --help"),
        ("--foo", "unknown option --foo (see ffgan --help)"),
        ("gen 1 --sed 4", "unknown option --sed: did you mean --seed?"),
        (
            "gen 1 --age 60",
            "unknown option --age: an attribute is asked for by --set age=VALUE",
        ),
        ("gen 1 --foo", "unknown option --foo (see ffgan gen --help)"),
        ("train photos --foo", "unknown option --foo (see ffgan train --help-all)"),
        ("web --prot=80", "unknown option --prot: did you mean --port?"),
        (
            "--steps 5 train photos",
            "the option --steps stands before the command: write ffgan train ... --steps "
            "(see ffgan train --help)",
        ),
        ("gen 1 2", "too many arguments: 2 (see ffgan gen --help)"),
        (
            "gen 1 --format pgn",
            "argument --format: must be png, jpg or webp, not pgn: did you mean png? "
            "(see ffgan gen --help)",
        ),
        ("info --json=3", "argument --json: takes no value, not '3' (see ffgan info --help)"),
    ],
)
def test_the_error_names_what_was_meant_or_the_help_that_lists_it(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == 2
    assert only_error(capsys) == f"ffgan: error: {said}"


def test_a_negative_number_is_no_option() -> None:
    line = ["gen", "1", "--threshold", "-1e2"]
    assert build_parser(line).parse_args(line).threshold == -100


@pytest.mark.parametrize("origin", ["foo", "https://a.org/", "https://a.org/page", "a.org:80"])
def test_what_is_no_origin_is_refused(origin: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No page of it could ever read a response."""
    assert cli.main(["web", "--cors", origin]) == 2
    line = only_error(capsys)
    assert "--cors must be origins such as https://a.org, without a path" in line
    assert line.endswith(f"not {origin}")


def test_origins_that_browsers_send_are_taken() -> None:
    from ffgan.server import Settings

    origins = ("*", "null", "https://a.org", "http://localhost:8080", "chrome-extension://abc")
    assert Settings(cors=origins).cors == origins
