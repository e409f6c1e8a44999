# SPDX-License-Identifier: GPL-3.0-or-later
"""Zip archives as data sets: those that people have, and those that somebody made to do harm."""

from __future__ import annotations

import io
import os
import shutil
import struct
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import files_below, zipped
from support.training_images import SMALL, jpeg, number_of, numbers

from ffgan.dataset import Dataset, ImageFiles, printable
from ffgan.dataset.sources import zip_archive
from ffgan.errors import DatasetError


def as_names(files: ImageFiles) -> list[str]:
    return [os.fsdecode(name) for name in files.names]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_gives_the_batches_of_the_folder_that_it_was_made_of(
    folder: Path, tmp_path: Path, compression: int
) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "x.jpg").write_bytes(jpeg(20))
    archive = zipped(tmp_path / "faces.zip", files_below(folder), compression)
    assert Dataset(archive).hash == Dataset(folder).hash
    assert numbers(archive, 5, 6) == numbers(folder, 5, 6)


def test_the_folder_in_which_all_lies_is_left_out_of_the_names(
    folder: Path, tmp_path: Path
) -> None:
    shutil.make_archive(str(tmp_path / "faces"), "zip", tmp_path, "faces")
    files = ImageFiles(tmp_path / "faces.zip")
    assert as_names(files)[0] == "00.jpg"
    assert files.hash == ImageFiles(folder).hash
    # A run may have begun with the folder above.
    above = ImageFiles(folder.parent)
    assert as_names(ImageFiles(tmp_path / "faces.zip", as_of=above.hash))[0] == "faces/00.jpg"


def test_a_run_that_began_with_the_archive_is_resumed_with_the_folder(
    folder: Path, tmp_path: Path
) -> None:
    archive = zipped(tmp_path / "faces.zip", files_below(folder))
    assert ImageFiles(folder, as_of=ImageFiles(archive).hash).hash == ImageFiles(archive).hash


def test_what_is_no_image_is_counted_by_kind(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x.jpg", jpeg())
    path = tmp_path / "mixed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", jpeg(1))
        archive.writestr("dataset.json", "{}")
        archive.writestr("more.zip", inner.getvalue())
        archive.writestr("hidden_by_no_suffix", inner.getvalue())
        archive.writestr("nosuffix", jpeg(2))
        archive.writestr("__MACOSX/._a.jpg", b"finder")
        archive.writestr("b.bz.jpg", jpeg(), zipfile.ZIP_BZIP2)
        link = zipfile.ZipInfo("link.jpg")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    files = ImageFiles(path)
    assert as_names(files) == ["a.jpg", "nosuffix"]
    for part in (
        "5 other files ignored: ",
        "1 text",
        "1 archive",
        "1 zip",
        "1 link or special file",
        "1 compressed by method 12",
        "1 hidden file or folder left out",
    ):
        assert part in files.left_out


def test_of_members_of_one_name_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", jpeg(1))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jpg", jpeg(2))
    files = ImageFiles(path)
    assert len(files) == 1
    assert files.read(0) == jpeg(2)
    assert files.left_out == "1 file left out whose name comes again"


