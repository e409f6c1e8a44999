# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of a folder of images: what `ffgan pack` does."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from ffgan.dataset import packed_file
from ffgan.dataset.dataset import Dataset
from ffgan.errors import DatasetError
from ffgan.images import Colour, Fit
from ffgan.locations import GivenPlace, place


def pack(
    directory: GivenPlace,
    file: str | Path,
    *,
    fit: Fit = "crop",
    colour: Colour = "convert",
    workers: int = 2,
    include_generated: bool = False,
    patience: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Decode the images below ``directory`` once into ``file``, and return the data set.

    It is the cache file of `Dataset`, which can do without the folder. A file that exists is
    kept if it is what would be written. Broken images are listed in a file beside it, whose name
    ends in ``.skipped.log``. ``progress`` is called with images done and in all. Raises as
    `Dataset` and its `build_cache` do; then there is no file.
    """
    source = place(directory)
    if isinstance(source, Path) and packed_file.is_packed(source):
        raise DatasetError(f"{directory} is packed already: train on it as it is")
    log = Path(f"{os.fspath(file)}.skipped.log")
    if not os.path.exists(file):
        with contextlib.suppress(OSError):
            log.unlink()
    dataset = Dataset(
        directory,
        fit=fit,
        colour=colour,
        cache=file,
        skipped_log=log,
        workers=workers,
        include_generated=include_generated,
        patience=patience,
    )
    dataset.require_all()  # training notices what is missing; a file that is kept does not
    dataset.build_cache(progress)
    return dataset
