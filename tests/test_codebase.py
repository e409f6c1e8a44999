# SPDX-License-Identifier: GPL-3.0-or-later
"""The code base keeps the rules that no compiler checks."""

from __future__ import annotations

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
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT / "python").with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
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


def test_imports_go_down() -> None:
    """The order of the packages is the contract in pyproject.toml."""
    pytest.importorskip(
        "importlinter", reason="import-linter is not installed (pip install '.[dev]')"
    )
    # In a process of its own: it silences every logger that there is.
    script = "from importlinter.cli import lint_imports_command as lint; lint()"
    run = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_import_is_light() -> None:
    """``import ffgan`` does not pay for what only some commands need."""
    heavy = {"cv2", "fastapi", "uvicorn", "rich", "onnx", "onnxruntime", "pydantic"}
    script = f"import ffgan, ffgan.cli.program, sys; print({heavy!r} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_documented_examples(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_package_carries_its_model_and_type_marker() -> None:
    installed = Path(_core.__file__).parent
    assert (installed / "weights" / "ffgan-162.safetensors").stat().st_size > 0
    assert (Path(ffgan.__file__).parent / "py.typed").exists()


# What the stub alone has: names for types, and the classes' metaclass, which is pybind11's.
STUB_ONLY = r"""
ffgan\._core\.(CnnFaceDetector|Discriminator|FaceClassifier|FaceDetector|FaceEmbedder)
ffgan\._core\.(FaceLandmarks|Generator|Projector|Trainer)
ffgan\._core\.(Float32|Float64|Int64|UInt8)
ffgan\._core\.(DiscriminatorName|DnnModel|Engine|GeneratorLoss|Layer|Network|Parameters)
"""


@pytest.mark.slow
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


def test_examples_stand_in_a_section_that_the_reference_shows_as_code() -> None:
    lines = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in PACKAGE.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith(">>> ")
    ]
    assert lines == []
