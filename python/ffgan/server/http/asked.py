# SPDX-License-Identifier: GPL-3.0-or-later
"""Query parameters that ask something of a face: one for each attribute, and ``change``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ffgan.attributes import ATTRIBUTES, Attribute
from ffgan.control import Constraints
from ffgan.errors import UsageError

CHANGE = "[a-z_]+:[-+0-9.eE]+"


def parse_changes(text: str) -> dict[str, str]:
    """``age:10,yaw:-5`` as amounts by name; raises UsageError."""
    changes: dict[str, str] = {}
    for change in text.split(","):
        name, colon, amount = (part.strip() for part in change.partition(":"))
        if not colon or not name or not amount:
            raise UsageError(f"{change[:40]!r}: give NAME:AMOUNT, such as age:10,yaw:-5")
        if name in changes:
            raise UsageError(f"{name} is given twice: give it once")
        changes[name] = amount
    return changes


def _checked_by(check: Callable[[str], object]) -> AfterValidator:
    def checked(text: str) -> str:
        check(text)
        return text

    return AfterValidator(checked)


Changes: TypeAlias = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{CHANGE}(,{CHANGE})*$"}),
    _checked_by(lambda text: Constraints.of({}, parse_changes(text))),
]


class AskedParameters(BaseModel):
    """What is asked of a face; `asked_fields` has the fields of the attributes."""

    model_config = ConfigDict(extra="forbid")

    change: Annotated[
        Changes | None,
        Field(
            description="by how much attributes are to differ from the same seed's face without "
            "them, `age:10,yaw:-5`"
        ),
    ] = None

    keep: Annotated[
        Literal["person"] | None,
        Field(
            description="`person`: what the draw of the seed's own face cannot have is not tried "
            "on its next draws, which are other people; the nearest is the answer"
        ),
    ] = None

    @model_validator(mode="after")
    def check_together(self) -> AskedParameters:
        try:
            self.constraints  # noqa: B018
        except UsageError as error:
            name, message = (self._values() or ["change"])[-1], str(error)
            named = message.startswith(f"{name}: ")
            raise ValueError(message if named else f"{name}: {message}") from None
        return self

    @property
    def constraints(self) -> Constraints:
        """All of it; empty where nothing is asked."""
        values = {name: getattr(self, name) for name in self._values()}
        return Constraints.of(values, {} if self.change is None else parse_changes(self.change))

    def _values(self) -> list[str]:
        return [name for name in ATTRIBUTES if getattr(self, name, None) is not None]


def asked_fields() -> dict[str, Any]:
    """A field of a model for each attribute, by name."""
    return {one.name: (_field(one), None) for one in ATTRIBUTES.values()}


def _field(attribute: Attribute) -> Any:
    def check(text: str) -> object:
        return Constraints.of({attribute.name: text})

    annotation: Any = Annotated[
        str, Field(json_schema_extra={"pattern": _pattern(attribute)}), _checked_by(check)
    ]
    return Annotated[annotation | None, Field(description=_description(attribute))]


def _pattern(attribute: Attribute) -> str:
    """Of all that is taken; it may still be refused, as the description cannot say everything."""
    if attribute.kind == "number":
        return r"^[-+0-9.eE,\s]+$"
    word = rf"\s*({'|'.join(attribute.choices)})\s*"
    return f"^{word}(,{word})*$"


def _description(attribute: Attribute) -> str:
    about = f"asks for a face: {attribute.help}"
    if attribute.kind == "choice":
        return f"{about}; one of {', '.join(attribute.choices)}, or several with commas between"
    value = f"a value in {attribute.unit}" if attribute.unit else "a value"
    return f"{about}; {value}, a range such as `{attribute.example}`, or several"
