# SPDX-License-Identifier: GPL-3.0-or-later
"""ffgan takes no JPEG of which libjpeg tells damage, every whole one, and OpenCV's pixels."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks is not installed

from benchmarks import jpeg_decoders
from benchmarks.jpeg_decoders import (
    File,
    Refused,
    by_ffgan,
    by_opencv,
    by_opencv_and_its_messages,
)


@pytest.fixture(scope="module")
def clean() -> list[File]:
    return jpeg_decoders.whole_files()


def test_whole_files_of_every_kind_have_opencvs_pixels(clean: list[File]) -> None:
    for file in clean:
        assert np.array_equal(by_ffgan(file.data), file.pixels), file.kind


def test_damaged_files_are_refused_where_libjpeg_tells_of_it(clean: list[File]) -> None:
    def taken(decode: object, file: File) -> bool:
        try:
            decode(file.data)  # type: ignore[operator]
        except Refused:
            return False
        return True

    refused = 0
    for file in itertools.islice(jpeg_decoders.damaged_files(clean), 0, None, 5):
        if jpeg_decoders.has_structure(file.data):
            ours = taken(by_ffgan, file)
            theirs = taken(by_opencv_and_its_messages, file)
            assert theirs or not ours, file.kind
            if theirs and not ours:  # the first message alone did not tell that it is damaged
                assert not np.array_equal(by_opencv(file.data), file.pixels), file.kind
            refused += not ours
    assert refused > 10
