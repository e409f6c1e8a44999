# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a wheel is told: of wheels with the extension in use and empty files."""

from __future__ import annotations

import importlib.util
import platform
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from ffgan import _core

PROGRAM = Path(__file__).parents[2] / "tools" / "check_wheel.py"
MACHINE = platform.machine()
PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
EXTENSION = f"ffgan/_core.cpython-{PYTHON[2:]}-{MACHINE}-linux-gnu.so"

Problems = Callable[..., list[str]]


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_wheel", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def problems(program: ModuleType, tmp_path: Path) -> Problems:
    def of(
        *, extension: str = EXTENSION, machine: str = MACHINE, without: str = "", beside: str = ""
    ) -> list[str]:
        """Of a wheel whose name says so, with the right files but for those of the arguments."""
        files = program.expected() | {"ffgan-0.1.0.dist-info/licenses/LICENSE", beside}
        path = tmp_path / f"ffgan-0.1.0-{PYTHON}-{PYTHON}-manylinux_2_31_{machine}.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for file in sorted(files - {without, ""}):
                wheel.writestr(file, b"")
            wheel.write(str(_core.__file__), extension)
        with zipfile.ZipFile(path) as wheel:
            # Where it finds its BLAS depends on the build in use, which need not be a wheel's.
            return [
                problem
                for problem in program.problems(path.name, wheel)
                if not problem.startswith(("looks for libraries in", "needs "))
            ]

    return of


def test_a_complete_wheel_has_none(problems: Problems) -> None:
    assert problems() == []


def test_what_is_missing_or_too_much_is_named(problems: Problems) -> None:
    assert problems(without="ffgan/py.typed") == ["lacks ffgan/py.typed"]
    assert problems(beside="ffgan/notes.txt") == ["holds ffgan/notes.txt"]


def test_an_extension_that_python_would_not_find_is_named(problems: Problems) -> None:
    other = "aarch64" if MACHINE == "x86_64" else "x86_64"
    misnamed = EXTENSION.replace(MACHINE, other)
    assert problems(extension=misnamed) == [f"its Python would not look for {misnamed}"]


def test_an_extension_for_another_processor_is_named(problems: Problems) -> None:
    other = "aarch64" if MACHINE == "x86_64" else "x86_64"
    (problem,) = problems(extension=EXTENSION.replace(MACHINE, other), machine=other)
    assert problem.startswith("its extension is for EM_")
