# SPDX-License-Identifier: GPL-3.0-or-later
"""Declarative settings: what is said once about a setting is checked, documented and offered.

A model of settings is a class of fields, each declared by `setting` with its default, range, help
and group. Its checks, the options of the command line (`ffgan.cli.settings_options`), what a TOML
file may hold and the table in the documentation follow from that.

This module imports pydantic: import it only where a command or a function needs settings.

Examples:
    >>> class Settings(BaseSettings):
    ...     command = "ffgan train"
    ...     batch: int = setting(64, ge=2, le=4096, group="training", help="images per step")
    >>> Settings(batch=1)
    Traceback (most recent call last):
        ...
    ffgan.errors.UsageError: --batch must be from 2 to 4096, not 1
    >>> Settings(btach=8)
    Traceback (most recent call last):
        ...
    ffgan.errors.UsageError: unknown setting btach: did you mean batch?
"""

from __future__ import annotations

import difflib
import os
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ffgan.errors import UsageError
from ffgan.locations import Url, place

if TYPE_CHECKING:
    from typing_extensions import Self

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BOUNDS = ("gt", "ge", "lt", "le")
MOST_BYTES = 1 << 20  # of a file of settings
LIMIT = 2**64  # of whole numbers, also where a setting has none
NUMBERS = {int: "a whole number", float: "a number"}


class _IsPath:
    """Marks the type of a field that names a place on this machine."""


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("a path")
    return text


PathText = Annotated[str, AfterValidator(_path), _IsPath()]
"""The type of a setting that is a path, kept as text."""


def _local(text: str) -> str:
    if isinstance(place(text), Url):
        raise ValueError("a path on this machine")
    return text


LocalPathText = Annotated[PathText, AfterValidator(_local)]
"""The type of one that cannot be a URL."""


def setting(
    default: Any,
    *,
    help: str,
    group: str,
    metavar: str | None = None,
    absent: str = "none",
    common: bool = False,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    **marks: str | bool,
) -> Any:
    """Declare a field of a `BaseSettings`.

    ``help`` is one line, ``group`` the heading that it stands under, ``metavar`` what help calls
    its value, ``absent`` what help says where the default is None or empty. ``common`` settings
    are in ``--help``, the others in ``--help-all`` only. ``gt``, ``ge``, ``lt`` and ``le`` bound a
    number: above, at least, below, at most. Any other keyword marks the setting for whoever
    declares it: `BaseSettings.names` finds settings by their marks. The mark ``publish=True`` is
    refused for a path.
    """
    about: dict[str, Any] = {
        "group": group,
        "metavar": metavar,
        "absent": absent,
        "common": common,
        "marks": marks,
    }
    return Field(
        default, description=help, gt=gt, ge=ge, lt=lt, le=le, json_schema_extra={"setting": about}
    )


@dataclass(frozen=True)
class Setting:
    """All that is known of one setting; `type` is the type without None, `choices` of a Literal."""

    name: str
    type: Any
    choices: tuple[str, ...]
    default: Any
    values: str
    help: str
    group: str
    metavar: str | None
    absent: str
    common: bool
    path: bool
    marks: Mapping[str, str | bool]

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def shown_default(self) -> str:
        """The default, for people."""
        if isinstance(self.default, bool):
            return "yes" if self.default else "no"
        return self.absent if self.default in (None, "", ()) else str(self.default)


class BaseSettings(BaseModel):
    """The base of all models of settings: frozen, without unknown names, with errors of one line.

    A subclass names the ``command`` whose ``--help-all`` lists its settings. Rules about several
    settings are its ``model_validator(mode="after")`` methods, which raise ValueError with the
    whole message; what is wrong with one value is said by an ``AfterValidator`` of its type, which
    raises ValueError with what it must be. Raises `UsageError` where pydantic would raise
    ValidationError. `model_fields_set` are the names that were given, and ``model_dump()`` is a
    dictionary of all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    command: ClassVar[str] = "ffgan"
    groups: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **given: Any) -> None:
        checked = self.checked(given)
        try:
            super().__init__(**checked)
        except ValidationError as error:
            # The values are good one by one, so this is a rule about several.
            (first, *_) = error.errors()
            raise UsageError(str(first["ctx"]["error"])) from None

    @classmethod
    def about(cls) -> dict[str, Setting]:
        """What is declared of every setting, by name.

        In the order of ``groups``, where the class has such a list, and of declaration.
        """
        return _about(cls)

    @classmethod
    def names(cls, **marks: str | bool) -> tuple[str, ...]:
        """The names of the settings that were declared with all of these marks."""
        return tuple(
            name
            for name, about in cls.about().items()
            if all(about.marks.get(mark) == value for mark, value in marks.items())
        )

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given values, each checked by itself and converted to its setting's type.

        A number may be given as text, and text as a Path. Rules about several settings are not
        looked at: what is not given may come from elsewhere. Raises `UsageError` for an unknown
        name or a wrong value.
        """
        cls.check_names(given)
        values = {}
        for name, value in given.items():
            if isinstance(value, os.PathLike):
                value = os.fspath(value)
            about = cls.about()[name]
            if isinstance(value, bool) and about.type in (int, float):  # pydantic takes it for 1
                raise UsageError(f"{about.flag} must be {NUMBERS[about.type]}, not {value}")
            try:
                values[name] = _adapter(cls, name).validate_python(value)
            except ValidationError as error:
                raise UsageError(_reason(about, error)) from None
            if about.type is int and values[name] is not None and abs(values[name]) >= LIMIT:
                raise UsageError(f"{about.flag} must be below 2^64, not {value}")
        return values

    @classmethod
    def check_names(cls, names: Iterable[str]) -> None:
        """Raise `UsageError` for a name that is no setting, with the nearest one that is."""
        for name in names:
            if name not in cls.model_fields:
                raise UsageError(
                    f"unknown setting {name}: "
                    + did_you_mean(name, cls.model_fields, f"{cls.command} --help-all lists them")
                )

    def replace(self, **changes: Any) -> Self:
        """These settings with some others; checked like new ones."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **changes})


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The question whether the nearest known word was meant, or ``otherwise`` if none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


def read_file(path: str | Path, model: type[BaseSettings]) -> dict[str, Any]:
    """The settings in a TOML file of lines ``name = value``, checked.

    Dashes in names count as underscores. Raises `UsageError` naming the file.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        content = tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a TOML file: it is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits
        raise UsageError(f"{path} is not a TOML file: {error}") from error
    given: dict[str, Any] = {}
    try:
        for key, value in content.items():
            name = key.replace("-", "_")
            if isinstance(value, dict):
                raise UsageError(f"settings stand in no table: leave out [{key}]")
            if name in given:
                raise UsageError(f"{name} is given twice, with dashes and with underscores")
            given[name] = value
        return model.checked(given)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def assignment(text: str, model: type[BaseSettings]) -> tuple[str, str]:
    """The name and the value in ``name=value``; raises `UsageError` for an unknown name."""
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not name:
        raise UsageError(f"--set {text} must be name=value")
    model.check_names([name])
    return name, value.strip()


