# SPDX-License-Identifier: GPL-3.0-or-later
"""The original's command lines: `ffgan --gen 10`, `--train DIR`, `--web`."""

from __future__ import annotations

from collections.abc import Container, Sequence

ORIGINAL_FORMS = {"--train": "train", "--gen": "gen", "--web": "web"}


def modern(arguments: Sequence[str], commands: Container[str]) -> list[str]:
    """The original's `--gen N`, `--train DIR`, `--web` as the commands, before other options."""
    for place, argument in enumerate(arguments):
        if argument in commands or argument == "--":
            break
        flag, equals, value = argument.partition("=")
        if flag in ORIGINAL_FORMS:
            rest = [*([value] if equals else []), *arguments[place + 1 :]]
            return [ORIGINAL_FORMS[flag], *rest, *arguments[:place]]
    return list(arguments)
