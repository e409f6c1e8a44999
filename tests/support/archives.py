# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of folders, made by the libraries that people make them with."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The names below a folder, and their content."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def zipped(
    path: Path, files: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def tarred(
    path: Path,
    files: Iterable[tuple[str, bytes]],
    mode: str = "w",
    format: int = tarfile.DEFAULT_FORMAT,
) -> Path:
    with tarfile.open(path, mode, format=format) as archive:  # type: ignore[call-overload]
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path
