# SPDX-License-Identifier: GPL-3.0-or-later
"""The code base keeps the rules that no compiler checks."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ffgan
from ffgan import _core

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "ffgan"
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "python").with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)


def sources(*suffixes: str) -> Iterator[Path]:
    for folder in ("python", "src", "tests", "tools", "benchmarks", "cmake"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes:
                yield path


def test_versions_agree() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"$', project, re.MULTILINE)
    assert found is not None
    version = found[1]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    assert ffgan.__version__ == version
    assert _core.__version__ == version
    assert importlib.metadata.version("ffgan") == version


def test_every_source_file_names_its_licence() -> None:
    without = [
        str(path.relative_to(ROOT))
        for path in sources(".py", ".pyi", ".cpp", ".h", ".cu", ".cmake", ".js", ".css", ".html")
        if "SPDX-License-Identifier: GPL-3.0-or-later"
        not in "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:3])
    ]
    assert not without


def test_the_core_knows_no_python() -> None:
    core = ROOT / "src" / "ffgan_core"
    offenders = [
        str(path.relative_to(ROOT))
        for path in core.rglob("*")
        if path.suffix in (".cpp", ".h")
        and core / "bindings" not in path.parents
        and re.search(r"#include\s*[<\"](pybind11|Python\.h|numpy)", path.read_text("utf-8"))
    ]
    assert not offenders


def imported_modules(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize(
    "module", [name for name in MODULES if not re.search(r"\.(cli|__main__)$", name)]
)
def test_arrows_point_down(module: str) -> None:
    """Nothing but the command line imports the command line; only the doors import doors."""
    path = ROOT / "python" / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    doors = {"ffgan.cli"}
    if not module.startswith("ffgan.server"):
        doors.add("ffgan.server")
    assert not imported_modules(path) & doors


@pytest.mark.parametrize("module", ["cv2", "fastapi", "uvicorn", "rich", "onnx"])
def test_import_leaves_out(module: str) -> None:
    script = f"import ffgan, sys; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# Importing __main__ would run the program.
@pytest.mark.parametrize("module", [name for name in MODULES if not name.endswith("__main__")])
def test_documented_examples(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0


def test_the_package_carries_its_model_and_type_marker() -> None:
    installed = Path(_core.__file__).parent
    assert (installed / "weights" / "ffgan-162.safetensors").stat().st_size > 0
    assert (Path(ffgan.__file__).parent / "py.typed").exists()


# What the stub alone has: names for types, and the classes' metaclass, which is pybind11's.
STUB_ONLY = r"""
ffgan\._core\.(CnnFaceDetector|Discriminator|FaceDetector|FaceEmbedder|FaceLandmarks|Generator)
ffgan\._core\.(EnergyDistance|ProjectedDiscriminator|Trainer)
ffgan\._core\.(Float32|Float64|Int64|UInt8)
ffgan\._core\.(DiscriminatorName|DnnModel|Engine|JudgedPairs|Layer|Network|Parameters|StepResult)
"""


def test_the_stub_matches_the_extension(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed (pip install '.[dev]')")
    allowed = tmp_path / "allowed"
    allowed.write_text(STUB_ONLY)
    stubtest = [sys.executable, "-m", "mypy.stubtest", "ffgan._core", "--allowlist", str(allowed)]
    stubtest += ["--mypy-config-file", str(ROOT / "pyproject.toml")]
    run = subprocess.run(
        stubtest,
        capture_output=True,
        text=True,
        env=os.environ | {"MYPYPATH": str(ROOT / "python")},
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
