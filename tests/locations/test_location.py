# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of places, and patterns of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ffgan.errors import UsageError
from ffgan.locations import expand_braces, locate, shown


@pytest.mark.parametrize(
    "pattern",
    [
        "faces-{000..011}.tar", "{a,b}-{1..3}", "x{9..11}y", "{3..1}", "plain", "{alone}",
        "{}", "a{,b}",
    ],
)  # fmt: skip
def test_braces_stand_for_what_a_shell_makes_of_them(pattern: str) -> None:
    shell = subprocess.run(["bash", "-c", f"echo {pattern}"], capture_output=True, text=True)
    assert expand_braces(pattern) == shell.stdout.split()


def test_braces_without_end_are_refused() -> None:
    with pytest.raises(UsageError, match="names more than 1,000,000 files"):
        expand_braces("{0..999999999999999999}")


def test_a_url_keeps_its_slashes() -> None:
    assert str(locate("s3://bucket/faces/")) == "s3://bucket/faces/"
    assert locate("s3://bucket/faces/").name == "faces"
    assert shown(locate("s3://bucket/faces/"), b"a.png") == "s3://bucket/faces/a.png"
    assert locate("faces") == Path("faces").absolute()
    assert shown(Path("/a\nb"), b"\xff") == r"/a\nb/\xff"
