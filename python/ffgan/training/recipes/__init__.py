# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes: settings that were found good together, as TOML files; see docs/research-log.md.

Those of the package lie in this folder. A user's own is any file of that form. What a recipe does
not name has its default, or that of the recipe which its line ``recipe = "..."`` names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ffgan.errors import UsageError
from ffgan.settings import read_file
from ffgan.training.settings import Settings

FOLDER: Final = Path(__file__).parent
PACKAGED: Final = ("original", "warm", "projected")
SUFFIX: Final = ".toml"


def load(recipe: str) -> tuple[str, dict[str, Any]]:
    """The name under which a run records a recipe, and its settings.

    ``recipe`` is one of `PACKAGED` or the path of a file. A file's recorded name follows from the
    settings in it and not from its path: the same content is the same recipe, on any machine.
    Raises UsageError when there is no such recipe or a setting in it is wrong.
    """
    if recipe in PACKAGED:
        return recipe, _read(FOLDER / f"{recipe}{SUFFIX}")
    if not recipe.endswith(SUFFIX):
        names = ", ".join(PACKAGED)
        raise UsageError(f"--recipe must be {names} or a file FILE{SUFFIX}, not {recipe!r}")
    settings = _read(Path(recipe))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return f"own-{digest[:12]}", settings


def changed() -> tuple[str, ...]:
    """The names of the settings that a packaged recipe gives another value than the original's."""
    values = [_read(FOLDER / f"{name}{SUFFIX}") for name in PACKAGED]
    return tuple(name for name in Settings.about() if any(name in settings for settings in values))


def complete(
    settings: Mapping[str, Any], given: Mapping[str, Any], *, from_scratch: bool
) -> dict[str, Any]:
    """A recipe's settings for a new run, and over them those that were given.

    What has a meaning only after a warm start is left out where there is none, and identity codes
    where a file says what the codes are.
    """
    left_out: tuple[str, ...] = ()
    if not from_scratch or given.get("warm_start") == 0:
        left_out = Settings.names(needs="warm_start")
    if given.get("codes") is not None:
        left_out += ("identity_codes",)
    kept = {name: value for name, value in settings.items() if name not in left_out}
    return {**kept, **given}


def _read(path: Path) -> dict[str, Any]:
    settings = read_file(path, Settings)
    for name in Settings.names(life="start"):
        if name in settings:
            raise UsageError(f"{path}: {name} belongs to one run and not to a recipe")
    base = settings.pop("recipe", None)
    if base is None:
        return settings
    if base not in PACKAGED:
        raise UsageError(f"{path}: recipe must be {', '.join(PACKAGED)}, not {base!r}")
    return {**_read(FOLDER / f"{base}{SUFFIX}"), **settings}
