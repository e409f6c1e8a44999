# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser of the command line, the types of its arguments, and what a command is."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
from collections.abc import Callable
from typing import Any, NoReturn

from ffgan.errors import UsageError


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help whose examples keep their lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=100)


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors are one line."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", Formatter)
        super().__init__(allow_abbrev=False, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but nothing unknown is left over; the nearest option is named."""
        found, unknown = super().parse_known_args(args, namespace)
        for word in unknown:
            option = word.partition("=")[0]
            near = difflib.get_close_matches(option, self._option_string_actions, n=1)
            if option.startswith("-") and near:
                raise UsageError(f"unknown option {option}: did you mean {near[0]}?")
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def integer(low: int, high: int) -> Callable[[str], int]:
    """An argument type: a whole number from `low` to `high`, both included."""

    def parse(text: str) -> int:
        value = whole(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be from {low} to {high}, not {text}")
        return value

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """An argument type: a number from `low` to `high`, both included."""

    def parse(text: str) -> float:
        value = real(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be from {low:g} to {high:g}, not {text}")
        return value

    return parse


def whole(text: str) -> int:
    """An argument type: a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not '{text}'") from None


def real(text: str) -> float:
    """An argument type: a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not '{text}'") from None


@dataclasses.dataclass(frozen=True)
class Command:
    """One subcommand: its line in the overview, its help, its options and what it does.

    ``prints``: what it prints is its result; else its results are files or a service.
    """

    summary: str
    description: str
    examples: str
    add_options: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    prints: bool = False