@pytest.mark.parametrize(
    "name",
    ["../../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "./x.jpg", "a//x.jpg", "\0x.jpg"],
)
def test_no_name_leads_out_of_its_place(tmp_path: Path, name: str) -> None:
    raw = name.replace("\0", "N")
    path = zipped(tmp_path / "hostile.zip", [(raw, jpeg(3)), ("y.png", b"other")])
    path.write_bytes(path.read_bytes().replace(raw.encode(), name.encode()))
    files = ImageFiles(path)
    label = files.names[0]
    assert b"\0" not in label
    assert not os.path.isabs(label)
    assert b".." not in label.split(b"/")
    assert files.read(0) == jpeg(3)


def test_names_of_windows_have_folders(tmp_path: Path) -> None:
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("faces\\a\\x.jpg", "faces\\y.jpg"):
            info = zipfile.ZipInfo(name)
            info.create_system = 0
            archive.writestr(info, jpeg())
    assert as_names(ImageFiles(path)) == ["a/x.jpg", "y.jpg"]


def test_names_of_any_length_can_be_names_of_files(tmp_path: Path) -> None:
    long = [f"{'x' * 30_000}{end}.jpg" for end in "ab"]
    deep = "d/" * 20_000 + "z.jpg"
    path = zipped(tmp_path / "long.zip", [(name, jpeg()) for name in [*long, deep]])
    files = ImageFiles(path)
    assert len(set(files.names)) == 3
    for name in files.names:
        assert len(name) <= 1000
        assert max(map(len, name.split(b"/"))) <= 200


def encrypted(content: bytes) -> bytes:
    """An archive whose members all say that they are encrypted."""
    data = bytearray(content)
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.find(magic)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(magic, place + 1)
    return bytes(data)


def without_the_end(content: bytes) -> bytes:
    return content[: len(content) // 2]


def of_many_disks(content: bytes) -> bytes:
    at = content.rindex(b"PK\5\6")
    return content[: at + 4] + b"\1\0" + content[at + 6 :]


def damaged_directory(content: bytes) -> bytes:
    at = content.index(b"PK\1\2")
    return content[:at] + b"XXXX" + content[at + 4 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (encrypted, "no image in .* 12 encrypted"),
        (without_the_end, "is no whole zip archive: it has no directory at its end; was it cut"),
        (of_many_disks, "is one part of several"),
        (damaged_directory, "its directory is damaged"),
    ],
)
def test_a_bad_archive_is_refused_in_one_line(
    folder: Path, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    archive = zipped(tmp_path / "faces.zip", files_below(folder))
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(DatasetError, match=message) as got:
        Dataset(archive)
    assert "\n" not in str(got.value)


def test_a_damaged_member_is_skipped_and_named(folder: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "faces.zip", files_below(folder))
    content = archive.read_bytes()
    damaged = bytearray((folder / "04.jpg").read_bytes())
    damaged[-10] ^= 1
    archive.write_bytes(content.replace((folder / "04.jpg").read_bytes(), bytes(damaged)))
    log = tmp_path / "skipped.log"
    with Dataset(archive, size=SMALL, skipped_log=log) as data:
        seen = {number_of(image) for image in next(data.batches(12, seed=0))}
    assert seen == set(range(12)) - {4}
    assert log.read_text() == "04.jpg\tdamaged in its archive: wrong checksum\n"


SIZE = 0x01234567


def test_a_bomb_takes_no_more_memory_than_it_says(tmp_path: Path) -> None:
    """Sizes that are too large, and content that is larger than its size."""
    path = zipped(tmp_path / "bomb.zip", [("a.jpg", bytes(SIZE))], zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    huge = content.replace(struct.pack("<I", SIZE), struct.pack("<I", 0xFFFFFFF0))
    small = content.replace(struct.pack("<I", SIZE), struct.pack("<I", 50_000))
    path.write_bytes(huge)
    with pytest.raises(DatasetError, match="4294967280 bytes are more than the limit"):
        Dataset(path).image(0)
    path.write_bytes(small)
    with pytest.raises(DatasetError, match="not the 50000 bytes that it should have"):
        Dataset(path).image(0)


def test_archives_of_more_than_four_gigabytes_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.write(b"PK\3\4")
        file.truncate(5 << 30)  # a hole: takes no room
        file.seek(0, os.SEEK_END)
        with zipfile.ZipFile(file, "a") as archive:
            for number in range(3):
                with archive.open(f"{number}.jpg", "w", force_zip64=True) as member:
                    member.write(jpeg(number))
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].header_offset > 1 << 32
    assert [number_of(Dataset(path, size=SMALL).image(k)) for k in range(3)] == [0, 1, 2]
    # Some programs write the directory of zip64 for small archives, too.
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    small = zipped(tmp_path / "small.zip", [("a.jpg", jpeg(4)), ("b.jpg", jpeg(5))])
    assert b"PK\6\6" in small.read_bytes()
    assert ImageFiles(small).read(1) == jpeg(5)


def test_what_stands_before_an_archive_is_passed_over(folder: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "faces.zip", files_below(folder))
    content = archive.read_bytes()
    first = b"PK\3\4".ljust(1000, b"\0")
    archive.write_bytes(first + content)
    assert ImageFiles(archive).read(3) == (folder / "03.jpg").read_bytes()


def test_several_threads_read_at_once(folder: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "faces.zip", files_below(folder), zipfile.ZIP_DEFLATED)
    files = ImageFiles(archive)
    expected = [content for _, content in files_below(folder)]
    wrong: list[int] = []

    def read(seed: int) -> None:
        order = np.random.default_rng(seed).integers(0, 12, 300)
        wrong.extend(int(k) for k in order if files.read(int(k)) != expected[int(k)])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


MEMBERS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_characters="\0/\\", codec="utf-8"), min_size=1, max_size=300),
        st.binary(max_size=3000),
        st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
        st.binary(max_size=200),
    ),
    max_size=12,
    unique_by=lambda member: member[0],
)


@settings(max_examples=25, deadline=None)
@given(MEMBERS, st.binary(max_size=2000), st.sampled_from([150, 1 << 20]))
def test_the_standard_library_and_this_reader_agree(
    tmp_path_factory: pytest.TempPathFactory,
    members: list[tuple[str, bytes, int, bytes]],
    comment: bytes,
    block: int,
) -> None:
    path = tmp_path_factory.mktemp("zip") / "any.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = comment.replace(b"PK", b"")
        for name, content, compression, extra in members:
            info = zipfile.ZipInfo(f"{name}.jpg")
            info.extra = struct.pack("<2H", 0xCAFE, len(extra)) + extra
            info.compress_type = compression
            archive.writestr(info, content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zip_archive, "_BLOCK", block)
        try:
            files = ImageFiles(path, include_generated=True)
        except DatasetError as error:
            assert all(name.startswith((".", "__MACOSX")) for name, *_ in members), error
            return
    by_name = {os.fsdecode(name): files.read(k) for k, name in enumerate(files.names)}
    for name, content, *_ in members:
        if name.startswith((".", "__MACOSX")) or len(os.fsencode(name)) > 190:
            continue
        assert by_name[f"{name}.jpg"] == content
        assert printable(os.fsencode(name))