def markdown_table(model: type[BaseSettings], notes: Mapping[str, str] | None = None) -> str:
    """A Markdown table of all settings for each group, under a heading of the third level.

    ``notes`` are added to the meanings of the settings that they name.
    """
    groups: dict[str, list[Setting]] = {}
    for about in model.about().values():
        groups.setdefault(about.group, []).append(about)
    parts = []
    for title, settings in groups.items():
        rows = [
            f"| `{about.flag}` | {about.shown_default} | {about.values} | {about.help}"
            f"{(notes or {}).get(about.name, '')} |"
            for about in settings
        ]
        heading = f"### {title[0].upper()}{title[1:]}\n\n| setting | default | values | meaning |"
        parts.append("\n".join([heading, "| --- | --- | --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


@cache
def _about(model: type[BaseSettings]) -> dict[str, Setting]:
    settings = [_describe(name, field) for name, field in model.model_fields.items()]
    if model.groups:
        settings.sort(key=lambda about: model.groups.index(about.group))
    return {about.name: about for about in settings}


@cache
def _adapter(model: type[BaseSettings], name: str) -> TypeAdapter[Any]:
    field = model.model_fields[name]
    declared: Any = Annotated[(field.annotation, name, *field.metadata)]  # the name says nothing
    return TypeAdapter(declared, config=ConfigDict(allow_inf_nan=False))


def _describe(name: str, field: FieldInfo) -> Setting:
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "setting" not in extra:
        raise TypeError(f"{name} is not declared by ffgan.settings.setting")
    about: Any = extra["setting"]
    declared = field.annotation
    if typing.get_origin(declared) in (typing.Union, types.UnionType):
        (declared,) = [part for part in typing.get_args(declared) if part is not type(None)]
    extras: list[Any] = list(field.metadata)
    if typing.get_origin(declared) is Annotated:
        declared, *more = typing.get_args(declared)
        extras += more
    path = any(isinstance(part, _IsPath) for part in extras)
    if path and about["marks"].get("publish"):
        raise TypeError(f"{name} is a path, which concerns nobody but its user")
    choices = typing.get_args(declared) if typing.get_origin(declared) is Literal else ()
    return Setting(
        name=name,
        type=str if choices else declared,
        choices=choices,
        default=field.default,
        values="a path" if path else _values(declared, choices, field),
        help=field.description or "",
        group=about["group"],
        metavar=about["metavar"] or ("{" + ",".join(choices) + "}" if choices else None),
        absent=about["absent"],
        common=about["common"],
        path=path,
        marks=about["marks"],
    )


def _values(declared: Any, choices: tuple[str, ...], field: FieldInfo) -> str:
    """Which values a setting may have, for people: the end of "must be ..."."""
    if choices:
        return ", ".join(choices[:-1]) + " or " + choices[-1] if choices[1:] else choices[0]
    bound = {
        side: getattr(part, side)
        for part in field.metadata
        for side in BOUNDS
        if getattr(part, side, None) is not None
    }
    low = bound.get("ge", bound.get("gt"))
    high = bound.get("le", bound.get("lt"))
    if low is not None and high is not None:
        start = f"from {_short(low)} to" if "ge" in bound else f"above {_short(low)} and up to"
        if "le" in bound:
            return f"{start} {_short(high)}"
        return f"{start.removesuffix(' up to')} below {_short(high)}"
    if low is not None:
        return f"{_short(low)} or more" if "ge" in bound else f"above {_short(low)}"
    return {**NUMBERS, bool: "yes or no"}.get(declared, "text")


def _short(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _reason(about: Setting, error: ValidationError) -> str:
    """Why a value cannot be that of a setting, on one line."""
    (first, *_) = error.errors()
    kind, value = first["type"], first["input"]
    shown = ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else repr(value)
    if kind.startswith(("greater_than", "less_than")):
        wanted, shown = about.values, str(value)
    elif kind == "literal_error":
        wanted = about.values
    elif kind == "value_error":
        wanted = str(first["ctx"]["error"])
    elif kind.startswith("int_"):
        wanted = NUMBERS[int]
    elif kind.startswith("float_"):
        wanted = NUMBERS[float]
    elif kind.startswith("finite_"):
        wanted = "a finite number"
    elif kind.startswith("bool_"):
        wanted = "true or false"
    else:
        wanted = "text"
    return f"{about.flag} must be {wanted}, not {shown}"
