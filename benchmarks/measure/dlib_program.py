# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles plain_dlib.cpp, once, for this processor, with the BLAS of ffgan's build."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from types import ModuleType

from benchmarks.errors import BenchmarkError

SOURCE = Path(__file__).with_name("plain_dlib.cpp")
ARCHIVE = "dlib-20.0.1.tar.gz"

# What a network uses of dlib, as cmake/FindOrFetchDlib.cmake selects it.
PARTS = (
    "base64/*.cpp",
    "cuda/*.cpp",
    "dir_nav/*.cpp",
    "entropy_*/*.cpp",
    "misc_api/*.cpp",
    "threads/*.cpp",
    "unicode/*.cpp",
    "test_for_odr_violations.cpp",
)

# The functions that dlib calls; scipy-openblas32 has them with a prefix (cmake/Blas.cmake).
CBLAS = """
    sgemm dgemm cgemm zgemm sgemv dgemv cgemv zgemv sger dger cgerc cgeru zgerc zgeru sdot ddot
    cdotc_sub cdotu_sub zdotc_sub zdotu_sub saxpy daxpy caxpy zaxpy sscal dscal cscal zscal strsm
    dtrsm
"""


class NotBuiltError(BenchmarkError):
    """There is no program, and why."""


def cache_folder() -> Path:
    """Where ffgan's build keeps what it fetched."""
    if folder := os.environ.get("FFGAN_CACHE"):
        return Path(folder)
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return Path(folder) / "ffgan"
    return Path.home() / ".cache" / "ffgan"


def program(source: Path | None, compile_it: bool) -> Path:
    """The path of the compiled program; compiles it unless it is in the cache.

    `source` is a folder of dlib's source or its archive; None: the archive that ffgan's build
    fetched. It is compiled for this processor. Raises
    `NotBuiltError`, with the reason, when it is not compiled.
    """
    found = source or cache_folder() / ARCHIVE
    if not found.exists():
        raise NotBuiltError(
            f"not built: {found} is not there; give dlib's source, --dlib-source DIR"
        )
    blas = _blas()
    command = ["g++", "-std=c++17", "-O3", "-DNDEBUG", "-march=native"]
    command += ["-DDLIB_NO_GUI_SUPPORT", "-DDLIB_USE_BLAS"]
    command += [f"-Dcblas_{name}=scipy_cblas_{name}" for name in CBLAS.split()]
    library = Path(blas.get_lib_dir()) / blas.get_library(True)
    link = [str(library), f"-Wl,-rpath,{library.parent}", "-lpthread"]

    recipe = [SOURCE.read_text(encoding="utf-8"), str(found.resolve()), *command, *link]
    digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:16]
    folder = cache_folder() / "benchmarks"
    target = folder / f"plain_dlib-{digest}"
    if target.exists():
        return target
    if not compile_it:
        raise NotBuiltError("not built: --quick compiles nothing; measure it once without --quick")
    if shutil.which("g++") is None:
        raise NotBuiltError("not built: needs a C++ compiler: apt-get install g++")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        root = _source_folder(found, Path(scratch))
        parts = sorted(str(path) for part in PARTS for path in (root / "dlib").glob(part))
        made = Path(scratch) / "plain_dlib"
        print("benchmarks: compiling plain dlib, a few minutes, once", file=sys.stderr, flush=True)
        run = subprocess.run(
            [*command, f"-I{root}", str(SOURCE), *parts, *link, "-o", str(made)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            complaints = [line for line in run.stderr.splitlines() if "error" in line]
            reason = complaints[0] if complaints else f"g++ ended with status {run.returncode}"
            raise NotBuiltError(f"not built: {reason}")
        made.rename(target)
    return target


def version(source: Path | None) -> str:
    """Of dlib's source: as its CMake file, or the archive's name, tells it."""
    found = source or cache_folder() / ARCHIVE
    for file in (found / "CMakeLists.txt", found / "dlib" / "CMakeLists.txt"):
        if file.exists():
            pattern = r'CPACK_PACKAGE_VERSION_(?:MAJOR|MINOR|PATCH) "?(\d+)'
            if numbers := re.findall(pattern, file.read_text(encoding="utf-8")):
                return ".".join(numbers)
    return found.name.removeprefix("dlib-").removesuffix(".tar.gz")


def _source_folder(found: Path, scratch: Path) -> Path:
    """The folder that holds the folder `dlib` with the headers."""
    if found.is_file():
        with tarfile.open(found) as archive:
            members = [
                member
                for member in archive.getmembers()
                if member.name.split("/")[1:2] == ["dlib"] and member.isreg()
            ]
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(scratch, members)
            found = scratch / members[0].name.split("/")[0]
    for folder in (found, found.parent):
        if (folder / "dlib" / "dnn.h").exists():
            return folder
    raise NotBuiltError(f"not built: {found} does not hold dlib's source")


def _blas() -> ModuleType:
    if importlib.util.find_spec("scipy_openblas32") is None:
        raise NotBuiltError("not built: needs its BLAS: pip install scipy-openblas32")
    import scipy_openblas32

    module: ModuleType = scipy_openblas32
    return module
