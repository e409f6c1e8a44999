# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of the C++ core include downwards only, and know Python in the bindings only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "src" / "ffgan_core"
INCLUDE = re.compile(r'^\s*#include\s+[<"]([^>"]+)[>"]', re.MULTILINE)

# From the bottom: a folder may include itself and those of the lines above it.
ORDER = (
    ("base",),
    ("plans",),
    ("kernels",),
    ("bf16",),
    ("dispatch",),
    ("layers",),
    ("networks", "pretrained", "faces"),
    ("serialization",),
    ("inference", "losses"),
    ("training",),
    ("projection",),
    ("bindings",),
)
# Beyond the order: what these folders need none of.
APART = {
    "faces": {"networks", "pretrained"},
    "serialization": {"plans", "kernels", "dispatch", "layers", "faces"},
}

FLOOR = {folder: floor for floor, folders in enumerate(ORDER) for folder in folders}


def sources() -> list[Path]:
    return sorted(path for path in CORE.rglob("*") if path.suffix in (".h", ".cpp"))


def test_every_folder_has_its_place() -> None:
    assert {path.parent.relative_to(CORE).as_posix() for path in sources()} == set(FLOOR)


@pytest.mark.parametrize("folder", FLOOR)
def test_folders_include_downwards(folder: str) -> None:
    offenders = []
    for path in sources():
        if path.parent.name != folder:
            continue
        for included in INCLUDE.findall(path.read_text("utf-8")):
            other = included.split("/")[0]
            if other not in FLOOR or "/" not in included or other == folder:
                continue
            if FLOOR[other] >= FLOOR[folder] or other in APART.get(folder, ()):
                offenders.append(f"{path.relative_to(CORE)} includes {included}")
    assert not offenders


def test_headers_are_included_by_their_folder() -> None:
    headers = {path.relative_to(CORE).as_posix() for path in sources() if path.suffix == ".h"}
    for path in sources():
        text = path.read_text("utf-8")
        for included in re.findall(r'#include "([^"]+)"', text):
            assert included in headers, f"{path.relative_to(CORE)} includes {included}"
        if path.suffix == ".h":
            assert text.count("#pragma once") == 1, path


def test_only_the_bindings_know_python() -> None:
    for path in sources():
        if path.parent.name != "bindings":
            for included in INCLUDE.findall(path.read_text("utf-8")):
                assert not re.match(r"pybind11|Python\.h|numpy", included), path


def test_no_file_is_long() -> None:
    for path in sources():
        assert len(path.read_text("utf-8").splitlines()) <= 500, path
