# SPDX-License-Identifier: GPL-3.0-or-later
"""Which source a place is, by what lies there; a suffix alone decides nothing."""

from __future__ import annotations

import glob
import os
import stat
from pathlib import Path

from ffgan import images
from ffgan.dataset import ignored
from ffgan.dataset.sources import parquet_table, zip_archive
from ffgan.dataset.sources.compression import beginning_of, compression_of
from ffgan.dataset.sources.folder import Folder
from ffgan.dataset.sources.lmdb_database import LmdbDatabase, database_in, is_lmdb
from ffgan.dataset.sources.parquet_table import ParquetTable
from ffgan.dataset.sources.path_list import PathList, lists_files
from ffgan.dataset.sources.remote_folder import RemoteFolder
from ffgan.dataset.sources.several import Several
from ffgan.dataset.sources.source import Source
from ffgan.dataset.sources.tar_archive import CompressedTar, TarArchive
from ffgan.dataset.sources.tar_headers import BLOCK, is_tar
from ffgan.dataset.sources.zip_archive import ZipArchive
from ffgan.errors import DatasetError
from ffgan.locations import (
    LocalFile,
    Location,
    RandomAccess,
    RemoteFile,
    RemoteTree,
    Url,
    cannot_read,
    expand_braces,
    matching,
    shown,
)


def open_source(location: Location) -> Source:
    """The images' files at a place.

    Raises DatasetError for what is nothing of the kind, UnavailableError where that cannot be told.
    """
    if not isinstance(location, Path):
        return _open_url(location)
    try:
        mode = os.stat(location).st_mode
    except (FileNotFoundError, NotADirectoryError):
        if files := _matching(str(location)):
            return Several(location, [open_file(LocalFile(Path(path))) for path in files])
        raise DatasetError(f"no such folder or file: {shown(location)}") from None
    except OSError as error:
        raise cannot_read(os.fsencode(location), error) from error
    if stat.S_ISREG(mode):
        return open_file(LocalFile(location))
    if not stat.S_ISDIR(mode):
        raise DatasetError(f"{shown(location)} is not a folder")
    if (database := database_in(location)) is not None:
        return LmdbDatabase(database, location)
    folder = Folder(location)
    if not folder.listing.names and folder.listing.archives:
        return _archives_in(folder)
    return folder


def _matching(pattern: str) -> list[str]:
    """The files that a pattern stands for, in braces as of WebDataset, or with ``*``."""
    found: list[str] = []
    for each in expand_braces(pattern):
        found += sorted(glob.glob(each)) if glob.has_magic(each) else [each]
    return found if found != [pattern] else []


def _open_url(url: Url) -> Source:
    """The images' files behind a URL."""
    if files := matching(url):
        return Several(url, [open_file(RemoteFile(each)) for each in files])
    tree = RemoteTree(url)
    if not tree.is_folder:
        return open_file(RemoteFile(url))
    folder = RemoteFolder(tree)
    if not folder.listing.names and folder.listing.archives:
        return _archives_in(folder)
    return folder


def _archives_in(folder: Folder | RemoteFolder) -> Source:
    """The images in the archives of a folder that has no others."""
    others = folder.listing.ignored.copy()
    parts = []
    for name in sorted(folder.listing.archives):
        parts.append(open_file(folder.file(name)))
        others[ignored.BY_SUFFIX[os.path.splitext(name)[1].lower()]] -= 1
    return Several(folder.location, parts, +others)


def holds_images(location: Location) -> bool:
    """Whether a place is a source of images, and not one picture, as far as can be told."""
    if isinstance(location, Url):
        return (
            bool(matching(location)) or RemoteTree(location).is_folder or not _is_picture(location)
        )
    if location.is_dir():
        return True
    try:
        if not location.is_file():  # a pipe would be waited for
            return not location.exists() and bool(_matching(str(location)))
        with location.open("rb") as file:
            beginning = file.read(images.SNIFFED)
    except OSError:
        return False
    return (
        beginning.startswith((*zip_archive.BEGINNINGS, parquet_table.MAGIC))
        or is_tar(beginning)
        or is_lmdb(beginning)
        or compression_of(beginning) is not None
        or (images.describe(beginning) == "text" and lists_files(location, beginning))
    )


def _is_picture(url: Url) -> bool:
    beginning = RemoteFile(url).read(0, images.SNIFFED)
    return images.describe(beginning) in set(images.suffixes().values())


def open_file(file: RandomAccess) -> Source:
    """The images within one file; raises as `open_source`."""
    beginning = file.read(0, images.SNIFFED)
    if beginning.startswith(zip_archive.BEGINNINGS):
        return ZipArchive(file)
    if is_tar(beginning):
        return TarArchive(file)
    if beginning.startswith(parquet_table.MAGIC):
        return ParquetTable(file)
    if is_lmdb(beginning):
        return LmdbDatabase(file)
    if (compression := compression_of(beginning)) is not None:
        if is_tar(beginning_of(file, compression, BLOCK)):
            return CompressedTar(file, compression)
        raise DatasetError(
            f"{shown(file.location)} is compressed ({compression}), and there is no tar archive in "
            "it: unpack it, and give what comes out"
        )
    if images.describe(beginning) == "text" and isinstance(file.location, Path):
        return PathList(file.location, file)
    raise DatasetError(f"{shown(file.location)} {_instead_of_images(beginning)}")


def _instead_of_images(beginning: bytes) -> str:
    kind = images.describe(beginning)
    if kind in ("RAR", "7z", "zip", "Zstandard"):
        return f"is an archive ({kind}): unpack it, and give the folder that comes out"
    if kind in set(images.suffixes().values()):
        return f"is a single picture ({kind}): give a folder of pictures"
    if "video" in kind or kind == "GIF":
        return f"is a film ({kind}): save its frames as pictures and give their folder"
    what = "a file" if kind in ("unknown", "zeros", "empty") else f"a file ({kind})"
    return f"is {what}, not a folder of pictures: give one"
