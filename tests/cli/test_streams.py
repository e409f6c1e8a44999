# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard streams that are closed, full or without a reader."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import SECONDS, environment
from support.waiting import until

from ffgan.cli.background_writer import LOST, PATIENCE, ROOM
from ffgan.cli.streams import Stream

# A command that says three lines and prints a result; the file `progress` tells how far it came.
PROGRAM = """
import sys
from pathlib import Path
from ffgan import cli
from ffgan.cli import commands, output, parser
def run(arguments):
    for number in range(3):
        output.notice("line " + str(number))
        Path("progress").write_text(str(number))
    print("the result")
    return 0
prints = len(sys.argv) > 1
command = parser.Command("b", "c", lambda parser: None, run, prints)
commands.COMMANDS["info"] = commands.Listed("a", lambda: command)
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


def stopped_terminal() -> tuple[int, int, Callable[[], None]]:
    """The screen of a terminal in which Ctrl+S was pressed, the terminal, and Ctrl+Q."""
    screen, terminal = pty.openpty()
    termios.tcflow(terminal, termios.TCOOFF)
    return screen, terminal, lambda: termios.tcflow(terminal, termios.TCOON)


def full_pipe() -> tuple[int, int, Callable[[], None]]:
    """A pipe into which nothing goes until it is read, and nothing that is to be done for it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, bytes(1 << 16))
    os.set_blocking(writer, True)
    return reader, writer, lambda: None


@pytest.mark.parametrize("blocked", [stopped_terminal, full_pipe])
def test_a_reader_that_stops_reading_holds_up_no_work(
    blocked: Callable[[], tuple[int, int, Callable[[], None]]],
) -> None:
    reader, writer, go_on = blocked()
    lines = [f"line {number}" for number in range(100)]
    with os.fdopen(writer, "w") as file:
        stream = Stream(file, notices=True)
        began = time.monotonic()
        for line in lines:
            print(line, file=stream, flush=True)
        assert time.monotonic() - began < 2 * PATIENCE  # it waits once
        go_on()
        shown = b""

        def read() -> bool:
            nonlocal shown
            shown += os.read(reader, 1 << 16)
            return lines[-1].encode() in shown

        until(read)
    assert shown.lstrip(b"\0").decode().split("\n")[:100] == [
        line + ("\r" if blocked is stopped_terminal else "") for line in lines
    ]
    assert stream.failure is None
    os.close(reader)


def test_of_what_nobody_reads_the_beginning_is_kept_and_the_loss_is_said() -> None:
    reader, writer, _ = full_pipe()
    with os.fdopen(writer, "w") as file:
        stream = Stream(file, notices=True)
        stream.report(0)  # as a server
        for number in range(2 * ROOM // 100):
            stream.write(f"{number:99}\n")
        shown = b""

        def read() -> bool:
            nonlocal shown
            shown += os.read(reader, 1 << 16)
            return LOST in shown

        until(read)
        kept = shown.lstrip(b"\0").removesuffix(LOST).splitlines()
        assert len(kept) + 1 >= ROOM // 100
        assert [int(line) for line in kept] == list(range(len(kept)))
        stream.write("again\n")
        until(lambda: b"again\n" in os.read(reader, 1 << 16))
    os.close(reader)
