# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard streams that are closed, full or without a reader."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import SECONDS, environment

from ffgan.cli.streams import Stream

# A command that says three lines and prints a result; the file `progress` tells how far it came.
PROGRAM = """
import sys
from pathlib import Path
from ffgan import cli
from ffgan.cli import output, parser, program
def run(arguments):
    for number in range(3):
        output.notice("line " + str(number))
        Path("progress").write_text(str(number))
    print("the result")
    return 0
prints = len(sys.argv) > 1
program.COMMANDS["info"] = parser.Command("a", "b", "c", lambda parser: None, run, prints)
sys.exit(cli.main(["info"]))
"""


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The script in a shell, PROGRAM for ``program``; its status is that of the script."""
    (cwd / "program.py").write_text(PROGRAM)
    return subprocess.run(
        ["bash", "-c", script.replace("program", f"{sys.executable} program.py")],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&- 2>&-"])
def test_closed_streams_change_nothing_else(closed: str, tmp_path: Path) -> None:
    done = shell(f"program {closed}", tmp_path)
    assert done.returncode == 0
    # What is opened later does not get the number of a closed stream, and what is printed there.
    assert (tmp_path / "progress").read_text() == "2"
    assert done.stdout == (
        ""
        if ">&- " in closed + " " and not closed.startswith("<&- 2") and closed != "2>&-"
        else "the result\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("program 2> /dev/full", 0, "the result\n"),
        ("program 2>&1 > out | true; exit ${PIPESTATUS[0]}", 0, ""),
        ("program 2>&1 | (head -1; sleep 1); exit ${PIPESTATUS[0]}", 0, "ffgan: line 0\n"),
        ("program prints | true; exit ${PIPESTATUS[0]}", 1, ""),
        ("program | true; exit ${PIPESTATUS[0]}", 0, ""),
        ("program > /dev/full", 1, ""),
        ("program prints > /dev/full", 1, ""),
    ],
)
def test_what_cannot_be_written_stops_no_work(
    script: str, status: int, said: str, tmp_path: Path
) -> None:
    done = shell(script, tmp_path)
    assert (done.returncode, done.stdout) == (status, said)
    assert (tmp_path / "progress").read_text() == "2"
    full = "> /dev/full" in script and "2>" not in script
    lines = [line for line in done.stderr.splitlines() if not line.startswith("ffgan: line")]
    expected = "ffgan: error: the standard output cannot be written: No space left on device"
    assert lines == ([expected] if full else [])


def test_a_reader_that_goes_away_is_remembered_and_the_rest_goes_nowhere() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as pipe:
        stream = Stream(pipe)
        stream.write("read\n")
        stream.flush()
        assert stream.failure is None
        assert os.read(reader, 100) == b"read\n"
        os.close(reader)
        for _ in range(2):
            stream.write("not read\n")
            stream.flush()
        assert stream.reader_is_gone
        # Also what a library of C prints.
        assert os.write(writer, b"more") == 4


def test_a_disk_that_is_full_for_a_while_loses_what_was_written_then(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        stream = Stream(full)
        stream.write("lost\n")
        stream.flush()
        assert isinstance(stream.failure, OSError)
        assert stream.failure.errno == errno.ENOSPC
        assert not stream.reader_is_gone
        with (tmp_path / "log").open("w") as log:
            os.dup2(log.fileno(), full.fileno())  # there is room again
            stream.write("kept\n")
            stream.flush()
        assert (tmp_path / "log").read_text().endswith("kept\n")


def test_a_closed_stream_raises_nothing(tmp_path: Path) -> None:
    file = (tmp_path / "log").open("w")
    stream = Stream(file)
    file.close()
    assert stream.write("text") == 4
    stream.flush()
    assert isinstance(stream.failure, ValueError)
