# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser of the command line, the types of its arguments, and what a command is."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from ffgan.errors import UsageError


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of 80 columns whose examples keep their lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=80)


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors are one line."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", Formatter)
        super().__init__(allow_abbrev=False, **kwargs)
        # Also -1e3 is a number and no option; argparse knows that from Python 3.14 on.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but nothing unknown is left over; the nearest option is named."""
        found, unknown = super().parse_known_args(args, namespace)
        for word in unknown:
            if word.startswith("-") and word.strip("-"):
                raise UsageError(f"unknown option {self._unknown(word)}")
        if unknown:
            self.error(f"too many arguments: {' '.join(unknown)}")
        return found, unknown

    def _unknown(self, word: str) -> str:
        """An option that there is not, and the nearest one or the help that lists them."""
        option = word.partition("=")[0]
        known = {name.lstrip("-"): name for name in self._option_string_actions}
        if "change" in known:  # of those commands that ask for attributes
            from ffgan.attributes.definitions import ATTRIBUTES

            attribute = option.lstrip("-").replace("-", "_")
            if attribute in ATTRIBUTES:
                return f"{option}: an attribute is asked for by --set {attribute}=VALUE"
        near = nearest(option.lstrip("-"), known)
        if near is not None:
            return f"{option}: did you mean {known[near]}?"
        listing = "--help-all" if "help-all" in known else "--help"
        return f"{option} (see {self.prog} {listing})"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raises for a value that is none of the action's choices, with the nearest one."""
        choices = action.choices
        if choices is None or value in choices:
            return
        near = nearest(str(value), [str(choice) for choice in choices])
        if isinstance(action, argparse._SubParsersAction):
            way = f"did you mean {self.prog} {near}?" if near else f"see {self.prog} --help"
            raise UsageError(f"unknown command {value}: {way}")
        *others, last = (str(choice) for choice in choices)
        wanted = f"{', '.join(others)} or {last}" if others else last
        way = f": did you mean {near}?" if near else ""
        raise argparse.ArgumentError(action, f"must be {wanted}, not {value}{way}")

    def error(self, message: str) -> NoReturn:
        message = message.replace("ignored explicit argument", "takes no value, not")
        raise UsageError(f"{message} (see {self.prog} --help)")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant, if one is near."""
    import difflib  # only for what is wrong

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


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


def local_path(text: str) -> Path:
    """An argument type: a path here. Of a URL pathlib would make one, with a folder ``s3:``."""
    if "://" in text:
        from ffgan.locations import Url, place  # many commands need nothing else of it

        if isinstance(place(text), Url):
            raise argparse.ArgumentTypeError(f"must be on this machine, not a URL: {text}")
    return Path(text)


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
    """One subcommand: its help, its options and what it does.

    ``prints``: what it prints is its result; else its results are files or a service. ``together``:
    processes that `mpiexec` has started do it together, and the first one speaks.
    """

    description: str
    examples: str
    add_options: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    prints: bool = False
    together: bool = False
