# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a command that follow from its model of settings (`ffgan.settings`)."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ffgan.cli.output import notice
from ffgan.cli.parser import Parser, local_path
from ffgan.settings import BaseSettings, Setting, assignment, read_file


def add_settings(
    parser: Parser,
    model: type[BaseSettings],
    *,
    without: Collection[str] = (),
    defaults: Mapping[str, str] | None = None,
) -> None:
    """Give `parser` an option for each setting but those in `without`, and what goes with them.

    ``defaults`` are what help says of settings whose default is not that of the model. The options
    that go with them are ``--config``, ``--set`` and ``--help-all``; ``--help`` shows the common
    settings only. What is not given is left out of the namespace, so that `given_settings` finds
    what was.
    """
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=local_path,
        action="append",
        help="TOML file of settings, lines such as batch = 16; repeatable, later files override "
        "earlier ones, and options all of them (default: no file)",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action=_Set,
        model=model,
        help="any setting by its name; repeatable (default: none)",
    )
    parser.add_argument(
        "--help-all",
        action=_HelpAll,
        help="show all settings, also those that few people need (default: the common ones)",
    )
    groups: dict[str, Any] = {}
    for about in model.about().values():
        if about.name not in without:
            if about.group not in groups:
                groups[about.group] = parser.add_argument_group(about.group)
            default = (defaults or {}).get(about.name, about.shown_default)
            _add(groups[about.group], about, default)


def given_settings(arguments: argparse.Namespace, model: type[BaseSettings]) -> dict[str, Any]:
    """The settings that a command line gives, checked: those of ``--config``, over them options.

    A line says which settings of a file another one overrides. Raises UsageError for a file that
    cannot be read, an unknown name and a wrong value.
    """
    given: dict[str, Any] = {}
    for file in arguments.config or ():
        settings = read_file(file, model)
        if changed := [
            name for name in settings if given.get(name, settings[name]) != settings[name]
        ]:
            notice(f"{file} overrides {', '.join(changed)} of the files before it")
        given |= settings
    options = {k: v for k, v in vars(arguments).items() if k in model.model_fields}
    return {**given, **model.checked(options)}


def _add(group: Any, about: Setting, default: str) -> None:
    text = f"{about.help} (default: {default})".replace("%", "%%")
    more: dict[str, Any] = {"metavar": about.metavar}
    if about.type is bool:
        more = {"action": argparse.BooleanOptionalAction}
    option = group.add_argument(
        about.flag,
        default=argparse.SUPPRESS,
        help=text if about.common else argparse.SUPPRESS,
        **more,
    )
    option.full_help = text


class _HelpAll(argparse.Action):
    """Print the help of every option, also of those that ``--help`` leaves out."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, 0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        for option in parser._actions:
            option.help = getattr(option, "full_help", option.help)
        parser.print_help()
        parser.exit()


class _Set(argparse.Action):
    """Store ``name=value`` as the option of that name would."""

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        model: type[BaseSettings],
        metavar: str,
        help: str,
    ) -> None:
        super().__init__(
            option_strings,
            argparse.SUPPRESS,
            default=argparse.SUPPRESS,
            metavar=metavar,
            help=help,
        )
        self._model = model

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, text: Any, *_: Any
    ) -> None:
        setattr(namespace, *assignment(text, self._model))
