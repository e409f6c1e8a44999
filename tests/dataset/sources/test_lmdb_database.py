# SPDX-License-Identifier: GPL-3.0-or-later
"""LMDB databases as data sets: those of GAN repositories, written by lmdb itself, and bad ones."""

from __future__ import annotations

import pickle
import random
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import files_below
from support.training_images import jpeg, numbers

from ffgan.dataset import Dataset, ImageFiles
from ffgan.errors import DatasetError

lmdb = pytest.importorskip("lmdb")


def database(path: Path, values: Iterable[tuple[bytes, bytes]], subdir: bool = True) -> Path:
    with (
        lmdb.open(str(path), map_size=1 << 26, subdir=subdir) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, value in values:
            transaction.put(key, value)
    return path


@pytest.mark.parametrize("subdir", [True, False])
def test_a_database_is_the_folder_of_its_images(folder: Path, tmp_path: Path, subdir: bool) -> None:
    files = [(name.encode(), content) for name, content in files_below(folder)]
    path = database(tmp_path / "faces.lmdb", files, subdir)
    assert Dataset(path).hash == Dataset(folder).hash
    assert numbers(path, 5, 6) == numbers(folder, 5, 6)


def test_of_several_sizes_the_largest_counts(tmp_path: Path) -> None:
    """As prepare_data.py of rosinality's stylegan2-pytorch writes them."""
    values = [
        (f"{size}-{number:05d}".encode(), jpeg(number, (size, size)))
        for size in (32, 64, 128)
        for number in range(5)
    ]
    path = database(tmp_path / "ffhq.lmdb", [*values, (b"length", b"5")])
    files = ImageFiles(path)
    assert list(files.names) == [b"128-%05d" % number for number in range(5)]
    assert files.read(3) == jpeg(3, (128, 128))
    assert "10 smaller copy" in files.left_out
    assert "1 text" in files.left_out


def test_keys_of_lsun_are_names_and_others_are_spelt_out(tmp_path: Path) -> None:
    keys = [b"0000c0cc4d7d1c8a1bb4b5b3f1ee8b0f0c1d1bd5", b"\x00\x01\xff", b"../../x", b"a\nb"]
    files = ImageFiles(database(tmp_path / "lsun", [(key, jpeg(1)) for key in keys]))
    assert sorted(files.names) == sorted([keys[0], b"0001ff", b"x", b"610a62"])


def test_a_database_of_something_else_is_refused_in_one_line(tmp_path: Path) -> None:
    values = [(b"%05d" % number, pickle.dumps([number])) for number in range(9)]
    with pytest.raises(DatasetError, match=r"no image in .*9 unknown.*: give a database with"):
        Dataset(database(tmp_path / "pickles", values))
    with pytest.raises(DatasetError, match=r"no image in .*: give a database with"):
        Dataset(database(tmp_path / "empty", []))


def test_what_is_written_later_counts(folder: Path, tmp_path: Path) -> None:
    path = database(tmp_path / "faces.lmdb", [(b"a.jpg", jpeg(1)), (b"b.jpg", jpeg(2))])
    database(path, [(b"c.jpg", jpeg(3)), (b"a.jpg", jpeg(4))])
    files = ImageFiles(path)
    assert [files.read(k) for k in range(len(files))] == [jpeg(4), jpeg(2), jpeg(3)]


def test_a_file_that_is_cut_off_ends_no_process(folder: Path, tmp_path: Path) -> None:
    files = [(name.encode(), content * 9) for name, content in files_below(folder)]
    path = database(tmp_path / "faces.lmdb", files, False)
    content = path.read_bytes().rstrip(b"\0")
    for length in (4096, 8000, len(content) // 2, len(content) - 4096):
        path.write_bytes(content[:length])
        with pytest.raises(DatasetError, match="is no whole LMDB database: it is cut off"):
            Dataset(path)


def test_a_damaged_file_ends_no_process(folder: Path, tmp_path: Path) -> None:
    """liblmdb would follow a wrong number of a page to an address of its own."""
    files = [(b"%05d.jpg" % number, jpeg(number % 50)) for number in range(300)]
    content = database(tmp_path / "a.lmdb", files, False).read_bytes()
    draw = random.Random(0)
    path = tmp_path / "damaged.lmdb"
    outcomes = set()
    for _ in range(40):
        damaged = bytearray(content)
        for _ in range(draw.choice([1, 30, 300])):
            damaged[draw.randrange(len(content) if draw.random() < 0.5 else 12_288)] = draw.choice(
                [0, 1, 2, 255, draw.randrange(256)]
            )
        path.write_bytes(damaged)
        try:
            found = ImageFiles(path)
            for index in range(0, len(found), 97):
                found.read(index)
            outcomes.add("read")
        except DatasetError as error:
            outcomes.add(str(error).rpartition(": ")[2])
    assert {"read", "its tree is damaged"} <= outcomes


def test_pages_that_lead_in_circles_come_to_an_end(tmp_path: Path) -> None:
    files = [(b"%05d.jpg" % number, jpeg(number % 50)) for number in range(300)]
    path = database(tmp_path / "a.lmdb", files, False)
    content = bytearray(path.read_bytes())
    for page in range(len(content) // 4096):
        start = page * 4096
        if content[start + 10] == 1:  # a branch: all of its nodes lead to itself
            (end,) = struct.unpack_from("<H", content, start + 12)
            for at in struct.unpack_from(f"<{(end - 16) // 2}H", content, start + 16):
                struct.pack_into("<H", content, start + at, page)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="its tree is damaged"):
        Dataset(path)


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=511), st.binary(max_size=9000), min_size=1, max_size=40
    )
)
def test_lmdb_and_this_reader_agree(
    tmp_path_factory: pytest.TempPathFactory, values: dict[bytes, bytes]
) -> None:
    from ffgan.dataset.sources.lmdb_database import LmdbDatabase
    from ffgan.locations import LocalFile

    path = tmp_path_factory.mktemp("lmdb") / "any"
    database(path, [(key, jpeg() + value) for key, value in values.items()])
    file = LocalFile(path / "data.mdb")
    source = LmdbDatabase(file)
    *_, root = source._meta()[:2]
    ours = {value.key: file.read(value.offset, value.size) for value in source._values(root)}
    assert ours == {key: jpeg() + value for key, value in values.items()}
