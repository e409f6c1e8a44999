# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: `python -m ffgan`, and the scripts `ffgan` and `FFgan`.

Every command calls the same public functions as a user's script would. Whatever goes wrong ends in
one line on stderr: exit status 2 for bad input, 1 for a failure, 130 for Ctrl+C, 143 for SIGTERM,
129 for SIGHUP. An audit that finds signs of copying ends with 3.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import traceback
from collections.abc import Sequence

from ffgan import __version__
from ffgan.cli.commands import COMMANDS
from ffgan.cli.original_flags import modern
from ffgan.cli.output import notice
from ffgan.cli.parser import Parser
from ffgan.cli.streams import Stream, safe_streams
from ffgan.cli.termination import explain_stop, signals_end
from ffgan.errors import Error, UsageError

EXAMPLES = """\
examples:
  ffgan gen 10                       ten faces in a window, one after another
  ffgan gen 100 --out new            a hundred files, new/face-<seed>.png
  ffgan gen 1 --seed 7 --out me.png  the face of seed 7, always the same one
  ffgan dataset out --count 10000    a data set: pictures and labels
  ffgan extract photos faces         cut the faces out of photographs
  ffgan train faces --minutes 120    train on a folder of pictures for two hours
  ffgan explore                      sliders, blends, a gallery, in the browser
  ffgan web                          faces in the browser: http://localhost:9190
  ffgan info                         the networks, the model, the engine
  ffgan project me.jpg               the face nearest to a photograph
  ffgan attributes photos            what the faces in pictures look like
  ffgan evaluate --real photos       how good the model is, in numbers
  ffgan audit --train photos         whether it copies its training images

`ffgan --gen N`, `ffgan --train DIR` and `ffgan --web` mean the same as the
commands of these names. `ffgan COMMAND --help` explains a command. Exit status:
0 done, 2 bad input, 1 failure, 3 signs of copying (audit), 130 Ctrl+C, 143
ended by SIGTERM, 129 by SIGHUP."""

COMMON_OPTIONS = ("--debug", "--help", "-h", "--version", "--")


def build_parser(arguments: Sequence[str]) -> Parser:
    """The parser for a command line; only the commands it names get their options.

    They come from modules that the other commands need not wait for.
    """
    common = Parser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show where in the program an error comes from",
    )
    parser = Parser(
        prog="ffgan",
        description="Faces from a DCGAN, 162x162 pixels: train it, draw from it, serve it.",
        epilog=EXAMPLES,
        parents=[common],
    )
    parser.add_argument("--version", action="version", version=f"ffgan {__version__}")
    parsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=Parser
    )
    for name, listed in COMMANDS.items():
        subparser = parsers.add_parser(name, help=listed.summary, parents=[common])
        if name in arguments:
            command = listed.load()
            subparser.description, subparser.epilog = command.description, command.examples
            command.add_options(subparser)
    return parser


def named_command(arguments: Sequence[str]) -> str | None:
    """The command in a command line, if it names one."""
    return next((word for word in arguments if word in COMMANDS), None)


def check_place(arguments: Sequence[str]) -> None:
    """Raises UsageError for an option that stands before its command."""
    first = next((word for word in arguments if word.partition("=")[0] not in COMMON_OPTIONS), "")
    command = named_command(arguments)
    if first.startswith("-") and command is not None:
        option = first.partition("=")[0]
        raise UsageError(
            f"the option {option} stands before the command: write ffgan {command} ... {option} "
            f"(see ffgan {command} --help)"
        )


def explain(error: BaseException) -> tuple[str, int]:
    """One line and an exit status for whatever ended a command."""
    from ffgan.viewer import missing_library

    if _lost_its_folder(error) or _lost_its_folder(error.__cause__):
        return "error: the current folder has been removed: change to another one", 1
    if isinstance(error, Error):
        return f"error: {error}", error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return explain_stop(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"error: {where}{error.strerror or error}", 1
    if isinstance(error, ImportError):
        return f"error: {missing_library(error) or error}", 1
    if isinstance(error, MemoryError):
        return "error: out of memory", 1
    return f"error: {type(error).__name__}: {error} (--debug shows where)", 1


def met_by_all(error: BaseException, given: Sequence[str]) -> BaseException:
    """The same, or, of a wrong command line of several processes, what the first one says of it."""
    command = named_command(given)
    if isinstance(error, UsageError) and command and COMMANDS[command].load().together:
        from ffgan.cli import together

        return together.met_by_all(error)
    return error


def is_told_elsewhere(error: BaseException) -> bool:
    """Whether another process of `mpiexec` says why all have ended."""
    ranks = sys.modules.get("ffgan.ranks")  # only a command that several may do has loaded it
    return ranks is not None and isinstance(error, ranks.Elsewhere)


def _lost_its_folder(error: BaseException | None) -> bool:
    """Whether something was not found because the current folder is gone."""
    if not isinstance(error, FileNotFoundError) or os.path.isabs(error.filename or ""):
        return False
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own); returns the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    with safe_streams() as (out, _):
        status, printed = run(given)
        out.flush()
        if status == 0 and out.failure is not None:
            status = lost_output(out, printed)
    if argv is None:
        gc.freeze()  # else the process, which ends here, would first look for garbage
    return status


def run(given: Sequence[str]) -> tuple[int, bool]:
    """The exit status of a command line, and whether what it prints is all that it does."""
    printed = True
    try:
        rewritten = modern(given, COMMANDS)
        check_place(rewritten)
        parser = build_parser(rewritten)
        arguments = parser.parse_args(rewritten)
        if arguments.command is None:
            parser.print_help()
            return 2, printed
        command = COMMANDS[arguments.command].load()
        printed = command.prints
        with signals_end():
            return command.run(arguments), printed
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1, printed
    except BaseException as raised:
        error = met_by_all(raised, given)
        if "--debug" in given:
            traceback.print_exception(error)
        text, status = explain(error)
        if not is_told_elsewhere(error):
            notice(" ".join(text.split()))
        return status, printed


def lost_output(out: Stream, printed: bool) -> int:
    """The exit status of a command that did all, where its output could not be written.

    Without a reader nothing is said, and what wrote its results to files has succeeded.
    """
    if out.reader_is_gone:
        return int(printed)
    failure = out.failure
    reason = failure.strerror if isinstance(failure, OSError) else failure
    notice(f"error: the standard output cannot be written: {reason}")
    return 1
